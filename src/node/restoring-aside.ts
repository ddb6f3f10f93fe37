/** What stood in a data directory before a restore, and the mark of a restore that is not finished. */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { NetworkId } from '../chain/ids.ts'
import { utf8 } from '../common/bytes.ts'
import { writeFileAtomic } from '../storage/atomic-file.ts'
import type { DataDirectory } from '../storage/data-directory.ts'
import { isHalfRestored, NETWORK_FILE, RESTORING_FILE } from './network-choice.ts'

/** What belongs to the chain and the person in a directory; settings and contents stay. */
const OWN_NAMES = [NETWORK_FILE, 'keys', 'journal', 'peers.json']
const DATABASE_NAME = 'cairn.sqlite'

export function writeTry(directory: DataDirectory, network: NetworkId): void {
  const text = `${JSON.stringify({ network })}\n`
  writeFileAtomic(join(directory.path, RESTORING_FILE), utf8(text), 0o600)
}

export function endTry(directory: DataDirectory): void {
  rmSync(join(directory.path, RESTORING_FILE), { force: true })
}

/** Keys, journal, database and network that are there. Without the network, which comes first, nothing runs there. */
function ownNames(path: string): readonly string[] {
  const isOwn = (name: string): boolean =>
    OWN_NAMES.includes(name) || name === DATABASE_NAME || name.startsWith(`${DATABASE_NAME}-`)
  return readdirSync(path)
    .filter(isOwn)
    .sort((a, b) => Number(b === NETWORK_FILE) - Number(a === NETWORK_FILE))
}

/** Puts what was there before into a folder of its own; undefined: there was nothing. */
export function moveAside(directory: DataDirectory, now: number): string | undefined {
  const isEmpty = (name: string): boolean =>
    name === 'keys' && readdirSync(join(directory.path, name)).length === 0
  const moved = ownNames(directory.path).filter((name) => !isEmpty(name))
  if (moved.length === 0) return undefined
  const folder = join(directory.path, `before-restore-${now}`)
  mkdirSync(folder, { mode: 0o700 })
  for (const name of moved) renameSync(join(directory.path, name), join(folder, name))
  return folder
}

/** After a try that failed: everything is as it was before `moveAside`. */
export function moveBack(directory: DataDirectory, folder: string): void {
  for (const name of ownNames(directory.path)) {
    rmSync(join(directory.path, name), { recursive: true, force: true })
  }
  for (const name of ownNames(folder).toReversed()) {
    renameSync(join(folder, name), join(directory.path, name))
  }
  endTry(directory)
  rmSync(folder, { recursive: true, force: true })
}

/** Gives an unfinished try up: what it has left is put aside. */
export function giveUp(directory: DataDirectory, now: number): void {
  if (!isHalfRestored(directory.path)) return
  moveAside(directory, now)
  endTry(directory)
}
