/** The rules' key-value view on the disk, with a bounded cache. */
import type { Change, StateView } from '../chain/view.ts'
import { createCache } from './cache.ts'
import { checksumOf } from './checksum.ts'
import type { Database } from './sqlite.ts'

/** Entries that `list` reads at a time: other statements, also writes, may run between two pages. */
const PAGE_ENTRIES = 256
/** Values in memory; of some hundred bytes each. */
const CACHE_ENTRIES = 8192
/** Keys that wait at most: some hundred bytes each. */
const MAX_WAITING = 65_536
/** Rows that one statement writes. */
const ROWS_AT_ONCE = 16
/** Above every ASCII key. */
const LAST_KEY = '\x7f'

export interface StateTable extends StateView {
  /** Writes the values after the changes. Inside the caller's transaction. */
  apply(changes: readonly Change[]): void
  /** Writes the values before the changes. */
  revert(changes: readonly Pick<Change, 'key' | 'before'>[]): void
  /** A value that is in memory. */
  known(key: string): Uint8Array | undefined
  /** Keeps a value in memory that does not stand in the table. */
  note(key: string, value: Uint8Array): void
  /** Forgets what is in memory, but not what has to be written. */
  forget(): void
  /** Whether it has any key of this family, the first part of a key. Cheap; may stay true when the last one goes. */
  holds(family: string): boolean
}

interface Row {
  key: string
  value: Uint8Array
  /** Null: written before there were sums. */
  sum: number | null
}

export function createStateTable(db: Database): StateTable {
  const read = db.prepare<Row>('SELECT key, value, sum FROM state WHERE key = ?')
  const write = db.prepare('INSERT OR REPLACE INTO state (key, value, sum) VALUES (?, ?, ?)')
  const writeMany = db.prepare(
    `INSERT OR REPLACE INTO state (key, value, sum) VALUES ${Array(ROWS_AT_ONCE).fill('(?, ?, ?)').join(', ')}`,
  )
  const remove = db.prepare('DELETE FROM state WHERE key = ?')
  const page = db.prepare<Row>(
    'SELECT key, value, sum FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ?',
  )
  const cache = createCache<string, Uint8Array | null>(CACHE_ENTRIES)
  /** Written by this transaction and not in the table yet: a key that many blocks change is written once. */
  const waiting = new Map<string, Uint8Array | null>()
  /** First parts of the keys that wait. */
  const families = new Set<string>()
  /** Families of which nothing is stored: each block asks whether any record waits. */
  const empty = new Set<string>()
  /** Families of which something was stored. */
  const held = new Set<string>()

  const flush = (): void => {
    if (waiting.size === 0) return
    const values: [string, Uint8Array, number][] = []
    // In the order of the table, in which neighbours are on one page.
    for (const key of [...waiting.keys()].sort()) {
      const value = waiting.get(key)
      if (value === null || value === undefined) remove.run(key)
      else values.push([key, value, checksumOf(key, value)])
    }
    const whole = values.length - (values.length % ROWS_AT_ONCE)
    for (let at = 0; at < whole; at += ROWS_AT_ONCE) {
      writeMany.run(...values.slice(at, at + ROWS_AT_ONCE).flat())
    }
    for (const row of values.slice(whole)) write.run(...row)
    forget()
  }
  const forget = (): void => {
    waiting.clear()
    families.clear()
  }
  db.beforeCommit(flush)
  db.onRollback(() => {
    forget()
    cache.clear()
    empty.clear()
    held.clear()
  })

  const put = (key: string, value: Uint8Array | undefined): void => {
    waiting.set(key, value ?? null)
    const family = familyOf(key)
    families.add(family)
    empty.delete(family)
    cache.set(key, value ?? null)
  }
  const change = (run: () => void): void =>
    db.join(() => {
      run()
      if (waiting.size > MAX_WAITING) flush()
    })

  const checked = ({ key, value, sum }: Row): Uint8Array => {
    if (sum !== null && sum !== checksumOf(key, value)) {
      throw db.damaged(`the state of ${key} is not what was written`)
    }
    return value
  }

  function* list(prefix: string): Generator<readonly [string, Uint8Array]> {
    const family = prefix.includes('/') ? familyOf(prefix) : undefined
    if (family !== undefined && empty.has(family)) return
    if (family === undefined ? waiting.size > 0 : families.has(family)) flush()
    const exact = prefix === '' ? undefined : table.get(prefix)
    if (exact !== undefined) yield [prefix, exact]
    let after = prefix
    for (;;) {
      const rows = page.all(after, prefix + LAST_KEY, PAGE_ENTRIES)
      for (const row of rows) yield [row.key, checked(row)]
      const last = rows.at(-1)
      const none = last === undefined && after === prefix && exact === undefined
      if (none && family !== undefined && prefix === `${family}/`) empty.add(family)
      if (last === undefined || rows.length < PAGE_ENTRIES) return
      after = last.key
    }
  }

  const table: StateTable = {
    get: (key) => {
      const known = waiting.has(key) ? waiting.get(key) : cache.get(key)
      if (known !== undefined) return known ?? undefined
      const row = read.get(key)
      const value = row === undefined ? undefined : checked(row)
      cache.set(key, value ?? null)
      return value
    },
    known: (key) => (waiting.has(key) ? waiting.get(key) : cache.get(key)) ?? undefined,
    note: (key, value) => cache.set(key, value),
    forget: cache.clear,
    list,
    apply: (changes) =>
      change(() => {
        for (const { key, after } of changes) put(key, after)
      }),
    revert: (changes) =>
      change(() => {
        for (const { key, before } of changes) put(key, before)
      }),
    holds: (family) => {
      if (empty.has(family)) return false
      if (held.has(family) || families.has(family)) return true
      for (const _ of list(`${family}/`)) {
        held.add(family)
        return true
      }
      return false
    },
  }
  return table
}

/** The first part of a key. */
export function familyOf(key: string): string {
  const end = key.indexOf('/')
  return end === -1 ? key : key.slice(0, end)
}
