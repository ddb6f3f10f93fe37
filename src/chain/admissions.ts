/**
 * Admissions: what the proofs under a device's record 0 sign, and whether they hold.
 *
 * Every message is a domain string followed by a map. Names are not covered: a device may be renamed. Neither
 * is the sequence: it is 0.
 */
import { concatBytes, utf8 } from '../common/bytes.ts'
import { verifyEd25519 } from '../common/crypto.ts'
import { type CborValue, encode, linkTo } from '../common/dag-cbor.ts'
import { assert } from '../common/errors.ts'
import {
  type DeviceId,
  deviceIdOf,
  deviceKeyOf,
  type NetworkId,
  type RecordId,
  type UserId,
} from './ids.ts'
import type { NetworkParams } from './params.ts'
import type { RecordBody, RecordOf, SignedRecord } from './record.ts'
import { isBackup, readDevice } from './state/devices.ts'
import { readInvite } from './state/invites.ts'
import { readUser } from './state/users.ts'
import type { StateView } from './view.ts'

/** Domain strings: by an active device of the same user · by an invite's key · by the sponsor of an invite. */
const ADMISSION_DOMAIN = 'cairn/admission/1'
const INVITED_DOMAIN = 'cairn/invited/1'
const SPONSORED_DOMAIN = 'cairn/sponsored/1'
/** By the recovery key and by the restore key of the user. */
export const RECOVERED_DOMAIN = 'cairn/recovered/1'
export const RESTORED_DOMAIN = 'cairn/restored/1'

// Whether the signatures of an admission hold follows from its id: what it names (a user, an invite) goes by an
// id too, which stands for the key. A record that waits for what it rests on is asked for at every template, and
// there are as many entries as a template asks for devices, or more.
const CHECKED_ENTRIES = 16_384
const checked = new Map<RecordId, boolean>()

export type InviteProof = Extract<RecordBody<'device.add'>['proof'], { type: 'invite' }>

/** What is admitted: a device of a user that is there, or a new user with its first device. */
export interface Admission {
  readonly network: NetworkId
  /** Null: a new user. */
  readonly user: UserId | null
  readonly device: DeviceId
  /** X25519 public key (32 bytes). */
  readonly encryptionKey: Uint8Array
  /** Of a new user, 32 bytes each. */
  readonly userKeys?: Pick<RecordBody<'user.create'>, 'userKey' | 'recoveryKey' | 'restoreKey'>
}

/** What a countersignature, the recovery key or the restore key signs under a `device.add`. */
export function admissionMessage(
  admission: Admission,
  domain:
    | typeof ADMISSION_DOMAIN
    | typeof RECOVERED_DOMAIN
    | typeof RESTORED_DOMAIN = ADMISSION_DOMAIN,
): Uint8Array {
  return message(domain, claims(admission))
}

/** What the one-time key of an invite signs. */
export function invitedMessage(admission: Admission, invite: RecordId): Uint8Array {
  return message(INVITED_DOMAIN, { ...claims(admission), invite: linkTo(invite) })
}

/** What the device that answers an invite signs. @param time - its clock, milliseconds UTC */
export function sponsoredMessage(admission: Admission, invite: RecordId, time: number): Uint8Array {
  return message(SPONSORED_DOMAIN, { ...claims(admission), invite: linkTo(invite), time })
}

/** The admission that a device's record 0 asks for. */
export function admissionOf(record: RecordOf<'user.create'> | RecordOf<'device.add'>): Admission {
  const { network, user, device } = record
  const { encryptionKey } = record.body
  if (record.type === 'device.add') return { network, user, device, encryptionKey }
  const { userKey, recoveryKey, restoreKey } = record.body
  return { network, user, device, encryptionKey, userKeys: { userKey, recoveryKey, restoreKey } }
}

/**
 * Whether the proof of an admission holds on the chain whose state is `view`.
 *
 * @param params - undefined: what the network's parameters decide is taken as true
 */
export function isProven(
  view: StateView,
  params: NetworkParams | undefined,
  record: SignedRecord,
): boolean {
  if (record.type === 'user.create') return isUserProven(view, params, record)
  return record.type === 'device.add' && isDeviceProven(view, record)
}

function isUserProven(
  view: StateView,
  params: NetworkParams | undefined,
  record: RecordOf<'user.create'>,
): boolean {
  const { proof } = record.body
  switch (proof.type) {
    case 'invite':
      return isInvited(view, record, proof)
    case 'open':
      return params === undefined || params.admission === 'open'
    case 'founder':
      return params === undefined || record.device === deviceIdOf(params.founder)
  }
}

function isDeviceProven(view: StateView, record: RecordOf<'device.add'>): boolean {
  const { user } = record
  const { proof } = record.body
  const owner = user === null ? undefined : readUser(view, user)
  if (owner === undefined) return false
  const signed = (
    key: Uint8Array,
    domain: Parameters<typeof admissionMessage>[1],
    signature: Uint8Array,
  ): boolean =>
    once(record.id, () =>
      verifyEd25519(key, admissionMessage(admissionOf(record), domain), signature),
    )
  switch (proof.type) {
    case 'invite':
      return isInvited(view, record, proof)
    case 'device':
      return (
        maySponsor(view, proof.device, user) &&
        signed(proof.device, ADMISSION_DOMAIN, proof.signature)
      )
    case 'recovery':
      return signed(owner.recoveryKey, RECOVERED_DOMAIN, proof.signature)
    case 'restore':
      return signed(owner.restoreKey, RESTORED_DOMAIN, proof.signature)
  }
}

/** Whether this device is active, holds keys, and belongs to `user` if one is named. */
function maySponsor(view: StateView, key: Uint8Array, user: UserId | null): boolean {
  const id = deviceIdOf(key)
  const sponsor = readDevice(view, id)
  if (sponsor === undefined || !sponsor.active || isBackup(view, id, sponsor)) return false
  return user === null || sponsor.user === user
}

function isInvited(
  view: StateView,
  record: RecordOf<'user.create'> | RecordOf<'device.add'>,
  proof: InviteProof,
): boolean {
  const invite = readInvite(view, proof.invite)
  if (invite === undefined || invite.used || proof.time > invite.expires) return false
  if (record.user !== (invite.ownDevice ? invite.issuer : null)) return false
  if (!maySponsor(view, proof.sponsor, null)) return false
  return once(record.id, () => {
    const admission = admissionOf(record)
    const sponsored = sponsoredMessage(admission, proof.invite, proof.time)
    return (
      verifyEd25519(invite.key, invitedMessage(admission, proof.invite), proof.signature) &&
      verifyEd25519(proof.sponsor, sponsored, proof.countersignature)
    )
  })
}

function once(record: RecordId, check: () => boolean): boolean {
  const known = checked.get(record)
  if (known !== undefined) return known
  const holds = check()
  if (checked.size >= CHECKED_ENTRIES) checked.clear()
  checked.set(record, holds)
  return holds
}

function claims(admission: Admission): Record<string, CborValue> {
  const { network, user, device, encryptionKey, userKeys } = admission
  const key = deviceKeyOf(device)
  assert(key !== undefined, 'an admission names a device')
  return {
    network: linkTo(network),
    device: key,
    encryptionKey,
    ...(user === null ? {} : { user: linkTo(user) }),
    ...userKeys,
  }
}

function message(domain: string, value: Record<string, CborValue>): Uint8Array {
  return concatBytes([utf8(domain), encode(value)])
}
