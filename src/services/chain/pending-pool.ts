/**
 * Foreign records that are not in a block: stored within bounds, each after its predecessor, so that what a
 * device head stands for is always here without a gap.
 */

import type { DeviceId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import type { OwnRecords } from './own-records.ts'
import { createWaitingRoom, MAX_ORPHAN_RECORDS } from './waiting-room.ts'

/** Foreign records stored without a block: at 16 KiB each at most 1.6 GB, in practice some 50 MB. */
export const MAX_FOREIGN_PENDING = 100_000

export interface PendingPool {
  /**
   * Stores verified records of others, parents first or not.
   *
   * @returns how many were new; `gap` when a predecessor is missing here
   */
  add(records: readonly SignedRecord[]): { accepted: number; gap: boolean }
}

export function createPendingPool(
  components: {
    readonly store: ChainStore
    readonly own: OwnRecords
    readonly clock: Clock
    readonly events: Events<NodeEvents>
  },
  device: DeviceId,
): PendingPool {
  const { store, own, clock, events } = components
  const orphans = createWaitingRoom<SignedRecord>(MAX_ORPHAN_RECORDS)

  return {
    add: (records) => {
      let gap = false
      const stored: SignedRecord[] = []
      const queue = [...records]
      let room = MAX_FOREIGN_PENDING - store.pendingCount()
      store.transaction(() => {
        for (let record = queue.shift(); record !== undefined; record = queue.shift()) {
          if (store.hasRecord(record.id)) continue
          if (record.previous !== null && !store.hasRecord(record.previous)) {
            orphans.add(record.previous, record.id, record)
            gap = true
            continue
          }
          if (record.device !== device) {
            if (room <= 0) continue
            room -= 1
          }
          store.putRecord(record, { own: record.device === device, received: clock.now() })
          stored.push(record)
          queue.unshift(...orphans.take(record.id))
        }
      })
      for (const record of stored) {
        if (record.device === device) own.adopted(record)
        events.emit('record:pending', { record, own: record.device === device })
      }
      return { accepted: stored.length, gap }
    },
  }
}
