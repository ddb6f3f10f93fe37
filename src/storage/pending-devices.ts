/** Whose records are pending, and how many: counts and names, without reading the records. */
import type { DeviceId } from '../chain/ids.ts'
import type { Database } from './sqlite.ts'

export interface PendingDevices {
  /** Devices with pending records, in order, from this one on. */
  pendingDevices(limit: number, from?: DeviceId): DeviceId[]
  pendingCount(): number
  /** Pending records of a device; counts no further than `limit`. */
  pendingCountOf(device: DeviceId, limit: number): number
}

/** @param read - runs a query on the table `records` when all that waits is in it */
export function createPendingDevices(db: Database, read: <T>(query: () => T) => T): PendingDevices {
  const devices = db.prepare<{ device: DeviceId }>(
    'SELECT DISTINCT device FROM records WHERE height IS NULL AND device >= ? ORDER BY device LIMIT ?',
  )
  const count = db.prepare<{ n: number }>('SELECT count(*) AS n FROM records WHERE height IS NULL')
  const countOf = db.prepare<{ n: number }>(
    `SELECT count(*) AS n FROM
     (SELECT 1 FROM records WHERE device = ? AND height IS NULL LIMIT ?)`,
  )
  return {
    pendingDevices: (limit, from) =>
      read(() => devices.all(from ?? '', limit)).map(({ device }) => device),
    pendingCount: () => read(() => count.get())?.n ?? 0,
    pendingCountOf: (device, limit) => read(() => countOf.get(device, limit))?.n ?? 0,
  }
}
