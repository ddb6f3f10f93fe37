/**
 * The bound on foreign records that were never confirmed. Own ones, those that were ever on the best chain, and
 * those in a stored body are never evicted.
 *
 * A device's records stay contiguous: with a record go all after it, so that a peer that is told the newest one
 * known here sends what is missing.
 */
import type { DeviceId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'
import type { RecordTable } from './record-table.ts'
import type { Database } from './sqlite.ts'

export interface Eviction {
  /**
   * Deletes the longest-known ones until at most `maxRecords` with at most `maxBytes` are left.
   *
   * @param forgotten - told of each
   * @returns how many were deleted
   */
  evict(
    maxRecords: number,
    maxBytes: number,
    forgotten: (number: number, record: SignedRecord) => void,
  ): number
}

interface Loose {
  number: number
  device: DeviceId
  sequence: number
  /** 1: a later record of the device has to stay. */
  below: number
}

const LOOSE = 'own = 0 AND ever = 0 AND in_body = 0'

export function createEviction(db: Database, records: RecordTable): Eviction {
  const held = db.prepare<{ count: number; bytes: number | null }>(
    `SELECT count(*) AS count, sum(length(bytes)) AS bytes FROM records WHERE ${LOOSE}`,
  )
  // Below a record that stays only the other side of an equivocation may go: it leads nowhere.
  const oldest = db.prepare<Loose>(
    `SELECT number, device, sequence,
       EXISTS (SELECT 1 FROM records AS later WHERE later.device = records.device
         AND later.sequence > records.sequence AND NOT (${LOOSE})) AS below
     FROM records WHERE ${LOOSE} AND (below = 0 OR
       EXISTS (SELECT 1 FROM records AS twin WHERE twin.device = records.device
         AND twin.sequence = records.sequence AND NOT (${LOOSE})))
     ORDER BY received, number LIMIT 1`,
  )
  const tail = db.prepare<{ number: number }>(
    `SELECT number FROM records WHERE device = ? AND sequence >= ? AND ${LOOSE}
     ORDER BY sequence DESC, number DESC`,
  )

  return {
    evict: (maxRecords, maxBytes, forgotten) => {
      const have = held.get()
      let count = have?.count ?? 0
      let bytes = have?.bytes ?? 0
      let evicted = 0
      while (count > maxRecords || bytes > maxBytes) {
        const first = oldest.get()
        if (first === undefined) break
        const numbers =
          first.below === 1
            ? [first.number]
            : tail.all(first.device, first.sequence).map((row) => row.number)
        for (const number of numbers) {
          const record = records.record(number)
          if (record === undefined) continue
          records.forget(number)
          const before = record.previous === null ? undefined : records.number(record.previous)
          if (before !== undefined) records.restoreHead(before)
          forgotten(number, record)
          count -= 1
          bytes -= record.bytes.length
          evicted += 1
        }
      }
      return evicted
    },
  }
}
