/**
 * Foreign records that are not in a block: stored within bounds, each after its predecessor, so that what a
 * device head stands for is always here without a gap. A full pool lets go of those that waited for the longest
 * time: what can enter a block does within minutes. They come again by sync from whoever keeps them.
 */

import type { DeviceId, RecordId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import type { OwnRecords } from './own-records.ts'
import { type AdmissionRecord, maySpeak, type Vouched } from './speaker.ts'
import { createWaitingRoom, MAX_ORPHAN_RECORDS } from './waiting-room.ts'

/** Foreign records stored without a block: at 16 KiB each at most 1.6 GB, in practice some 50 MB. */
const MAX_FOREIGN_PENDING = 100_000
/** Of one device: nobody fills the pool alone. A device with more of its own gives the rest as these are mined. */
const MAX_PENDING_OF_DEVICE = 10_000
/** Records that leave a full pool at once, so that not each new one looks for the oldest; some ten milliseconds. */
const EVICTED_AT_ONCE = 250

export interface Added {
  readonly accepted: number
  readonly stored: ReadonlySet<RecordId>
  readonly gap: boolean
}

export interface PendingPool {
  /**
   * Stores verified records of others, parents first or not.
   *
   * @returns how many were new, and which; `gap` when a predecessor is missing here
   */
  add(records: readonly SignedRecord[]): Added
}

export function createPendingPool(
  components: {
    readonly store: ChainStore
    readonly own: OwnRecords
    readonly clock: Clock
    readonly events: Events<NodeEvents>
    /** Default: no `device.add` counts before it is in the chain. */
    readonly vouched?: Vouched
    /** Whether an admission is kept that is in no block; default: each. */
    readonly admits?: (admission: AdmissionRecord) => boolean
  },
  init: {
    readonly device: DeviceId
    /** Other bounds, for tests. */
    readonly maxForeign?: number
    readonly maxOfDevice?: number
  },
): PendingPool {
  const { device, maxForeign = MAX_FOREIGN_PENDING, maxOfDevice = MAX_PENDING_OF_DEVICE } = init
  const { store, own, clock, events, vouched = () => false, admits = () => true } = components
  const orphans = createWaitingRoom<SignedRecord>(MAX_ORPHAN_RECORDS)

  /** At least as many as there are: confirmed ones leave without a word. */
  let held: number | undefined

  const hasRoom = (): boolean => {
    if (held === undefined || held >= maxForeign) held = store.foreignCount()
    if (held < maxForeign) return true
    held -= store.evictForeign(Math.max(0, maxForeign - EVICTED_AT_ONCE))
    return held < maxForeign
  }

  return {
    add: (records) => {
      let gap = false
      const stored: SignedRecord[] = []
      const queue = [...records]
      const waiting = new Map<DeviceId, number>()
      const waitingOf = (of: DeviceId): number =>
        waiting.get(of) ?? store.pendingCountOf(of, maxOfDevice)
      store.transaction(() => {
        for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
          if (store.hasRecord(record.id)) continue
          const foreign = record.device !== device
          // Before the look for its predecessor, which may have to leave.
          if (foreign && (waitingOf(record.device) >= maxOfDevice || !hasRoom())) continue
          if (record.previous !== null && !store.hasRecord(record.previous)) {
            orphans.add(record.previous, record.id, record)
            gap = true
            continue
          }
          if (foreign && !maySpeak(store, record, vouched)) continue
          if (foreign && record.type === 'device.add' && !admits(record)) continue
          if (foreign) waiting.set(record.device, waitingOf(record.device) + 1)
          if (foreign && held !== undefined) held += 1
          store.putRecord(record, { own: !foreign, received: clock.now() })
          stored.push(record)
          queue.unshift(...orphans.take(record.id))
        }
      })
      for (const record of stored) {
        if (record.device === device) own.adopted(record)
        events.emit('record:pending', { record, own: record.device === device })
      }
      return { accepted: stored.length, stored: new Set(stored.map(({ id }) => id)), gap }
    },
  }
}
