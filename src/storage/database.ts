/**
 * Opens the database of a data directory: checked, brought to the newest format, and put aside when damaged.
 *
 * Checks at each open: the file's header, its format, its tables, and that the tip of the chain is whole. After
 * a crash also SQLite's own check, when the file is small enough for it. Damage that shows later is thrown as
 * DATABASE_DAMAGED by the statement that meets it, and noted in a file beside the database: the next open then
 * checks everything.
 */
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { cidOf } from '../common/dag-cbor.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import { MIB } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import { storageError, translated } from './errors.ts'
import { APPLICATION_ID, formatOf, MIGRATIONS, type Migration, migrate } from './migrations.ts'
import { type DamageFound, type Database, openSqlite } from './sqlite.ts'

/** Bytes of a database that is checked whole after a crash: about a fifth of a second. */
const QUICK_CHECK_BYTES: number = 64 * MIB
/** Follows the name of a database in which a statement met damage. */
const SUSPECT = '.suspect'
/** Stands in that file when what the database holds cannot be decoded, which SQLite's own check does not see. */
const CONDEMNED = 'condemned'

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

/** The next open of the database at `path` puts it aside. */
export function condemnDatabase(path: string): void {
  try {
    writeFileSync(path + SUSPECT, CONDEMNED, { mode: 0o600 })
  } catch (error) {
    throw translated(error, path)
  }
}

function openChecked(path: string, migrations: readonly Migration[]): Database {
  const file = path !== ':memory:'
  const crashed = file && bytesOf(`${path}-wal`) > 0
  const suspect = file && existsSync(path + SUSPECT)
  // What shows while it is opened puts it aside at once.
  let opened = false
  const db = openSqlite(path, (found) => {
    if (file && opened) note(path, found)
  })
  try {
    checkKind(db)
    if (suspect) {
      if (readFileSync(path + SUSPECT, 'latin1') === CONDEMNED) {
        throw damagedError(db, 'what it holds is not what was written')
      }
      checkAll(db, 'integrity_check')
    }
    migrate(db, migrations)
    checkTip(db)
    if (crashed && bytesOf(path) <= QUICK_CHECK_BYTES) checkAll(db, 'quick_check')
    if (suspect) rmSync(path + SUSPECT, { force: true })
    opened = true
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

/** `integrity_check` compares the indices with the tables too, and takes several times as long. */
function checkAll(db: Database, check: 'quick_check' | 'integrity_check'): void {
  const result = db.prepare<Record<string, string>>(`PRAGMA ${check}(1)`).get()?.[check]
  if (result !== 'ok') throw damagedError(db, result ?? 'it cannot be checked')
}

/** Damage that shows later is looked at by the next open; what SQLite's own check cannot see condemns the file. */
function note(path: string, found: DamageFound): void {
  try {
    if (found === 'row') condemnDatabase(path)
    else if (!existsSync(path + SUSPECT)) writeFileSync(path + SUSPECT, '', { mode: 0o600 })
  } catch {
    // The error itself says that something is wrong; a full disk must not hide it.
  }
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
    rmSync(path + SUSPECT, { force: true })
  } catch (error) {
    throw translated(error, path)
  }
  return target
}
