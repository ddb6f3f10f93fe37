/**
 * Whether a record can stand next in the chain. This, not what the record does, decides whether a block is
 * valid; so every includable record finds its place whatever the order of blocks.
 */
import { isProven } from './admissions.ts'
import type { NetworkParams } from './params.ts'
import type { SignedRecord } from './record.ts'
import { admitDevice, advanceDevice, type DeviceState, readRevocation } from './state/devices.ts'
import { takeInvite } from './state/invites.ts'
import { createUser } from './state/users.ts'
import type { Overlay, StateView } from './view.ts'

export type Fit =
  /** Can be included next. */
  | 'next'
  /** Its sequence is taken, by itself or by another record, or its line does not continue the chain's. */
  | 'behind'
  /** A record before it, or what its admission rests on, is not in this chain yet. */
  | 'early'

/**
 * @param device - the state of the record's device
 * @param params - undefined: the proof of a founder is taken as true
 */
export function fitOf(
  view: StateView,
  params: NetworkParams | undefined,
  device: DeviceState | undefined,
  record: SignedRecord,
): Fit {
  const { sequence } = record
  if (device === undefined) {
    return sequence === 0 && isProven(view, params, record) ? 'next' : 'early'
  }
  if (sequence <= device.sequence) return 'behind'
  if (sequence > device.sequence + 1) return 'early'
  const continues = record.previous === device.last && record.user === device.user
  return continues && (device.active || isBeforeRevocation(view, record)) ? 'next' : 'behind'
}

/** Whether a record of a revoked device is one of those that still count. */
function isBeforeRevocation(view: StateView, { device, sequence, id }: SignedRecord): boolean {
  const through = readRevocation(view, device)
  if (through === undefined || sequence > through.sequence) return false
  return sequence < through.sequence || id === through.record
}

/**
 * Puts a record that fits in its place in its device's chain: moves the device on, or admits it, and with a
 * `user.create` its user.
 */
export function enter(
  overlay: Overlay,
  device: DeviceState | undefined,
  record: SignedRecord,
): void {
  if (device !== undefined) {
    advanceDevice(overlay, device, record)
    return
  }
  const invite = takeInvite(overlay, record)
  admitDevice(overlay, record, invite)
  if (record.type === 'user.create') createUser(overlay, record, invite?.role)
}
