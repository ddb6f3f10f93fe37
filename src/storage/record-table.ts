/**
 * All records ever known, by id, by device and by place. Numbers (see schema.ts) stay inside storage.
 *
 * does not own: what a record means for lists (projections), whether it may be included (chain/mempool.ts)
 */
import { decodeRecord } from '../chain/codec.ts'
import type { BlockId, DeviceId } from '../chain/ids.ts'
import type { RecordOutcome } from '../chain/outcome.ts'
import type { SignedRecord } from '../chain/record.ts'
import { MIB } from '../common/limits.ts'
import { createCache } from './cache.ts'
import { createHeadList, type DeviceHead } from './head-list.ts'
import { rootOf, subjectOf } from './record-facts.ts'
import type { Database } from './sqlite.ts'
import { readStored } from './stored-value.ts'

/** Bytes that decoded records in memory hold. */
const CACHED_RECORD_BYTES: number = 16 * MIB
/** Bytes of a decoded record beside its encoded bytes. */
const DECODED_BYTES = 2048
/** Records of one transaction that are kept decoded. */
const MAX_FRESH = 8192
/** Id to number, some hundred bytes each. */
const CACHED_NUMBERS = 8192

export type Outcome = RecordOutcome['outcome']
export type OutcomeCode = NonNullable<RecordOutcome['code']>

/** A record with what this node knows of it. */
export interface StoredRecord {
  readonly record: SignedRecord
  /** Where it stands on the best chain; missing: it is pending. */
  readonly place?: { readonly height: number; readonly index: number; readonly block: BlockId }
  /** What it did on the best chain; missing: it is pending. */
  readonly outcome?: Outcome
  /** Why it was rejected or waits. */
  readonly code?: OutcomeCode
  /** Made by this device. */
  readonly own: boolean
  /** Was on the best chain once. */
  readonly everConfirmed: boolean
  /** When it arrived here first, milliseconds UTC. */
  readonly received: number
}

export interface RecordTable {
  number(id: string): number | undefined
  /** Stores it unless it is known; `added` tells. */
  put(
    record: SignedRecord,
    options: { own: boolean; received: number; inBody: boolean },
  ): { number: number; added: boolean }
  get(number: number): StoredRecord | undefined
  record(number: number): SignedRecord | undefined
  /** Whether it is a record of this kind (`file.` for example); cheaper than decoding it. */
  isOf(number: number, kind: string): boolean
  bytes(number: number): Uint8Array | undefined
  confirm(number: number, height: number, place: number, outcome: RecordOutcome): void
  /** Back to pending. */
  unconfirm(number: number): void
  /** Empty texts: it has none. */
  outcome(number: number): { outcome: string; code: string }
  setOutcome(number: number, outcome: string, code: string): void
  pending(limit: number): StoredRecord[]
  count(): number
  /** Devices with pending records. */
  pendingDevices(): DeviceId[]
  pendingCount(): number
  /** Pending records of a device; counts no further than `limit`. */
  pendingCountOf(device: DeviceId, limit: number): number
  /** Writes what waits and forgets the records of the transaction. Called last before each commit. */
  settle(): void
  /** By device, then sequence. */
  heads(): readonly DeviceHead[]
  headsOf(device: DeviceId): DeviceHead[]
  /** Whether a record is known that follows it. */
  hasSuccessor(record: SignedRecord): boolean
  at(device: DeviceId, sequence: number): StoredRecord[]
  newest(device: DeviceId): StoredRecord | undefined
  /** See heads: `number` has lost its successor. */
  restoreHead(number: number): void
  forget(number: number): void
}

/** The columns of `StoredRecord` of the rows of `records` that `condition` selects. */
export const STORED_COLUMNS = `records.number, records.bytes, records.height, records.place,
  blocks.id AS block, records.outcome, records.code, records.own, records.ever, records.received
  FROM records LEFT JOIN main ON main.height = records.height
  LEFT JOIN blocks ON blocks.number = main.block`

export interface StoredRow {
  readonly number: number
  readonly bytes: Uint8Array
  readonly height: number | null
  readonly place: number | null
  readonly block: BlockId | null
  readonly outcome: Outcome | null
  readonly code: OutcomeCode | null
  readonly own: number
  readonly ever: number
  readonly received: number
}

