/** Devices that are kept out for a time because of what they sent. */
import type { DeviceId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'

export interface Bans {
  /** Keeps `device` out; each time longer. Gives the milliseconds. */
  ban(device: DeviceId): number
  isBanned(device: DeviceId): boolean
}

/** Devices remembered; the oldest are forgiven first. */
const MAX_BANS = 1024
/** The first ban; then twice as long each time. Short: a member with a faulty program gets it repaired. */
const FIRST_BAN_MS = 30_000
const LONGEST_BAN_MS = 60 * 60_000
/** A device that behaved for so long after its ban begins anew. */
const FORGET_MS = 24 * 60 * 60_000

export function createBans({ clock }: { clock: Pick<Clock, 'now'> }): Bans {
  const bans = new Map<DeviceId, { until: number; times: number }>()
  return {
    ban: (device) => {
      const now = clock.now()
      const before = bans.get(device)
      if (before !== undefined && before.until > now) return before.until - now
      const again = before !== undefined && now < before.until + FORGET_MS
      const times = again ? before.times + 1 : 1
      const ms = Math.min(LONGEST_BAN_MS, FIRST_BAN_MS * 2 ** (times - 1))
      bans.delete(device)
      bans.set(device, { until: now + ms, times })
      for (const oldest of bans.keys()) {
        if (bans.size <= MAX_BANS) break
        bans.delete(oldest)
      }
      return ms
    },
    isBanned: (device) => (bans.get(device)?.until ?? 0) > clock.now(),
  }
}
