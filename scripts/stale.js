/** Whether the bundle is older than what it is made from. Plain JavaScript: `npm start` reads it at every start. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What the bundle is made from. */
const INPUTS = ['src', 'scripts', 'package-lock.json']
/** Written last by a build: its time is the build's. */
export const STAMP = 'cairn.js'

/**
 * @param {string} root - the project's directory
 * @returns {boolean}
 */
export function isStale(root) {
  const stamp = statSync(join(root, 'dist', STAMP), { throwIfNoEntry: false })
  return stamp === undefined || INPUTS.some((input) => isNewer(join(root, input), stamp.mtimeMs))
}

/**
 * @param {string} path
 * @param {number} time - milliseconds
 * @returns {boolean}
 */
function isNewer(path, time) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return false
  // A directory's own time changes when an entry comes, goes or is renamed.
  if (stat.mtimeMs > time) return true
  return stat.isDirectory() && readdirSync(path).some((name) => isNewer(join(path, name), time))
}