export function createRecordTable(
  db: Database,
): RecordTable & { stored(row: StoredRow): StoredRecord } {
  const findNumber = db.prepare<{ number: number }>('SELECT number FROM records WHERE id = ?')
  const insert = db.prepare(
    `INSERT INTO records (id, device, sequence, user, type, subject, identity, root, received, own, ever,
       in_body, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)`,
  )
  const keep = db.prepare(
    `UPDATE records SET own = max(own, ?), in_body = max(in_body, ?)
     WHERE number = ? AND (own < ? OR in_body < ?)`,
  )
  const select = db.prepare<StoredRow>(`SELECT ${STORED_COLUMNS} WHERE records.number = ?`)
  const selectBytes = db.prepare<{ bytes: Uint8Array }>(
    'SELECT bytes FROM records WHERE number = ?',
  )
  const selectType = db.prepare<{ type: string }>('SELECT type FROM records WHERE number = ?')
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
  const pending = db.prepare<StoredRow>(
    `SELECT number, bytes, height, place, NULL AS block, outcome, code, own, ever, received
     FROM records WHERE height IS NULL ORDER BY device, sequence LIMIT ?`,
  )
  const count = db.prepare<{ n: number }>('SELECT count(*) AS n FROM records')
  const pendingDevices = db.prepare<{ device: DeviceId }>(
    'SELECT DISTINCT device FROM records WHERE height IS NULL ORDER BY device',
  )
  const pendingCount = db.prepare<{ n: number }>(
    'SELECT count(*) AS n FROM records WHERE height IS NULL',
  )
  const pendingCountOf = db.prepare<{ n: number }>(
    `SELECT count(*) AS n FROM
     (SELECT 1 FROM records WHERE device = ? AND height IS NULL LIMIT ?)`,
  )
  const HEADS = `SELECT record_heads.device, record_heads.sequence, id FROM record_heads
    JOIN records ON number = record`
  const heads = db.prepare<DeviceHead>(
    `${HEADS} ORDER BY record_heads.device, record_heads.sequence, id`,
  )
  const headsOf = db.prepare<DeviceHead>(
    `${HEADS} WHERE record_heads.device = ? ORDER BY record_heads.sequence, id`,
  )
  const addHead = db.prepare('INSERT OR IGNORE INTO record_heads VALUES (?, ?, ?)')
  const removeHead = db.prepare(
    'DELETE FROM record_heads WHERE device = ? AND sequence = ? AND record = ?',
  )
  const at = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.device = ? AND records.sequence = ? ORDER BY records.number`,
  )
  const numbersAt = db.prepare<{ number: number }>(
    'SELECT number FROM records WHERE device = ? AND sequence = ?',
  )
  const newest = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.device = ? ORDER BY records.sequence DESC, records.number LIMIT 1`,
  )
  const remove = db.prepare('DELETE FROM records WHERE number = ?')

  const decoded = createCache<number, SignedRecord>(
    CACHED_RECORD_BYTES,
    (record) => record.bytes.buffer.byteLength + DECODED_BYTES,
  )
  const numbers = createCache<string, number>(CACHED_NUMBERS)
  /** Records of this transaction: with the bodies that they are views of, in memory no longer than it. */
  const fresh = new Map<number, SignedRecord>()
  /** Heads that are not in the table yet: of a device's many new records one remains. */
  const newHeads = new Map<number, SignedRecord>()
  const headList = createHeadList({
    all: () => heads.all(),
    of: (device) => headsOf.all(device),
  })
  const flush = (): void => {
    for (const [number, { device, sequence }] of newHeads) addHead.run(device, sequence, number)
    newHeads.clear()
  }
  db.onRollback(() => {
    headList.clear()
    newHeads.clear()
    fresh.clear()
    decoded.clear()
    numbers.clear()
  })

  const decode = (number: number, bytes: Uint8Array): SignedRecord => {
    const known = fresh.get(number) ?? decoded.get(number)
    if (known !== undefined) return known
    const record = readStored(db, `record ${number}`, () => decodeRecord(bytes))
    decoded.set(number, record)
    return record
  }
  const stored = (row: StoredRow): StoredRecord => ({
    record: decode(row.number, row.bytes),
    ...(row.height === null || row.place === null || row.block === null
      ? {}
      : { place: { height: row.height, index: row.place, block: row.block } }),
    ...(row.outcome === null ? {} : { outcome: row.outcome }),
    ...(row.code === null ? {} : { code: row.code }),
    own: row.own === 1,
    everConfirmed: row.ever === 1,
    received: row.received,
  })
  const hasSuccessor = (record: SignedRecord): boolean =>
    numbersAt
      .all(record.device, record.sequence + 1)
      .some(({ number }) => table.record(number)?.previous === record.id)

  const table: RecordTable = {
    number: (id) => {
      const known = numbers.get(id)
      if (known !== undefined) return known
      const number = findNumber.get(id)?.number
      if (number !== undefined) numbers.set(id, number)
      return number
    },
    put: (record, { own, received, inBody }) => {
      const flags = [own ? 1 : 0, inBody ? 1 : 0] as const
      const known = table.number(record.id)
      if (known !== undefined) {
        if (own || inBody) keep.run(...flags, known, ...flags)
        return { number: known, added: false }
      }
      const { id, device, sequence, type, user, identity } = record
      const number = insert.insert(
        id,
        device,
        sequence,
        user ?? identity,
        type,
        subjectOf(record),
        identity === id ? null : identity,
        rootOf(record),
        received,
        ...flags,
        record.bytes,
      )
      numbers.set(id, number)
      headList.changed(device)
      if (fresh.size >= MAX_FRESH) fresh.clear()
      fresh.set(number, record)
      const before = record.previous === null ? undefined : table.number(record.previous)
      if (before !== undefined && !newHeads.delete(before)) {
        removeHead.run(device, sequence - 1, before)
      }
      if (!hasSuccessor(record)) newHeads.set(number, record)
      return { number, added: true }
    },
    get: (number) => {
      const row = select.get(number)
      return row === undefined ? undefined : stored(row)
    },
    record: (number) => {
      const known = fresh.get(number) ?? decoded.get(number)
      if (known !== undefined) return known
      const bytes = table.bytes(number)
      return bytes === undefined ? undefined : decode(number, bytes)
    },
    isOf: (number, kind) =>
      (
        (fresh.get(number) ?? decoded.get(number))?.type ??
        selectType.get(number)?.type ??
        ''
      ).startsWith(kind),
    bytes: (number) => selectBytes.get(number)?.bytes,
    confirm: (number, height, place, { outcome, code }) =>
      void confirm.run(height, place, outcome, code ?? null, number),
    unconfirm: (number) => void unconfirm.run(number),
    outcome: (number) => outcome.get(number) ?? { outcome: '', code: '' },
    setOutcome: (number, outcome, code) => void setOutcome.run(outcome, code, number),
    pending: (limit) => pending.all(limit).map(stored),
    count: () => count.get()?.n ?? 0,
    pendingDevices: () => pendingDevices.all().map(({ device }) => device),
    pendingCount: () => pendingCount.get()?.n ?? 0,
    pendingCountOf: (device, limit) => pendingCountOf.get(device, limit)?.n ?? 0,
    settle: () => {
      flush()
      fresh.clear()
    },
    heads: () => {
      flush()
      return headList.get()
    },
    headsOf: (device) => {
      flush()
      return headsOf.all(device)
    },
    hasSuccessor,
    at: (device, sequence) => at.all(device, sequence).map(stored),
    newest: (device) => {
      const row = newest.get(device)
      return row === undefined ? undefined : stored(row)
    },
    restoreHead: (number) => {
      const record = table.record(number)
      if (record === undefined || hasSuccessor(record)) return
      flush()
      headList.changed(record.device)
      addHead.run(record.device, record.sequence, number)
    },
    forget: (number) => {
      const record = table.record(number)
      if (record === undefined) return
      newHeads.delete(number)
      headList.changed(record.device)
      removeHead.run(record.device, record.sequence, number)
      remove.run(number)
      fresh.delete(number)
      decoded.delete(number)
      numbers.delete(record.id)
    },
  }
  return { ...table, stored }
}
