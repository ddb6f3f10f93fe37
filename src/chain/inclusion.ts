/**
 * Whether a record can stand next in the chain. This, not what the record does, decides whether a block is
 * valid; so every includable record finds its place whatever the order of blocks.
 */
import { equalBytes } from '../common/bytes.ts'
import { verifyEd25519 } from '../common/crypto.ts'
import { admissionMessage } from './codec.ts'
import { deviceIdOf, deviceKeyOf } from './ids.ts'
import type { NetworkParams } from './params.ts'
import type { RecordOf, SignedRecord } from './record.ts'
import { type DeviceState, readDevice } from './state/devices.ts'
import { readUser } from './state/users.ts'
import type { StateView } from './view.ts'

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
  return record.previous === device.last && record.user === device.user && device.active
    ? 'next'
    : 'behind'
}

function isProven(
  view: StateView,
  params: NetworkParams | undefined,
  record: SignedRecord,
): boolean {
  if (record.type === 'user.create') return isUserProven(params, record)
  return record.type === 'device.add' && isDeviceProven(view, record)
}

function isUserProven(params: NetworkParams | undefined, record: RecordOf<'user.create'>): boolean {
  if (params === undefined) return true
  if (record.body.proof.type === 'open') return params.admission === 'open'
  const key = deviceKeyOf(record.device)
  return key !== undefined && equalBytes(key, params.founder)
}

function isDeviceProven(view: StateView, record: RecordOf<'device.add'>): boolean {
  const { network, user, device } = record
  const { encryptionKey, proof } = record.body
  if (user === null || readUser(view, user) === undefined) return false
  const sponsor = readDevice(view, deviceIdOf(proof.device))
  if (sponsor === undefined || !sponsor.active || sponsor.user !== user) return false
  const message = admissionMessage({ network, user, device, encryptionKey })
  return verifyEd25519(proof.device, message, proof.signature)
}
