/**
 * One connection to one SQLite file, by node:sqlite: prepared statements, transactions, translated errors.
 *
 * owns: how SQLite is set up; nested transactions; telling caches of a rollback
 * does not own: tables (schema.ts and the modules that use them), what a damaged file means (database.ts)
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { codeOf } from '../common/errors.ts'
import { KIB } from '../common/limits.ts'
import { storageError, translated } from './errors.ts'

/**
 * Pages that SQLite keeps in memory at most, KiB: what one window of a long sync touches, so that it is written once.
 * A node at rest uses a few of them.
 */
const CACHE_KIB: number = 64 * KIB
/**
 * Bytes of a page of a new database. A long sync touches nearly all pages of each index: larger ones are fewer calls;
 * a block alone, which touches some thirty, would write too much with larger ones than these.
 */
export const PAGE_BYTES: number = 8 * KIB
/**
 * Pages of the write-ahead log after which they are moved into the database: 128 MiB. More makes a long sync
 * write a page less often, and a start after a crash read more.
 */
const CHECKPOINT_PAGES = 16384
/** Bytes that the write-ahead log keeps on disk after a large transaction. */
const WAL_KEPT_BYTES: number = 32 * KIB * KIB

export type SqlValue = SQLInputValue

/** A prepared statement. Errors are those of errors.ts. */
export interface Statement<Row> {
  /** Runs it; the number of rows that it changed. */
  run(...values: SqlValue[]): number
  /** Runs it; the row id of the row that it made last. */
  insert(...values: SqlValue[]): number
  get(...values: SqlValue[]): Row | undefined
  all(...values: SqlValue[]): Row[]
}

export interface Database {
  /** The file, or `:memory:`. */
  readonly path: string
  /** Statements without values, separated by semicolons. */
  exec(sql: string): void
  /** Prepare once, use often. `Row` is what the statement's columns give; integers are numbers. */
  prepare<Row>(sql: string): Statement<Row>
  /**
   * Runs `run` in a transaction: committed (and on the disk) when it returns, undone when it throws.
   * Inside another one it is a part of that one which can be undone alone.
   */
  transaction<T>(run: () => T): T
  /**
   * As `transaction`, but inside another one it is no part of its own, which is cheaper: when `run` throws
   * there, the whole outer transaction (or part) can only be undone.
   */
  join<T>(run: () => T): T
  /** Calls `listener` after each rollback, of the whole transaction or of a part: caches of rows have to forget. */
  onRollback(listener: (whole: boolean) => void): void
  /**
   * Calls `listener` before each commit, and before a part of a transaction begins: what waits in memory has to
   * be written then. After a rollback it has to be forgotten.
   */
  beforeCommit(listener: () => void): void
  /**
   * The error to throw when stored bytes are not what was written, which SQLite cannot see: DATABASE_DAMAGED.
   * The opener is told of it.
   */
  damaged(reason: string, cause?: unknown): Error
  /** Idempotent. */
  close(): void
}

/** Who met damage: SQLite in a statement, or a reader of what a row holds. */
export type DamageFound = 'statement' | 'row'

/**
 * Opens or makes a database file and sets it up: one process at a time, write-ahead log, every commit
 * flushed to the disk.
 *
 * @param path - a file, or ':memory:'
 * @param onDamaged - called before an error DATABASE_DAMAGED is thrown
 * @throws STORAGE_FULL, DATA_DIRECTORY_NOT_WRITABLE, DATA_DIRECTORY_LOCKED, DATABASE_DAMAGED, STORAGE_FAILED
 */
export function openSqlite(
  path: string,
  onDamaged: (found: DamageFound) => void = () => {},
): Database {
  const told = (error: unknown): unknown => {
    const known = translated(error, path)
    if (codeOf(known) === 'DATABASE_DAMAGED') onDamaged('statement')
    return known
  }
  const guard = <T>(run: () => T): T => {
    try {
      return run()
    } catch (error) {
      throw told(error)
    }
  }
  const raw = guard(() => new DatabaseSync(path))
  try {
    // Exclusive before WAL: no shared-memory file and no lock calls at each read.
    guard(() =>
      raw.exec(`PRAGMA page_size = ${PAGE_BYTES}; PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
        PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON;
        PRAGMA cache_size = -${CACHE_KIB}; PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}; PRAGMA journal_size_limit = ${WAL_KEPT_BYTES};
        PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY`),
    )
  } catch (error) {
    raw.close()
    throw error
  }
  const rolledBack: ((whole: boolean) => void)[] = []
  const committing: (() => void)[] = []
  let depth = 0
  let failed: { error: unknown } | undefined

  const undo = (outer: boolean, part: string): void => {
    // SQLite undoes the whole transaction itself when the disk is full.
    if (raw.isTransaction) {
      guard(() => raw.exec(outer ? 'ROLLBACK' : `ROLLBACK TO ${part}; RELEASE ${part}`))
    }
    for (const listener of rolledBack) listener(outer)
  }

  const transaction = <T>(run: () => T): T => {
    const part = `part_${depth}`
    const outer = depth === 0
    if (!outer) for (const listener of committing) listener()
    guard(() => raw.exec(outer ? 'BEGIN IMMEDIATE' : `SAVEPOINT ${part}`))
    depth += 1
    try {
      const result = run()
      // Somebody caught the error of a `join`, which has left half of its work.
      if (failed !== undefined) throw failed.error
      if (outer) for (const listener of committing) listener()
      guard(() => raw.exec(outer ? 'COMMIT' : `RELEASE ${part}`))
      return result
    } catch (error) {
      failed = undefined
      undo(outer, part)
      throw error
    } finally {
      depth -= 1
    }
  }

  return {
    path,
    exec: (sql) => guard(() => raw.exec(sql)),
    prepare: <Row>(sql: string): Statement<Row> => {
      const statement = guard(() => raw.prepare(sql))
      // Without `guard`: these run a hundred thousand times a second.
      return {
        run: (...values) => {
          try {
            return Number(statement.run(...values).changes)
          } catch (error) {
            throw told(error)
          }
        },
        insert: (...values) => {
          try {
            return Number(statement.run(...values).lastInsertRowid)
          } catch (error) {
            throw told(error)
          }
        },
        get: (...values) => {
          try {
            return statement.get(...values) as Row | undefined
          } catch (error) {
            throw told(error)
          }
        },
        all: (...values) => {
          try {
            return statement.all(...values) as Row[]
          } catch (error) {
            throw told(error)
          }
        },
      }
    },
    transaction,
    join: (run) => {
      if (depth === 0) return transaction(run)
      try {
        return run()
      } catch (error) {
        failed ??= { error }
        throw error
      }
    },
    onRollback: (listener) => void rolledBack.push(listener),
    beforeCommit: (listener) => void committing.push(listener),
    damaged: (reason, cause) => {
      onDamaged('row')
      return storageError('DATABASE_DAMAGED', { path, reason }, cause)
    },
    close: () => {
      if (raw.isOpen) guard(() => raw.close())
    },
  }
}
