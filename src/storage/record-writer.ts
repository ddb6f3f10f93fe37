/**
 * Writes to the table `records`. New records wait until the transaction ends or somebody reads the table: one that is
 * stored and confirmed at once, like all those of a sync, is written once, with its place.
 *
 * does not own: what a query finds (record-table.ts lets nobody read before `flush`)
 */
import type { RecordOutcome } from '../chain/outcome.ts'
import type { SignedRecord } from '../chain/record.ts'
import { rootOf, subjectOf } from './record-facts.ts'
import type { Database } from './sqlite.ts'

/** A record that is not in the table yet. */
interface NewRecord {
  readonly record: SignedRecord
  readonly received: number
  own: boolean
  inBody: boolean
  /** Where it stands on the best chain, and what it did there; missing: it is pending. */
  place?: { readonly height: number; readonly index: number; readonly outcome: RecordOutcome }
}

export interface RecordWriter {
  /** Takes a record that is not stored; gives it its number. */
  add(row: Omit<NewRecord, 'place'>): number
  /** Notes that a record is this device's own, or that a stored body holds it. */
  keep(number: number, own: boolean, inBody: boolean): void
  confirm(number: number, height: number, index: number, outcome: RecordOutcome): void
  /** Back to pending. */
  unconfirm(number: number): void
  /** Empty texts: it has none. */
  outcome(number: number): { outcome: string; code: string }
  setOutcome(number: number, outcome: string, code: string): void
  /** Writes what waits. */
  flush(): void
}

export function createRecordWriter(db: Database): RecordWriter {
  const lastNumber = db.prepare<{ n: number | null }>('SELECT max(number) AS n FROM records')
  const insert = db.prepare(
    `INSERT INTO records (number, id, device, sequence, user, type, subject, identity, root, received,
       own, ever, in_body, height, place, outcome, code, bytes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const keep = db.prepare(
    `UPDATE records SET own = max(own, ?), in_body = max(in_body, ?)
     WHERE number = ? AND (own < ? OR in_body < ?)`,
  )
  const confirm = db.prepare(
    'UPDATE records SET height = ?, place = ?, outcome = ?, code = ?, ever = 1 WHERE number = ?',
  )
  const unconfirm = db.prepare(
    'UPDATE records SET height = NULL, place = NULL, outcome = NULL, code = NULL WHERE number = ?',
  )
  const outcome = db.prepare<{ outcome: string; code: string }>(
    `SELECT coalesce(outcome, '') AS outcome, coalesce(code, '') AS code FROM records WHERE number = ?`,
  )
  const setOutcome = db.prepare(
    `UPDATE records SET outcome = nullif(?, ''), code = nullif(?, '') WHERE number = ?`,
  )
  const waiting = new Map<number, NewRecord>()
  let last = 0
  db.onRollback(() => waiting.clear())

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
      place?.outcome.outcome ?? null,
      place?.outcome.code ?? null,
      record.bytes,
    )
  }
  const flush = (): void => {
    for (const [number, row] of waiting) write(number, row)
    waiting.clear()
  }

  return {
    add: (row) => {
      if (waiting.size === 0) last = lastNumber.get()?.n ?? 0
      last += 1
      waiting.set(last, { ...row })
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
    confirm: (number, height, index, result) => {
      const row = waiting.get(number)
      if (row !== undefined) row.place = { height, index, outcome: result }
      else confirm.run(height, index, result.outcome, result.code ?? null, number)
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
      setOutcome.run(to, code, number)
    },
    flush,
  }
}
