/**
 * Devices: `device/<device>`: who they belong to and where their hash chain of records stands. What only few
 * have stands beside it: `revocation/<device>`, `backup/<device>` (stores, reads nothing),
 * `recovered/<device>` (admitted by the recovery key).
 */

import { concatBytes, utf8 } from '../../common/bytes.ts'
import { KEY_BYTES, verifyEd25519 } from '../../common/crypto.ts'
import { DAG_CBOR, encode, linkTo } from '../../common/dag-cbor.ts'
import { boolean, bytes, link, type Shaped, tuple, uint } from '../../common/schema.ts'
import { type DeviceId, deviceIdOf, type NetworkId, type RecordId, type UserId } from '../ids.ts'
import { nameShape } from '../names.ts'
import type { RecordBody, RecordOf, SignedRecord } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import type { InviteState } from './invites.ts'
import { checkReferences } from './records.ts'
import { APPLIED, type Result, rejected } from './result.ts'
import { readUser } from './users.ts'
import { MARK, valueCodec } from './value.ts'

/** Domain string of a revocation by the recovery key. */
const REVOCATION_DOMAIN = 'cairn/revocation/1'

const shape = tuple(
  ['user', link<UserId>(DAG_CBOR)],
  ['name', nameShape],
  /** X25519 public key. */
  ['encryptionKey', bytes(KEY_BYTES)],
  ['active', boolean()],
  /** Sequence of its last included record. */
  ['sequence', uint()],
  /** Id of that record. */
  ['last', link<RecordId>(DAG_CBOR)],
)
const revocationShape = tuple(
  /** The last record that may still be included. */
  ['sequence', uint()],
  ['record', link<RecordId>(DAG_CBOR)],
  /** Of the block that evaluated it: milliseconds UTC. */
  ['time', uint()],
  ['byRecovery', boolean()],
)
const codec = valueCodec(shape)
const revocationCodec = valueCodec(revocationShape)

export type DeviceState = Shaped<typeof shape>
export type RevocationState = Shaped<typeof revocationShape>

const PREFIX = 'device/'
const keyOf = (device: DeviceId): string => PREFIX + device
const revocationKey = (device: DeviceId): string => `revocation/${device}`
const backupKey = (device: DeviceId): string => `backup/${device}`
const recoveredKey = (device: DeviceId): string => `recovered/${device}`

/** Undefined for a device that was not admitted in this chain. */
export function readDevice(view: StateView, device: DeviceId): DeviceState | undefined {
  return readValue(view, keyOf(device), codec)
}

/** Every device that was admitted in this chain. */
export function listDevices(view: StateView): { id: DeviceId; device: DeviceState }[] {
  return [...view.list(PREFIX)].map(([key, bytes]) => ({
    id: key.slice(PREFIX.length) as DeviceId,
    device: codec.decode(bytes),
  }))
}

export function readRevocation(view: StateView, device: DeviceId): RevocationState | undefined {
  return readValue(view, revocationKey(device), revocationCodec)
}

/** Whether a device stores for others and reads nothing: by its own role or its user's. */
export function isBackup(view: StateView, device: DeviceId, state: DeviceState): boolean {
  return view.get(backupKey(device)) !== undefined || readUser(view, state.user)?.role === 'backup'
}

/** Moves the device's chain on to `record`. The caller has checked that it continues it. */
export function advanceDevice(overlay: Overlay, device: DeviceState, record: SignedRecord): void {
  const { sequence, id: last } = record
  overlay.write(keyOf(record.device), codec, { ...device, sequence, last })
}

/** Enters the device that `record`, its admission, speaks of. @param invite - what it rests on */
export function admitDevice(
  overlay: Overlay,
  record: SignedRecord,
  invite: InviteState | undefined,
): void {
  if (record.type !== 'user.create' && record.type !== 'device.add') return
  const { body } = record
  overlay.write(keyOf(record.device), codec, {
    user: record.user ?? record.id,
    name: record.type === 'user.create' ? record.body.deviceName : record.body.name,
    encryptionKey: body.encryptionKey,
    active: true,
    sequence: record.sequence,
    last: record.id,
  })
  if (invite?.ownDevice === true && invite.role === 'backup') {
    overlay.put(backupKey(record.device), MARK)
  }
  if (body.proof.type === 'recovery') overlay.put(recoveredKey(record.device), MARK)
}

export function applyDeviceName(
  overlay: Overlay,
  record: RecordOf<'device.name'>,
  user: UserId,
): Result {
  const { admission, name } = record.body
  const missing = checkReferences(overlay, [admission])
  if (missing !== undefined) return missing
  const id = deviceIdOf(record.body.device)
  const device = readDevice(overlay, id)
  if (device === undefined) return rejected('NOT_A_DEVICE')
  if (device.user !== user) return rejected('OTHER_USER')
  overlay.write(keyOf(id), codec, { ...device, name })
  return APPLIED
}

/** What the recovery key signs under a revocation. */
export function revocationMessage(
  network: NetworkId,
  { device, through }: Pick<RecordBody<'device.revoke'>, 'device' | 'through'>,
): Uint8Array {
  const { sequence, record } = through
  const value = { network: linkTo(network), device, sequence, record: linkTo(record) }
  return concatBytes([utf8(REVOCATION_DOMAIN), encode(value)])
}

/**
 * A revoked device is out at once; its records up to `through` still find their place. Of several revocations
 * the one with the lowest `through` counts, so that a thief gains nothing by being the first to revoke what was
 * stolen, with a `through` that is never reached. One by the recovery key overrules all others, and is the only
 * one, besides its own, that reaches a device which the recovery key admitted: whoever stole a device cannot shut
 * out its owner.
 */
export function applyDeviceRevoke(
  overlay: Overlay,
  record: RecordOf<'device.revoke'>,
  user: UserId,
  time: number,
): Result {
  const { admission, through, recovery } = record.body
  const missing = checkReferences(overlay, [admission])
  if (missing !== undefined) return missing
  const id = deviceIdOf(record.body.device)
  const device = readDevice(overlay, id)
  if (device === undefined) return rejected('NOT_A_DEVICE')
  if (device.user !== user) return rejected('OTHER_USER')
  if (recovery !== undefined) {
    const key = readUser(overlay, user)?.recoveryKey
    const message = revocationMessage(record.network, record.body)
    if (key === undefined || !verifyEd25519(key, message, recovery)) {
      return rejected('RECOVERY_SIGNATURE')
    }
  } else {
    const guarded = overlay.get(recoveredKey(id)) !== undefined
    if (guarded && record.device !== id) return rejected('DEVICE_RECOVERED')
  }
  const byRecovery = recovery !== undefined
  const known = readRevocation(overlay, id)
  if (known !== undefined && !(byRecovery && !known.byRecovery)) {
    const tighter = byRecovery === known.byRecovery && through.sequence < known.sequence
    if (!tighter) return rejected('ALREADY_REVOKED')
  }
  overlay.write(keyOf(id), codec, { ...device, active: false })
  overlay.write(revocationKey(id), revocationCodec, {
    ...through,
    time,
    byRecovery,
  })
  return APPLIED
}
