/**
 * The whole state of the rules: the table `state`, and of each record of the best chain what became of it
 * (`record/<id>`, chain/state/records.ts), which the table `records` says already. Only what says more than that
 * stands in the table `state`, and in undo data: which record stands in the chain for another one.
 */
import { isOwnRecordState, ownRecordState, RECORD_FAMILY } from '../chain/state/records.ts'
import type { Change, StateView } from '../chain/view.ts'
import { utf8 } from '../common/bytes.ts'
import { sha256Stream } from '../common/crypto.ts'
import type { NamedPlace, RecordPlace, RecordPlaces } from './record-places.ts'
import type { StateTable } from './state-table.ts'

export type Before = Pick<Change, 'key' | 'before'>

export interface StoredState extends StateView {
  /** Writes the values after the changes; gives what undoes it. Inside the caller's transaction. */
  apply(changes: readonly Change[]): Before[]
  /** Writes the values before the changes. */
  revert(changes: readonly Before[]): void
  /** SHA-256 over every key and value, in byte order of the keys. Reads everything: for tests and `verify`. */
  digest(): Uint8Array
}

const PREFIX = `${RECORD_FAMILY}/`

type Entry = readonly [string, Uint8Array]

export function createStoredState(table: StateTable, records: RecordPlaces): StoredState {
  /** Whether a value stands in the table `state`. */
  const isKept = (key: string, value: Uint8Array | undefined): boolean =>
    value !== undefined && !(key.startsWith(PREFIX) && isOwnRecordState(value))

  const list = (prefix: string): Iterable<Entry> => {
    const within = prefix.startsWith(PREFIX)
    if (!within && !PREFIX.startsWith(prefix)) return table.list(prefix)
    const places = records.places(within ? prefix.slice(PREFIX.length) : '')
    return merged(table.list(prefix), entriesOf(places))
  }

  return {
    get: (key) => {
      if (!key.startsWith(PREFIX)) return table.get(key)
      const kept = table.holds(RECORD_FAMILY) ? table.get(key) : undefined
      if (kept !== undefined) return kept
      const place = records.placeOf(key.slice(PREFIX.length))
      return place === undefined ? undefined : stateOf(place)
    },
    list,
    apply: (changes) => {
      const undo: Before[] = []
      const kept: Change[] = []
      for (const change of changes) {
        const { key, before, after } = change
        if (!key.startsWith(PREFIX)) {
          kept.push(change)
          undo.push(change)
          continue
        }
        const was = isKept(key, before) ? before : undefined
        const is = isKept(key, after) ? after : undefined
        if (was === undefined && is === undefined) continue
        kept.push({ key, before: was, after: is })
        undo.push({ key, before: was })
      }
      table.apply(kept)
      return undo
    },
    // Undo data of a format before 3 has all entries.
    revert: (changes) =>
      table.revert(
        changes.map(({ key, before }) => ({
          key,
          before: isKept(key, before) ? before : undefined,
        })),
      ),
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

function stateOf({ height, index, outcome, code }: RecordPlace): Uint8Array {
  return ownRecordState({ height, index }, outcome, code)
}

function* entriesOf(places: Iterable<NamedPlace>): Generator<Entry> {
  for (const place of places) yield [PREFIX + place.id, stateOf(place)]
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
