/**
 * Back along a device's hash chain by the index of its records alone. A stored record has its predecessor, so
 * where a device has one record at a sequence, that is it; only where it wrote twice a record is decoded.
 */
import type { DeviceId, RecordId } from '../chain/ids.ts'
import type { RecordTable } from './record-table.ts'
import type { Database } from './sqlite.ts'

/** Records walked back for one request. */
const MAX_WALK = 100_000
/** Records decoded in one walk: a device that wrote twice more often than that is not followed further. */
const MAX_DECODED = 4096
/** Sequences read at a time. */
const PAGE = 1024

export interface RecordWalk {
  /**
   * Encoded records of the hash chain that ends with `head`, after the newest of `have`, oldest first; at most
   * `limit`, and then the oldest of them.
   */
  back(head: RecordId, have: readonly RecordId[], limit: number): Uint8Array[]
  /** Ids of a device's records with this sequence, at most `limit`. */
  idsAt(device: DeviceId, sequence: number, limit: number): RecordId[]
}

interface Step {
  number: number
  sequence: number
}

export function createRecordWalk(db: Database, records: RecordTable): RecordWalk {
  const place = db.prepare<Step & { device: DeviceId }>(
    'SELECT number, device, sequence FROM records WHERE id = ?',
  )
  const below = db.prepare<Step>(
    `SELECT number, sequence FROM records WHERE device = ? AND sequence BETWEEN ? AND ?
     ORDER BY sequence DESC`,
  )
  const countIn = db.prepare<{ n: number }>(
    'SELECT count(*) AS n FROM records WHERE device = ? AND sequence BETWEEN ? AND ?',
  )
  const upFrom = db.prepare<{ number: number }>(
    'SELECT number FROM records WHERE device = ? AND sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?',
  )
  const idsAt = db.prepare<{ id: RecordId }>(
    'SELECT id FROM records WHERE device = ? AND sequence = ? LIMIT ?',
  )

  /** The step itself, then those below it, newest first. */
  function* steps(device: DeviceId, top: Step): Generator<number> {
    yield top.number
    let current = top
    let decoded = 0
    while (current.sequence > 0) {
      const high = current.sequence - 1
      const rows = below.all(device, Math.max(0, high - PAGE + 1), high)
      if (rows.length === 0) return
      for (let at = 0; at < rows.length; ) {
        const sequence = current.sequence - 1
        let end = at
        while (rows[end]?.sequence === sequence) end += 1
        const twins = rows.slice(at, end)
        at = end
        let next = twins[0]
        if (twins.length > 1) {
          decoded += 1
          const previous = decoded > MAX_DECODED ? null : records.record(current.number)?.previous
          const number = previous == null ? undefined : records.number(previous)
          next = twins.find((twin) => twin.number === number)
        }
        if (next === undefined) return
        yield next.number
        current = next
      }
    }
  }

  /** The answer where the device wrote once at each sequence that matters, as nearly all do: no walk at all. */
  const straight = (
    top: Step & { device: DeviceId },
    have: readonly RecordId[],
    limit: number,
  ): number[] | undefined => {
    const { device, sequence } = top
    let newest = -1
    for (const id of have) {
      const at = place.get(id)
      if (at?.device === device && at.sequence <= sequence) newest = Math.max(newest, at.sequence)
    }
    const from = Math.max(0, newest)
    if (countIn.get(device, from, sequence)?.n !== sequence - from + 1) return undefined
    return upFrom.all(device, newest, sequence, limit).map(({ number }) => number)
  }

  return {
    back: (head, have, limit) => {
      records.flush()
      const top = place.get(head)
      if (top === undefined) return []
      const line = straight(top, have, limit)
      if (line !== undefined) return line.flatMap((number) => records.bytes(number) ?? [])
      const known = new Set(have.flatMap((id) => records.number(id) ?? []))
      const walked: number[] = []
      for (const number of steps(top.device, top)) {
        if (known.has(number) || walked.length >= MAX_WALK) break
        walked.push(number)
      }
      return walked
        .slice(-limit)
        .reverse()
        .flatMap((number) => records.bytes(number) ?? [])
    },
    idsAt: (device, sequence, limit) => {
      records.flush()
      return idsAt.all(device, sequence, limit).map(({ id }) => id)
    },
  }
}
