/**
 * Writes to the table `records`. New records wait until the transaction ends or somebody reads the table: one that is
 * stored and confirmed at once, like all those of a sync, is written once, with its place.
 *
 * does not own: what a query finds (record-table.ts lets nobody read before `flush`)
 */

import type { SignedRecord } from '../chain/record.ts'
import type { RecordOutcome } from '../chain/state/result.ts'
import { assert } from '../common/errors.ts'
import { rootOf, subjectOf } from './record-facts.ts'
import { placeSum, type RecordPlace } from './record-places.ts'
import type { Database } from './sqlite.ts'

/** A record that is not in the table yet. */
export interface NewRecord {
  readonly record: SignedRecord
  readonly received: number
  own: boolean
  inBody: boolean
  /** Missing: it is pending. */
  place?: RecordPlace
}

export interface RecordWriter {
  /** Takes a record that is not stored; gives it its number. */
  add(row: Omit<NewRecord, 'place'>): number
  /** Notes that a record is this device's own, or that a stored body holds it. */
  keep(number: number, own: boolean, inBody: boolean): void
  /** A record that is not in the table yet. */
  waitingRow(number: number): Readonly<NewRecord> | undefined
  /** The number of a record that is not in the table yet. */
  waiting(id: string): number | undefined
  /** Where a record stands that is not in the table yet; null: it is pending; undefined: look into the table. */
  waitingPlace(id: string): RecordPlace | null | undefined
  confirm(number: number, height: number, index: number, outcome: RecordOutcome): void
  /** Back to pending. */
  unconfirm(number: number): void
  /** Empty texts: it has none. */
  outcome(number: number): { outcome: RecordOutcome['outcome'] | ''; code: string }
  /** Of a record that has a place. */
  setOutcome(number: number, outcome: RecordOutcome['outcome'] | '', code: string): void
  /** Writes what waits. */
  flush(): void
}

export function createRecordWriter(db: Database): RecordWriter {
  const lastNumber = db.prepare<{ n: number | null }>('SELECT max(number) AS n FROM records')
  const insert = db.prepare(
    `INSERT INTO records (number, id, device, sequence, user, type, subject, identity, root, received,
       own, ever, in_body, height, place, outcome, code, sum, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const keep = db.prepare(
    `UPDATE records SET own = max(own, ?), in_body = max(in_body, ?)
     WHERE number = ? AND (own < ? OR in_body < ?)`,
  )
  const confirm = db.prepare(
    'UPDATE records SET height = ?, place = ?, outcome = ?, code = ?, sum = ?, ever = 1 WHERE number = ?',
  )
  const unconfirm = db.prepare(
    `UPDATE records SET height = NULL, place = NULL, outcome = NULL, code = NULL, sum = NULL
     WHERE number = ?`,
  )
  const outcome = db.prepare<{ outcome: RecordOutcome['outcome'] | ''; code: string }>(
    `SELECT coalesce(outcome, '') AS outcome, coalesce(code, '') AS code FROM records WHERE number = ?`,
  )
  const placeOf = db.prepare<{ id: string; height: number; place: number }>(
    'SELECT id, height, place FROM records WHERE number = ? AND height IS NOT NULL',
  )
  const setOutcome = db.prepare(
    'UPDATE records SET outcome = ?, code = ?, sum = ? WHERE number = ?',
  )
  const waiting = new Map<number, NewRecord>()
  const byId = new Map<string, number>()
  let last = 0
  const forget = (): void => {
    waiting.clear()
    byId.clear()
  }
  db.onRollback(forget)

  const write = (number: number, row: NewRecord): void => {
    const { record, received, own, inBody, place } = row
    const { id, device, sequence, type, user, identity } = record
    insert.run(
      number,
      id,
      device,
      sequence,
      user ?? identity,
      type,
      subjectOf(record),
      identity === id ? null : identity,
      rootOf(record),
      received,
      own ? 1 : 0,
      place === undefined ? 0 : 1,
      inBody ? 1 : 0,
      place?.height ?? null,
      place?.index ?? null,
      place?.outcome ?? null,
      place?.code ?? null,
      place === undefined ? null : placeSum(id, place),
      record.bytes,
    )
  }
  const flush = (): void => {
    for (const [number, row] of waiting) write(number, row)
    forget()
  }

  return {
    add: (row) => {
      if (waiting.size === 0) last = lastNumber.get()?.n ?? 0
      last += 1
      waiting.set(last, { ...row })
      byId.set(row.record.id, last)
      return last
    },
    keep: (number, own, inBody) => {
      const row = waiting.get(number)
      if (row !== undefined) {
        row.own ||= own
        row.inBody ||= inBody
      } else if (own || inBody) {
        const flags = [own ? 1 : 0, inBody ? 1 : 0] as const
        keep.run(...flags, number, ...flags)
      }
    },
    waiting: (id) => byId.get(id),
    waitingRow: (number) => waiting.get(number),
    waitingPlace: (id) => {
      const number = byId.get(id)
      const row = number === undefined ? undefined : waiting.get(number)
      return row === undefined ? undefined : (row.place ?? null)
    },
    confirm: (number, height, index, result) => {
      const { outcome, code = null } = result
      const place = { height, index, outcome, code }
      const row = waiting.get(number)
      if (row !== undefined) row.place = place
      else confirm.run(height, index, outcome, code, placeSum(result.record, place), number)
    },
    unconfirm: (number) => {
      flush()
      unconfirm.run(number)
    },
    outcome: (number) => {
      flush()
      return outcome.get(number) ?? { outcome: '', code: '' }
    },
    setOutcome: (number, to, code) => {
      flush()
      // As it was before the block that is taken off included it.
      if (to === '') return void setOutcome.run(null, null, null, number)
      const row = placeOf.get(number)
      assert(row !== undefined, 'a record that waited stands in the chain')
      const { id, height, place: index } = row
      const place = { height, index, outcome: to, code: code === '' ? null : code }
      setOutcome.run(to, place.code, placeSum(id, place), number)
    },
    flush,
  }
}
