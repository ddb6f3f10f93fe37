/** The notices of the packages whose code is in the bundle, as their licences ask. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** File names under which packages keep their licence. */
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i

/**
 * One text with name, version, licence and notice of each package.
 *
 * @param inputs - paths of the bundled files, relative to `root`
 */
export function collectLicences(root: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.flatMap((input) => packageFolder(input) ?? []))
  const notices = [...folders].sort().map((folder) => noticeOf(join(root, folder)))
  return `Cairn contains code of these packages.\n\n${notices.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** `node_modules/a/node_modules/@b/c` of `node_modules/a/node_modules/@b/c/dist/index.js`. */
function packageFolder(input: string): string | undefined {
  const parts = input.split('/')
  const at = parts.lastIndexOf('node_modules')
  if (at === -1) return undefined
  const length = parts[at + 1]?.startsWith('@') === true ? 3 : 2
  return parts.slice(0, at + length).join('/')
}

function noticeOf(folder: string): string {
  const manifest: unknown = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const field = (name: string): string => {
    const value = Object.entries(manifest ?? {}).find(([key]) => key === name)?.[1]
    return typeof value === 'string' ? value : '?'
  }
  const files = existsSync(folder) ? readdirSync(folder).filter((n) => LICENCE_FILE.test(n)) : []
  const texts = files.sort().map((name) => readFileSync(join(folder, name), 'utf8').trim())
  return [`${field('name')} ${field('version')} (${field('license')})`, ...texts, ''].join('\n\n')
}
