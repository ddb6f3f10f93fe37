/**
 * Opens the database of a data directory: checked, brought to the newest format, and put aside when damaged.
 *
 * Checks at each open: the file's header, its format, its tables, and that the tip of the chain is whole. After
 * a crash also SQLite's own check, when the file is small enough for it. Damage that shows later is thrown as
 * DATABASE_DAMAGED by the statement that meets it.
 */
import { existsSync, renameSync, statSync } from 'node:fs'
import { cidOf } from '../common/dag-cbor.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import { MIB } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import { storageError, translated } from './errors.ts'
import { APPLICATION_ID, formatOf, MIGRATIONS, type Migration, migrate } from './migrations.ts'
import { type Database, openSqlite } from './sqlite.ts'

/** Bytes of a database that is checked whole after a crash: about a fifth of a second. */
const QUICK_CHECK_BYTES: number = 64 * MIB

export interface DatabaseInit {
  /** A file, or ':memory:'. */
  readonly path: string
  /** Milliseconds UTC, for the name of a file that is put aside. */
  readonly now: () => number
  readonly logger: Logger
  /** Steps to the newest format; another list only in tests. */
  readonly migrations?: readonly Migration[]
}

export interface OpenedDatabase {
  readonly db: Database
  /** Where the damaged file was put aside; the database that is open now is empty. See salvage.ts. */
  readonly damaged?: string
}

/**
 * @throws DATA_FORMAT_NEWER, STORAGE_FULL, DATA_DIRECTORY_NOT_WRITABLE, DATA_DIRECTORY_LOCKED, STORAGE_FAILED
 */
export function openDatabase({
  path,
  now,
  logger,
  migrations = MIGRATIONS,
}: DatabaseInit): OpenedDatabase {
  try {
    return { db: openChecked(path, migrations) }
  } catch (error) {
    if (codeOf(error) !== 'DATABASE_DAMAGED' || path === ':memory:') throw error
    const damaged = putAside(path, now())
    logger.error('The database was damaged; it is put aside and a new one is made', {
      damaged,
      reason: messageOf(error),
    })
    return { db: openChecked(path, migrations), damaged }
  }
}

function openChecked(path: string, migrations: readonly Migration[]): Database {
  const crashed = path !== ':memory:' && bytesOf(`${path}-wal`) > 0
  const db = openSqlite(path)
  try {
    checkKind(db)
    migrate(db, migrations)
    checkTip(db)
    if (crashed && bytesOf(path) <= QUICK_CHECK_BYTES) checkAll(db)
    return db
  } catch (error) {
    closeAnyway(db)
    throw error
  }
}

function damagedError(db: Database, reason: string): Error {
  return storageError('DATABASE_DAMAGED', { path: db.path, reason })
}

/** The file is empty, or a database of ours. */
function checkKind(db: Database): void {
  const tables = db.prepare<{ n: number }>('SELECT count(*) AS n FROM sqlite_schema').get()?.n ?? 0
  const id =
    db.prepare<{ application_id: number }>('PRAGMA application_id').get()?.application_id ?? 0
  if (formatOf(db) === 0 && tables === 0) return
  if (id !== APPLICATION_ID) throw damagedError(db, 'it is not a database of this program')
}

/** The newest block of the best chain is there, is the one that it says it is, and can be disconnected. */
function checkTip(db: Database): void {
  let tip:
    | { height: number; id: string | null; header: Uint8Array | null; undo: number }
    | undefined
  try {
    tip = db
      .prepare<NonNullable<typeof tip>>(
        `SELECT main.height, id, header, EXISTS (SELECT 1 FROM undo WHERE undo.block = main.block) AS undo
         FROM main LEFT JOIN blocks ON blocks.number = main.block ORDER BY main.height DESC LIMIT 1`,
      )
      .get()
  } catch (error) {
    // A table is missing.
    throw codeOf(error) === 'ERR_SQLITE_ERROR' ? damagedError(db, messageOf(error)) : error
  }
  if (tip === undefined) return
  if (tip.header === null || tip.id !== cidOf(tip.header) || tip.undo !== 1) {
    throw damagedError(db, 'its newest block is not whole')
  }
}

function checkAll(db: Database): void {
  const result = db.prepare<{ quick_check: string }>('PRAGMA quick_check(1)').get()?.quick_check
  if (result !== 'ok') throw damagedError(db, result ?? 'it cannot be checked')
}

function closeAnyway(db: Database): void {
  try {
    db.close()
  } catch {
    // It is damaged: the first error tells more.
  }
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Renames a database and the files beside it; returns the new name. */
function putAside(path: string, time: number): string {
  const stamp = new Date(time).toISOString().replace(/[-:.]/g, '')
  let target = `${path}.damaged-${stamp}`
  for (let n = 2; existsSync(target); n += 1) target = `${path}.damaged-${stamp}-${n}`
  try {
    renameSync(path, target)
    for (const suffix of ['-wal', '-shm', '-journal']) {
      if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix)
    }
  } catch (error) {
    throw translated(error, path)
  }
  return target
}
