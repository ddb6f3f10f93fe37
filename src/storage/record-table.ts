/**
 * All records ever known, by id, by device and by place. Numbers (see schema.ts) stay inside storage.
 *
 * does not own: what a record means for lists (projections), whether it may be included (chain/mempool.ts)
 */
import { decodeRecord } from '../chain/codec.ts'
import type { BlockId, DeviceId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'
import type { RecordOutcome } from '../chain/state/result.ts'
import { MIB } from '../common/limits.ts'
import { createCache } from './cache.ts'
import type { DeviceHead } from './head-list.ts'
import { createPendingDevices, type PendingDevices } from './pending-devices.ts'
import { createRecordHeads } from './record-heads.ts'
import { createRecordPlaces, type RecordPlaces } from './record-places.ts'
import { createRecordWriter, type RecordWriter } from './record-writer.ts'
import type { Database } from './sqlite.ts'
import { readStored } from './stored-value.ts'

/** Bytes that decoded records in memory hold. */
const CACHED_RECORD_BYTES: number = 16 * MIB
/** Bytes of a decoded record beside its encoded bytes. */
const DECODED_BYTES = 2048
/** Records of one transaction that are kept decoded. */
const MAX_FRESH = 16_384
/** Id to number, some hundred bytes each. */
const CACHED_NUMBERS = 16_384
/** Devices whose highest sequence is in memory. */
const CACHED_TOPS = 1024

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

export interface RecordTable
  extends Pick<RecordWriter, 'waitingRow' | 'confirm' | 'unconfirm' | 'outcome' | 'setOutcome'>,
    PendingDevices,
    RecordPlaces {
  number(id: string): number | undefined
  /** The same for a whole record: cheaper when it is new. */
  numberOf(record: SignedRecord): number | undefined
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
  /** The bytes of several; undefined: one of them is not stored. */
  bytesOf(numbers: readonly number[]): Uint8Array[] | undefined
  pending(limit: number): StoredRecord[]
  count(): number
  /** Writes what waits: before anybody else reads the table. */
  flush(): void
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

/** Rows that one query gives at most. */
export const MAX_ROWS = 10_000

/** Order of a chain: by place, pending ones last. */
export const CHAIN_ORDER = `ORDER BY records.height IS NULL, records.height, records.place, records.number`

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
  const select = db.prepare<StoredRow>(`SELECT ${STORED_COLUMNS} WHERE records.number = ?`)
  const selectBytes = db.prepare<{ bytes: Uint8Array }>(
    'SELECT bytes FROM records WHERE number = ?',
  )
  const selectRange = db.prepare<{ bytes: Uint8Array }>(
    'SELECT bytes FROM records WHERE number BETWEEN ? AND ? ORDER BY number',
  )
  const selectType = db.prepare<{ type: string }>('SELECT type FROM records WHERE number = ?')
  const pending = db.prepare<StoredRow>(
    `SELECT number, bytes, height, place, NULL AS block, outcome, code, own, ever, received
     FROM records WHERE height IS NULL ORDER BY device, sequence LIMIT ?`,
  )
  const count = db.prepare<{ n: number }>('SELECT count(*) AS n FROM records')
  const at = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.device = ? AND records.sequence = ? ORDER BY records.number`,
  )
  const numbersAt = db.prepare<{ number: number }>(
    'SELECT number FROM records WHERE device = ? AND sequence = ?',
  )
  const newest = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.device = ? ORDER BY records.sequence DESC, records.number LIMIT 1`,
  )
  const topSequence = db.prepare<{ n: number | null }>(
    'SELECT max(sequence) AS n FROM records WHERE device = ?',
  )
  const remove = db.prepare('DELETE FROM records WHERE number = ?')

  const decoded = createCache<number, SignedRecord>(
    CACHED_RECORD_BYTES,
    (record) => record.bytes.buffer.byteLength + DECODED_BYTES,
  )
  const numbers = createCache<string, number>(CACHED_NUMBERS)
  /** Records of this transaction: with the bodies that they are views of, in memory no longer than it. */
  const fresh = new Map<number, SignedRecord>()
  const rows = createRecordWriter(db)
  const heads = createRecordHeads(db)
  const flush = (): void => {
    rows.flush()
    heads.flush()
  }
  /** Every query of the table goes through this: what waits has to be in it. */
  const read = <T>(query: () => T): T => {
    rows.flush()
    return query()
  }
  /** The highest sequence of a device: a record above it is unknown, and has no successor. */
  const tops = createCache<DeviceId, number>(CACHED_TOPS)
  const topOf = (device: DeviceId): number => {
    const known = tops.get(device)
    if (known !== undefined) return known
    const top = read(() => topSequence.get(device)?.n ?? -1)
    tops.set(device, top)
    return top
  }
  db.onRollback(() => {
    tops.clear()
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
    record.sequence < topOf(record.device) &&
    read(() => numbersAt.all(record.device, record.sequence + 1)).some(
      ({ number }) => table.record(number)?.previous === record.id,
    )

  const table: RecordTable = {
    ...rows,
    ...createPendingDevices(db, read),
    ...createRecordPlaces(db, rows),
    flush,
    number: (id) => {
      const known = numbers.get(id)
      if (known !== undefined) return known
      const number = rows.waiting(id) ?? findNumber.get(id)?.number
      if (number !== undefined) numbers.set(id, number)
      return number
    },
    numberOf: ({ device, sequence, id }) =>
      sequence > topOf(device) ? undefined : table.number(id),
    put: (record, { own, received, inBody }) => {
      const known = table.numberOf(record)
      if (known !== undefined) {
        rows.keep(known, own, inBody)
        return { number: known, added: false }
      }
      if (fresh.size >= MAX_FRESH) {
        rows.flush()
        fresh.clear()
      }
      const { id, device, sequence, previous } = record
      const number = rows.add({ record, received, own, inBody })
      numbers.set(id, number)
      fresh.set(number, record)
      tops.set(device, Math.max(sequence, topOf(device)))
      const before = previous === null ? undefined : table.number(previous)
      heads.added(number, record, before, !hasSuccessor(record))
      return { number, added: true }
    },
    get: (number) => {
      const row = read(() => select.get(number))
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
        read(() => selectType.get(number))?.type ??
        ''
      ).startsWith(kind),
    bytes: (number) => read(() => selectBytes.get(number))?.bytes,
    bytesOf: (numbers) => {
      const [first, last] = [numbers[0], numbers.at(-1)]
      if (first === undefined || last === undefined) return []
      const inOrder = numbers.every((number, index) => number === first + index)
      const found = inOrder
        ? read(() => selectRange.all(first, last)).map(({ bytes }) => bytes)
        : numbers.flatMap((number) => table.bytes(number) ?? [])
      return found.length === numbers.length ? found : undefined
    },
    pending: (limit) => read(() => pending.all(limit)).map(stored),
    count: () => read(() => count.get())?.n ?? 0,
    settle: () => {
      flush()
      fresh.clear()
    },
    heads: () => {
      flush()
      return heads.all()
    },
    headsOf: (device) => {
      flush()
      return heads.of(device)
    },
    hasSuccessor,
    at: (device, sequence) => read(() => at.all(device, sequence)).map(stored),
    newest: (device) => {
      const row = read(() => newest.get(device))
      return row === undefined ? undefined : stored(row)
    },
    restoreHead: (number) => {
      const record = table.record(number)
      if (record === undefined || hasSuccessor(record)) return
      flush()
      heads.restored(number, record)
    },
    forget: (number) => {
      const record = table.record(number)
      if (record === undefined) return
      flush()
      heads.forgotten(number, record)
      remove.run(number)
      fresh.delete(number)
      decoded.delete(number)
      numbers.delete(record.id)
      tops.delete(record.device)
    },
  }
  return { ...table, stored }
}
