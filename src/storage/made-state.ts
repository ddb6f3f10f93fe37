/**
 * Values of the state that follow from a record of the best chain and its outcome: what became of it, and the file and
 * the version that it made, as long as nothing has changed them. The table `state` need not hold them: a first sync
 * would write most of what it writes a second time, under keys in no order.
 */

import type { SignedRecord } from '../chain/record.ts'
import {
  FILE_FAMILY,
  isNewFileState,
  isNewVersionState,
  newFileState,
  newVersionState,
  VERSION_FAMILY,
} from '../chain/state/files.ts'
import { isOwnRecordState, ownRecordState, RECORD_FAMILY } from '../chain/state/records.ts'
import { equalBytes } from '../common/bytes.ts'
import type { RecordPlace } from './record-places.ts'
import { createRecordTable, type RecordTable } from './record-table.ts'
import type { Database } from './sqlite.ts'

/** Rows that are read at a time. */
const PAGE_ROWS = 256

export type Entry = readonly [string, Uint8Array]

/** Keys `<name>/<id of a record>`. */
export interface MadeFamily {
  readonly name: string
  /** Whether the value stays as it is for as long as the record stands where it does; worth remembering then. */
  readonly stays: boolean
  /** Whether `get` would give this value. */
  isMade(id: string, value: Uint8Array): boolean
  get(id: string): Uint8Array | undefined
  /** Those whose ids begin so, in the order of ids. */
  list(idPrefix: string): Iterable<Entry>
}

export type MadeRecords = Pick<RecordTable, 'placeOf' | 'places' | 'number' | 'record' | 'isOf'>

/** Drops the rows of `state` that follow from records, which older formats wrote. */
export function dropMadeRows(db: Database): void {
  const page = db.prepare<{ key: string; value: Uint8Array }>(
    `SELECT key, value FROM state WHERE key > ? AND key < ? ORDER BY key LIMIT ${PAGE_ROWS}`,
  )
  const remove = db.prepare('DELETE FROM state WHERE key = ?')
  for (const { name, stays, get } of createMadeState(createRecordTable(db), () => false)) {
    if (!stays) continue
    for (let after = `${name}/`; ; ) {
      const rows = page.all(after, `${name}0`)
      for (const { key, value } of rows) {
        const made = get(key.slice(name.length + 1))
        if (made !== undefined && equalBytes(made, value)) remove.run(key)
      }
      const last = rows.at(-1)
      if (last === undefined) break
      after = last.key
    }
  }
}

/**
 * In the order of their names.
 *
 * @param isReplaced - whether another record stands in the chain for this one: it made the file or version then
 */
export function createMadeState(
  records: MadeRecords,
  isReplaced: (id: string) => boolean,
): readonly MadeFamily[] {
  const stateOf = ({ height, index, outcome, code }: RecordPlace): Uint8Array =>
    ownRecordState({ height, index }, outcome, code)

  const ofVersions = (
    name: string,
    isNew: MadeFamily['isMade'],
    madeBy: (record: SignedRecord) => Uint8Array | undefined,
  ): MadeFamily => {
    const made = (id: string): Uint8Array | undefined => {
      const number = records.number(id)
      if (number === undefined || !records.isOf(number, 'file.')) return undefined
      const record = records.record(number)
      // One that stands for another made what it made under the other's id.
      return record?.identity === id ? madeBy(record) : undefined
    }
    return {
      name,
      stays: true,
      isMade: (id, value) => isNew(id, value) && !isReplaced(id),
      get: (id) => (records.placeOf(id)?.outcome === 'applied' ? made(id) : undefined),
      *list(idPrefix) {
        for (const { id, outcome } of records.places(idPrefix)) {
          const value = outcome === 'applied' ? made(id) : undefined
          if (value !== undefined) yield [`${name}/${id}`, value]
        }
      },
    }
  }

  return [
    ofVersions(FILE_FAMILY, isNewFileState, (record) =>
      record.type === 'file.add' ? newFileState(record) : undefined,
    ),
    {
      name: RECORD_FAMILY,
      stays: false,
      isMade: (_, value) => isOwnRecordState(value),
      get: (id) => {
        const place = records.placeOf(id)
        return place === undefined ? undefined : stateOf(place)
      },
      *list(idPrefix) {
        for (const place of records.places(idPrefix)) {
          yield [`${RECORD_FAMILY}/${place.id}`, stateOf(place)]
        }
      },
    },
    ofVersions(
      VERSION_FAMILY,
      (_, value) => isNewVersionState(value),
      (record) =>
        record.type === 'file.add' || record.type === 'file.update'
          ? newVersionState(record)
          : undefined,
    ),
  ]
}
