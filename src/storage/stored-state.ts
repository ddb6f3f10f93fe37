/**
 * The whole state of the rules: the table `state`, and what follows from the records of the best chain, which stand in
 * the table `records` already (made-state.ts). Of such keys only values that say more stand in the table `state`, and
 * in undo data.
 */
import { RECORD_FAMILY } from '../chain/state/records.ts'
import type { Change, StateView } from '../chain/view.ts'
import { utf8 } from '../common/bytes.ts'
import { sha256Stream } from '../common/crypto.ts'
import { createMadeState, type Entry, type MadeFamily, type MadeRecords } from './made-state.ts'
import { familyOf, type StateTable } from './state-table.ts'

export type Before = Pick<Change, 'key' | 'before'>

export interface StoredState extends StateView {
  /** Writes the values after the changes; gives what undoes it. Inside the caller's transaction. */
  apply(changes: readonly Change[]): Before[]
  /** Writes the values before the changes. */
  revert(changes: readonly Before[]): void
  /** SHA-256 over every key and value, in byte order of the keys. Reads everything: for tests and `verify`. */
  digest(): Uint8Array
}

const RECORD_PREFIX = `${RECORD_FAMILY}/`

export function createStoredState(table: StateTable, records: MadeRecords): StoredState {
  /** Whether another record stands in the chain for this one: only then its state has a row. */
  const isReplaced = (id: string): boolean =>
    table.holds(RECORD_FAMILY) && table.get(RECORD_PREFIX + id) !== undefined
  const families = createMadeState(records, isReplaced)
  const byName = new Map(families.map((family) => [family.name, family]))

  const madeFamilyOf = (key: string): MadeFamily | undefined => byName.get(familyOf(key))
  const idOf = (key: string, { name }: MadeFamily): string => key.slice(name.length + 1)

  /** The value, if it stands in the table `state`. */
  const kept = (key: string, value: Uint8Array | undefined): Uint8Array | undefined => {
    const family = value === undefined ? undefined : madeFamilyOf(key)
    if (value === undefined || family === undefined) return value
    return family.isMade(idOf(key, family), value) ? undefined : value
  }

  function* made(prefix: string): Iterable<Entry> {
    for (const family of families) {
      const all = `${family.name}/`
      if (prefix.startsWith(all)) yield* family.list(prefix.slice(all.length))
      else if (all.startsWith(prefix)) yield* family.list('')
    }
  }
  const list = (prefix: string): Iterable<Entry> => merged(table.list(prefix), made(prefix))

  return {
    get: (key) => {
      const family = madeFamilyOf(key)
      if (family === undefined) return table.get(key)
      const known = table.known(key)
      if (known !== undefined) return known
      const row = table.holds(family.name) ? table.get(key) : undefined
      if (row !== undefined) return row
      const value = family.get(idOf(key, family))
      if (value !== undefined && family.stays) table.note(key, value)
      return value
    },
    list,
    apply: (changes) => {
      const undo: Before[] = []
      const rows: Change[] = []
      const take = (change: Change): void => {
        const { key } = change
        const before = kept(key, change.before)
        const after = kept(key, change.after)
        if (
          after === undefined &&
          change.after !== undefined &&
          madeFamilyOf(key)?.stays === true
        ) {
          table.note(key, change.after)
        }
        if (before === undefined && after === undefined) return
        rows.push({ key, before, after })
        undo.push({ key, before })
      }
      // Which records are replaced decides what stands of the others.
      const isOfRecords = ({ key }: Change): boolean => key.startsWith(RECORD_PREFIX)
      for (const change of changes) if (isOfRecords(change)) take(change)
      table.apply(rows.splice(0))
      for (const change of changes) if (!isOfRecords(change)) take(change)
      table.apply(rows)
      return undo
    },
    // Undo data of older formats has all entries.
    revert: (changes) => {
      const rows = changes.map(({ key, before }) => ({ key, before: kept(key, before) }))
      table.forget()
      table.revert(rows)
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
}

/** Both in the order of keys; of a key that both have, what `first` says. */
function* merged(first: Iterable<Entry>, second: Iterable<Entry>): Generator<Entry> {
  const others = second[Symbol.iterator]()
  let other = others.next()
  for (const entry of first) {
    while (other.done !== true && other.value[0] < entry[0]) {
      yield other.value
      other = others.next()
    }
    if (other.done !== true && other.value[0] === entry[0]) other = others.next()
    yield entry
  }
  for (; other.done !== true; other = others.next()) yield other.value
}
