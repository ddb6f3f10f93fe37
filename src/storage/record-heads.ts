/**
 * Per device the records without a known successor (several: the device equivocated), in the table `record_heads`.
 * New ones wait in memory until the transaction ends or somebody reads: of a device's many new records one remains.
 */
import type { DeviceId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'
import { createHeadList, type DeviceHead } from './head-list.ts'
import type { Database } from './sqlite.ts'

export interface RecordHeads {
  /** @param before - the number of its predecessor, if that is known: it is no head any more */
  added(number: number, record: SignedRecord, before: number | undefined, isHead: boolean): void
  /** It has no successor any more. */
  restored(number: number, record: SignedRecord): void
  forgotten(number: number, record: SignedRecord): void
  /** Writes what waits. */
  flush(): void
  /** By device, then sequence. `flush` comes first, and the records themselves are in their table. */
  all(): readonly DeviceHead[]
  of(device: DeviceId): DeviceHead[]
}

export function createRecordHeads(db: Database): RecordHeads {
  const HEADS = `SELECT record_heads.device, record_heads.sequence, id FROM record_heads
    JOIN records ON number = record`
  const selectAll = db.prepare<DeviceHead>(
    `${HEADS} ORDER BY record_heads.device, record_heads.sequence, id`,
  )
  const selectOf = db.prepare<DeviceHead>(
    `${HEADS} WHERE record_heads.device = ? ORDER BY record_heads.sequence, id`,
  )
  const insert = db.prepare('INSERT OR IGNORE INTO record_heads VALUES (?, ?, ?)')
  const remove = db.prepare(
    'DELETE FROM record_heads WHERE device = ? AND sequence = ? AND record = ?',
  )
  const waiting = new Map<number, SignedRecord>()
  const list = createHeadList({
    all: () => selectAll.all(),
    of: (device) => selectOf.all(device),
  })
  db.onRollback(() => {
    waiting.clear()
    list.clear()
  })

  return {
    added: (number, record, before, isHead) => {
      list.changed(record.device)
      if (before !== undefined && !waiting.delete(before)) {
        remove.run(record.device, record.sequence - 1, before)
      }
      if (isHead) waiting.set(number, record)
    },
    restored: (number, { device, sequence }) => {
      list.changed(device)
      insert.run(device, sequence, number)
    },
    forgotten: (number, { device, sequence }) => {
      list.changed(device)
      waiting.delete(number)
      remove.run(device, sequence, number)
    },
    flush: () => {
      for (const [number, { device, sequence }] of waiting) insert.run(device, sequence, number)
      waiting.clear()
    },
    all: () => list.get(),
    of: (device) => selectOf.all(device),
  }
}
