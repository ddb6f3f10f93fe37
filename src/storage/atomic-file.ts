/** Small files that are written whole or not at all, and are on the disk when the call returns. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { codeOf } from '../common/errors.ts'
import { storageError, translated } from './errors.ts'

const TEMPORARY = '.tmp-'

/**
 * Replaces `path` by `bytes`: temporary file, flush, rename, flush of the directory.
 *
 * @param mode - permissions, for instance 0o600
 * @throws STORAGE_FULL, DATA_DIRECTORY_NOT_WRITABLE, STORAGE_FAILED - the old file is as it was
 */
export function writeFileAtomic(path: string, bytes: Uint8Array, mode: number): void {
  const temporary = join(dirname(path), `${TEMPORARY}${process.pid}-${basename(path)}`)
  try {
    const file = openSync(temporary, 'w', mode)
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
    flushDirectory(dirname(path))
  } catch (error) {
    rmSync(temporary, { force: true })
    throw translated(error, path)
  }
}

/** Removes what a killed process left of `writeFileAtomic` in a directory. */
export function removeTemporaries(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (name.startsWith(TEMPORARY)) rmSync(join(directory, name), { force: true })
  }
}

/** Makes the names in a directory durable. */
export function flushDirectory(path: string): void {
  // Windows has no such call: its file system keeps names durable by itself.
  if (process.platform === 'win32') return
  const directory = openSync(path, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}

/** Node's own recursive form never ends where the system makes nothing, as in /proc. */
function makeWithParents(path: string): void {
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    const parent = dirname(path)
    if (codeOf(error) === 'EEXIST' && statSync(path).isDirectory()) return
    if (codeOf(error) !== 'ENOENT' || parent === path || existsSync(parent)) throw error
    makeWithParents(parent)
    mkdirSync(path, { mode: 0o700 })
  }
}

/**
 * Makes a directory, for its owner alone, with those above it. Idempotent.
 *
 * @throws STORAGE_FULL, DATA_DIRECTORY_NOT_WRITABLE
 */
export function makeDirectory(path: string): void {
  try {
    makeWithParents(path)
  } catch (error) {
    const known = translated(error, path)
    if (known !== error) throw known
    const reason = codeOf(error) === 'EEXIST' ? 'it is a file' : codeOf(error)
    throw storageError('DATA_DIRECTORY_NOT_WRITABLE', { path, reason }, error)
  }
}
