/**
 * How many devices a user has at the most, as far as this device has a say: it vouches for no more, and neither keeps
 * nor passes on their admissions while they are in no block. A stolen device could make thousands. What is in a block
 * counts: that is a matter of the rules, and the rules have no such bound. Who comes back by the recovery kit or by a
 * backup is always let in.
 */
import type { DeviceId, UserId } from '../../chain/ids.ts'
import type { AdmissionRecord, PeopleIndex } from './people-index.ts'

/** Devices of one user that are not out: as many as a new key of the user is sealed to in one record. */
export const MAX_DEVICES_OF_USER = 64
/** Users whose count is kept until something changes. */
const MAX_COUNTS = 1024

export interface DeviceLimit {
  /** Whether one more device may be vouched for; `except`: it is counted already. */
  hasRoom(user: UserId, except?: DeviceId): boolean
  /** Whether an admission that is in no block is kept. */
  admits(record: AdmissionRecord): boolean
  /** Somebody was let in or shut out. */
  changed(): void
}

export function createDeviceLimit(components: {
  readonly index: Pick<PeopleIndex, 'devicesOf'>
  /** Whether the device takes part: in the chain or about to be, and not out. */
  readonly takesPart: (device: DeviceId) => boolean
}): DeviceLimit {
  const { index, takesPart } = components
  const counts = new Map<UserId, number>()

  const countOf = (user: UserId): number => {
    const known = counts.get(user)
    if (known !== undefined) return known
    let count = 0
    for (const device of index.devicesOf(user)) if (takesPart(device)) count += 1
    if (counts.size >= MAX_COUNTS) counts.clear()
    counts.set(user, count)
    return count
  }
  const hasRoom = (user: UserId, except?: DeviceId): boolean => {
    const devices = index.devicesOf(user)
    if (devices.size < MAX_DEVICES_OF_USER) return true
    if (except !== undefined && devices.has(except) && takesPart(except)) return true
    return countOf(user) < MAX_DEVICES_OF_USER
  }

  return {
    hasRoom,
    admits: (record) => {
      if (record.type !== 'device.add' || record.user === null) return true
      const { type } = record.body.proof
      if (type === 'recovery' || type === 'restore') return true
      return hasRoom(record.user, record.device)
    },
    changed: () => counts.clear(),
  }
}
