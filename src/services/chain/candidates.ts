/**
 * Pending records that may enter the next block: of each device those that come next, in order. However many
 * records one device has that never can enter, they hide nobody else's.
 */
import type { DeviceId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { readDevice } from '../../chain/state/devices.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

/** Records of one device for one block; more than a body holds of average ones. */
const MAX_PER_DEVICE = 2048
/** Devices that are looked at for one block; the others come after these were mined. */
const MAX_DEVICES = 10_000

/** @param first - whose records come first: what others write must not keep a device's own out of a block */
export function* candidates(store: ChainStore, first: DeviceId): Generator<SignedRecord> {
  yield* nextOf(store, first)
  let devices = 0
  for (const device of store.pendingDevices()) {
    if (device === first) continue
    devices += 1
    if (devices > MAX_DEVICES) return
    yield* nextOf(store, device)
  }
}

function* nextOf(store: ChainStore, device: DeviceId): Generator<SignedRecord> {
  const start = (readDevice(store.state, device)?.sequence ?? -1) + 1
  for (let sequence = start; sequence < start + MAX_PER_DEVICE; sequence += 1) {
    const found = store.recordsAt(device, sequence).filter(({ place }) => place === undefined)
    if (found.length === 0) return
    for (const { record } of found) yield record
  }
}
