/**
 * Which revoked devices may stand at the door for a moment, to be told why it stays shut: each once a minute, few at
 * a time. Everybody else who is not admitted is refused at the handshake.
 */
import type { DeviceId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { createTokenBuckets } from '../token-bucket.ts'

/** Devices at the door at a time. */
const MAX_AT_DOOR = 4
/** Milliseconds at the door: one small frame. */
export const FAREWELL_MS = 3000
/** Tellings of one device: one, then one a minute. */
const BUCKET = { capacity: 1, perSecond: 1 / 60, peers: 256 }

export interface Doorstep {
  /** Whether this one may come as far as the door now; then it stands there until `leave`, or its time is over. */
  enter(device: DeviceId): boolean
  has(device: DeviceId): boolean
  leave(device: DeviceId): void
}

/** @param isOut - whether there is something to tell the device */
export function createDoorstep(
  clock: Pick<Clock, 'now' | 'after'>,
  isOut: (device: DeviceId) => boolean,
): Doorstep {
  const buckets = createTokenBuckets({ clock }, BUCKET)
  const there = new Map<DeviceId, () => void>()
  const leave = (device: DeviceId): void => {
    there.get(device)?.()
    there.delete(device)
  }
  return {
    enter: (device) => {
      if (there.size >= MAX_AT_DOOR || there.has(device) || !isOut(device)) return false
      if (!buckets.take(device)) return false
      there.set(
        device,
        clock.after(FAREWELL_MS, () => leave(device)),
      )
      return true
    },
    has: (device) => there.has(device),
    leave,
  }
}
