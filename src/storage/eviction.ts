/**
 * The bound on foreign records that were never confirmed. Own ones, those that were ever on the best chain, and
 * those in a stored body are never evicted.
 *
 * A device's records stay contiguous: only a record without a successor goes, so that a peer that is told the
 * newest one known here sends what is missing.
 */
import type { DeviceId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'
import type { RecordTable } from './record-table.ts'
import type { Database } from './sqlite.ts'

/** Records looked at in one call, those that have to stay too: some ten milliseconds. */
const MAX_LOOKS = 4096
/** Rows read at a time. */
const PAGE_ROWS = 256

export interface Eviction {
  /** Records that may be evicted, without those that have to stay for what follows them. */
  count(): number
  /**
   * Deletes until at most `keep` are left, or this call has done its share of the work: of the device with the
   * longest-known one its newest first, then of the next device.
   *
   * @param forgotten - told of each
   * @returns how many were deleted
   */
  evict(keep: number, forgotten: (number: number, record: SignedRecord) => void): number
}

interface Loose {
  number: number
  device: DeviceId
  received: number
}

const LOOSE = 'own = 0 AND ever = 0 AND in_body = 0'
const FIRST = { received: -1, number: 0 }

export function createEviction(db: Database, records: RecordTable): Eviction {
  const held = db.prepare<{ count: number }>(`SELECT count(*) AS count FROM records WHERE ${LOOSE}`)
  const oldest = db.prepare<Loose>(
    `SELECT number, device, received FROM records WHERE ${LOOSE} AND received >= ?1
     AND (received > ?1 OR number > ?2) ORDER BY received, number LIMIT ${PAGE_ROWS}`,
  )
  // What was never confirmed has no height: so the index of pending records serves.
  const newestOf = db.prepare<{ number: number }>(
    `SELECT number FROM records WHERE device = ? AND height IS NULL AND ${LOOSE}
     ORDER BY sequence DESC, number DESC LIMIT ?`,
  )
  /** Where the next call goes on: records that have to stay must not be all that each call looks at. */
  let cursor: { received: number; number: number } = FIRST

  const count = (): number => {
    records.flush()
    return held.get()?.count ?? 0
  }

  const drop = (number: number, record: SignedRecord): void => {
    records.forget(number)
    const before = record.previous === null ? undefined : records.number(record.previous)
    if (before !== undefined) records.restoreHead(before)
  }

  return {
    count,
    evict: (keep, forgotten) => {
      let excess = count() - keep
      if (excess <= 0) return 0
      let evicted = 0
      let looks = 0
      let wrapped = cursor === FIRST
      const seen = new Set<DeviceId>()
      while (excess > 0 && looks < MAX_LOOKS) {
        const page = oldest.all(cursor.received, cursor.number)
        if (page.length === 0) {
          cursor = FIRST
          if (wrapped) break
          wrapped = true
          continue
        }
        for (const row of page) {
          if (excess <= 0 || looks >= MAX_LOOKS) break
          cursor = row
          looks += 1
          if (seen.has(row.device)) continue
          seen.add(row.device)
          for (const { number } of newestOf.all(row.device, MAX_LOOKS - looks)) {
            if (excess <= 0) break
            looks += 1
            const record = records.record(number)
            if (record === undefined || records.hasSuccessor(record)) continue
            drop(number, record)
            forgotten(number, record)
            excess -= 1
            evicted += 1
          }
        }
      }
      return evicted
    },
  }
}
