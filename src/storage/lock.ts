/**
 * One node per data directory. The lock is SQLite's, on an empty database: the operating system frees it when
 * the process dies, however it dies, so that no lock is ever stale.
 *
 * No other code may open the file `lock`: closing it anywhere in this process would free the lock (POSIX).
 */
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { utf8 } from '../common/bytes.ts'
import { codeOf } from '../common/errors.ts'
import { writeFileAtomic } from './atomic-file.ts'
import { storageError, translated } from './errors.ts'

export interface Lock {
  /** Idempotent. */
  release(): void
}

/**
 * @param directory - an existing directory
 * @throws DATA_DIRECTORY_LOCKED naming the process, DATA_DIRECTORY_NOT_WRITABLE, STORAGE_FULL
 */
export function acquireLock(directory: string): Lock {
  const path = join(directory, 'lock')
  const owner = join(directory, 'lock.pid')
  let db: DatabaseSync
  try {
    db = lockFile(path)
  } catch (error) {
    const known = translated(error, directory)
    if (codeOf(known) !== 'DATA_DIRECTORY_LOCKED') throw known
    throw storageError('DATA_DIRECTORY_LOCKED', { path: directory, pid: ownerOf(owner) }, error)
  }
  try {
    writeFileAtomic(owner, utf8(`${process.pid}\n`), 0o600)
  } catch (error) {
    db.close()
    throw error
  }
  return {
    release: () => {
      if (!db.isOpen) return
      rmSync(owner, { force: true })
      db.close()
    },
  }
}

function lockFile(path: string): DatabaseSync {
  try {
    return take(path)
  } catch (error) {
    // A damaged file cannot be locked by anybody, so nobody holds it.
    if (codeOf(translated(error, path)) !== 'DATABASE_DAMAGED') throw error
    rmSync(path)
    return take(path)
  }
}

function take(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    db.exec('BEGIN IMMEDIATE')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function ownerOf(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim().slice(0, 20)
  } catch {
    // It is about to be written.
    return 'unknown'
  }
}
