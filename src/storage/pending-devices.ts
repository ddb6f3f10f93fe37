/** Whose records are pending, and how many: counts and names, without reading the records. */
import type { DeviceId, RecordId } from '../chain/ids.ts'
import type { Database } from './sqlite.ts'

/** Where a pending record stands among all of them: by device, sequence, then arrival. */
export interface PendingPlace {
  readonly device: DeviceId
  readonly sequence: number
  readonly number: number
  readonly id: RecordId
}

export interface PendingDevices {
  /** Pending records in order, from the one after `after` or from the first. */
  pendingPlaces(limit: number, after?: PendingPlace): PendingPlace[]
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
  const places = db.prepare<PendingPlace>(
    `SELECT device, sequence, number, id FROM records
     WHERE height IS NULL AND (device, sequence, number) > (?, ?, ?)
     ORDER BY device, sequence, number LIMIT ?`,
  )
  return {
    pendingPlaces: (limit, after) =>
      read(() => places.all(after?.device ?? '', after?.sequence ?? -1, after?.number ?? 0, limit)),
    pendingDevices: (limit, from) =>
      read(() => devices.all(from ?? '', limit)).map(({ device }) => device),
    pendingCount: () => read(() => count.get())?.n ?? 0,
    pendingCountOf: (device, limit) => read(() => countOf.get(device, limit))?.n ?? 0,
  }
}
