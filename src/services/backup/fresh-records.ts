/** Records that became pending and are in no backup yet, as far as that is known without looking through all. */
import type { RecordId } from '../../chain/ids.ts'
import type { PendingRecord } from './lineage.ts'

/** Records that are kept by themselves; with more, all are looked through. */
const MAX_FRESH = 10_000

export interface FreshRecords {
  /** A record became pending. */
  note(record: PendingRecord): void
  /** What is pending is not known any more: the next save looks through all. */
  unsure(): void
  /** For a save, which is about to begin: what it has to write; undefined: it is not known. Those that come now are the next one's. */
  take(): readonly PendingRecord[] | undefined
  /** The save has failed: `taken` stays beside what came in the meantime. */
  putBack(taken: readonly PendingRecord[] | undefined): void
}

/** Nothing is known at first. */
export function createFreshRecords(): FreshRecords {
  let fresh: Map<RecordId, PendingRecord> | undefined
  return {
    note: (record) => {
      fresh?.set(record.id, record)
      if ((fresh?.size ?? 0) > MAX_FRESH) fresh = undefined
    },
    unsure: () => {
      fresh = undefined
    },
    take: () => {
      const taken = fresh === undefined ? undefined : [...fresh.values()]
      fresh = new Map()
      return taken
    },
    putBack: (taken) => {
      const all = [...(taken ?? []), ...(fresh?.values() ?? [])]
      const known = new Map(all.map((record) => [record.id, record]))
      fresh = taken === undefined || fresh === undefined ? undefined : known
    },
  }
}
