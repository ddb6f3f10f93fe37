/** The rules' key-value view on the disk, with a bounded cache. */
import type { Change, StateView } from '../chain/view.ts'
import { utf8 } from '../common/bytes.ts'
import { sha256Stream } from '../common/crypto.ts'
import { createCache } from './cache.ts'
import type { Database } from './sqlite.ts'

/** Entries that `list` reads at a time: other statements, also writes, may run between two pages. */
const PAGE_ENTRIES = 256
/** Values in memory; of some hundred bytes each. */
const CACHE_ENTRIES = 8192
/** Above every ASCII key. */
const LAST_KEY = '\x7f'

export interface StateTable extends StateView {
  /** Writes the values after the changes. Inside the caller's transaction. */
  apply(changes: readonly Change[]): void
  /** Writes the values before the changes. */
  revert(changes: readonly Pick<Change, 'key' | 'before'>[]): void
  /** SHA-256 over every key and value, in byte order of the keys. Reads everything: for tests and `verify`. */
  digest(): Uint8Array
}

export function createStateTable(db: Database): StateTable {
  const read = db.prepare<{ value: Uint8Array }>('SELECT value FROM state WHERE key = ?')
  const write = db.prepare('INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)')
  const remove = db.prepare('DELETE FROM state WHERE key = ?')
  const page = db.prepare<{ key: string; value: Uint8Array }>(
    'SELECT key, value FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ?',
  )
  const cache = createCache<string, Uint8Array | null>(CACHE_ENTRIES)
  db.onRollback(() => cache.clear())

  const put = (key: string, value: Uint8Array | undefined): void => {
    if (value === undefined) remove.run(key)
    else write.run(key, value)
    cache.set(key, value ?? null)
  }

  function* list(prefix: string): Generator<readonly [string, Uint8Array]> {
    const exact = prefix === '' ? undefined : table.get(prefix)
    if (exact !== undefined) yield [prefix, exact]
    let after = prefix
    for (;;) {
      const rows = page.all(after, prefix + LAST_KEY, PAGE_ENTRIES)
      for (const row of rows) yield [row.key, row.value]
      const last = rows.at(-1)
      if (last === undefined || rows.length < PAGE_ENTRIES) return
      after = last.key
    }
  }

  const table: StateTable = {
    get: (key) => {
      const known = cache.get(key)
      if (known !== undefined) return known ?? undefined
      const value = read.get(key)?.value
      cache.set(key, value ?? null)
      return value
    },
    list,
    apply: (changes) => {
      for (const { key, after } of changes) put(key, after)
    },
    revert: (changes) => {
      for (const { key, before } of changes) put(key, before)
    },
    digest: () => {
      const hash = sha256Stream()
      for (const [key, value] of list('')) {
        hash.update(utf8(`${key.length} ${key} ${value.length} `))
        hash.update(value)
      }
      return hash.digest()
    },
  }
  return table
}
