/**
 * Pending records that may enter the next block: of each device those that come next, in order. However many
 * records or devices there are that never can enter, they hide nobody else's for long: each look goes on with
 * the device at which the one before ended.
 */
import type { DeviceId, RecordId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { readDevice, readRevocation } from '../../chain/state/devices.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

/** Records of one device for one block; more than a body holds of average ones. */
const MAX_PER_DEVICE = 2048
/**
 * Records of one device with one sequence. One is taken of those that continue what the chain holds; an honest device
 * has two where it was copied, and the place that a revocation names is asked for by name.
 */
const MAX_TWINS = 64
/** Records looked at for these: some ten milliseconds. */
const MAX_LOOKS = 512
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
  store: Pick<ChainStore, 'pendingDevices' | 'recordIdsAt' | 'record' | 'state'>,
  own: DeviceId,
  maxDevices: number = MAX_DEVICES,
): Candidates {
  let from: DeviceId | undefined
  let more = false

  /** Those at one place of a device's line that continue one of `before`. */
  const twinsAt = (
    device: DeviceId,
    sequence: number,
    before: ReadonlySet<RecordId | null>,
    through: ReturnType<typeof readRevocation>,
  ): SignedRecord[] => {
    const named = through?.sequence === sequence ? [through.record] : []
    const found = new Map<RecordId, SignedRecord>()
    for (const id of [...named, ...store.recordIdsAt(device, sequence, MAX_LOOKS)]) {
      const stored = store.record(id)
      if (stored === undefined || stored.place !== undefined) continue
      const { record } = stored
      if (record.device !== device || !before.has(record.previous)) continue
      found.set(id, record)
      if (found.size >= MAX_TWINS) break
    }
    return [...found.values()]
  }

  function* nextOf(device: DeviceId): Generator<SignedRecord> {
    const state = readDevice(store.state, device)
    const through = readRevocation(store.state, device)
    let before = new Set<RecordId | null>([state?.last ?? null])
    let sequence = (state?.sequence ?? -1) + 1
    for (let given = 0; given < MAX_PER_DEVICE; sequence += 1) {
      const twins = twinsAt(device, sequence, before, through)
      if (twins.length === 0) return
      before = new Set()
      for (const record of twins) {
        given += 1
        before.add(record.id)
        yield record
      }
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
