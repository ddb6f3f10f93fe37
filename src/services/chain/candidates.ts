/**
 * Pending records that may enter the next block: of each device those that come next, in order. However many
 * records or devices there are that never can enter, they hide nobody else's for long: each look goes on with
 * the device at which the one before ended.
 */
import type { DeviceId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { readDevice } from '../../chain/state/devices.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

/** Records of one device for one block; more than a body holds of average ones. */
const MAX_PER_DEVICE = 2048
/** Records for one block, some bodies full: what one look decodes. */
const MAX_RECORDS = 8192
/** Devices that one look asks; the others come in the next ones. */
const MAX_DEVICES = 2048

export interface Candidates {
  /** One look. This device's own come first: what others write must not keep them out of a block. */
  look(): Generator<SignedRecord>
  /** The last look ended before it had asked every device. */
  readonly more: boolean
}

/** @param own - the device whose records come first */
export function createCandidates(
  store: Pick<ChainStore, 'pendingDevices' | 'recordsAt' | 'state'>,
  own: DeviceId,
  maxDevices: number = MAX_DEVICES,
): Candidates {
  let from: DeviceId | undefined
  let more = false

  function* nextOf(device: DeviceId): Generator<SignedRecord> {
    const start = (readDevice(store.state, device)?.sequence ?? -1) + 1
    for (let sequence = start; sequence < start + MAX_PER_DEVICE; sequence += 1) {
      const found = store.recordsAt(device, sequence).filter(({ place }) => place === undefined)
      if (found.length === 0) return
      for (const { record } of found) yield record
    }
  }

  return {
    get more() {
      return more
    },
    *look() {
      yield* nextOf(own)
      let records = 0
      // Around the ring of devices, once at the most; one more tells where the next look begins.
      const tail = store.pendingDevices(maxDevices + 1, from)
      const rest = maxDevices + 1 - tail.length
      const head = from === undefined || rest <= 0 ? [] : store.pendingDevices(rest)
      const begin = from
      const ring = [...tail, ...head.filter((device) => begin !== undefined && device < begin)]
      more = ring.length > maxDevices
      for (const [at, device] of ring.entries()) {
        // Also when the one who asks has had enough.
        from = device
        if (at >= maxDevices) return
        if (records >= MAX_RECORDS) {
          more = true
          return
        }
        if (device === own) continue
        for (const record of nextOf(device)) {
          records += 1
          yield record
        }
      }
    },
  }
}
