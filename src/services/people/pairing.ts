/**
 * How this member answers those who want to be taken in: with the key of an invite, with a recovery key or a
 * restore key.
 *
 * owns: which invite is good here and now, that it is not given to two at a time, the countersignature
 * does not own: streams (network/pair), storing (the chain service), what the chain makes of it
 */
import {
  type Admission,
  admissionMessage,
  admissionOf,
  invitedMessage,
  RECOVERED_DOMAIN,
  RESTORED_DOMAIN,
  sponsoredMessage,
} from '../../chain/admissions.ts'
import { decodeRecord } from '../../chain/codec.ts'
import { type DeviceId, deviceIdOf, deviceKeyOf, type RecordId } from '../../chain/ids.ts'
import { encodeParams, type NetworkParams, networkIdOf } from '../../chain/params.ts'
import type { RecordOf } from '../../chain/record.ts'
import { isBackup, readDevice } from '../../chain/state/devices.ts'
import type { Clock } from '../../common/clock.ts'
import { verifyEd25519 } from '../../common/crypto.ts'
import { assert } from '../../common/errors.ts'
import {
  type Claims,
  type Here,
  MAX_ADDRESSES,
  type Refusal,
  type Sponsored,
  type Welcome,
} from '../../network/pair/messages.ts'
import type { PairDecisions } from '../../network/pair/server.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Signer } from '../chain/own-records.ts'
import type { Gate } from './gate.ts'
import type { InviteBook } from './invite-book.ts'
import type { AdmissionRecord, PeopleIndex } from './people-index.ts'

export interface PairingComponents {
  readonly store: Pick<ChainStore, 'state' | 'tip'>
  readonly index: PeopleIndex
  readonly gate: Pick<Gate, 'isProven' | 'isRevoked' | 'limit'>
  readonly book: InviteBook
  readonly signer: Signer
  readonly clock: Pick<Clock, 'now'>
  /** Checks and stores a record as one that came by sync. */
  readonly accept: (record: Uint8Array, from: DeviceId) => Promise<unknown>
  /** Passes a record on to the peers. */
  readonly announce: (record: Uint8Array) => void
  /** Addresses of members, this one's first. */
  readonly addresses: () => readonly string[]
}

export function createPairing(
  components: PairingComponents,
  init: { readonly params: NetworkParams },
): PairDecisions {
  const { store, index, gate, book, signer, clock, accept, announce, addresses } = components
  const { params } = init
  const network = networkIdOf(params)
  /** Who is being taken in under an invite. */
  const busy = new Map<RecordId, object>()

  /** Whether this device may vouch for others. */
  const isSponsor = (): boolean => {
    const own = readDevice(store.state, signer.device)
    return own?.active === true && !isBackup(store.state, signer.device, own)
  }

  const hello = (invite: Here['invite'], user: Here['user']): Here => ({
    params: encodeParams(params),
    tip: store.tip().id,
    time: clock.now(),
    invite,
    user,
  })

  const claimed = (
    claims: Pick<Claims, 'device' | 'encryptionKey' | 'userKeys'>,
    invite: RecordOf<'invite'>,
  ): Admission | undefined => {
    const { device, encryptionKey, userKeys } = claims
    const { ownDevice } = invite.body
    if (ownDevice !== (userKeys === undefined)) return undefined
    const user = ownDevice ? invite.user : null
    return {
      network,
      user,
      device: deviceIdOf(device),
      encryptionKey,
      ...(userKeys && { userKeys }),
    }
  }

  /** The invite of a key if it may be used now by `device` (undefined: by anybody), or why not. */
  const usable = (key: DeviceId, device?: DeviceId): RecordOf<'invite'> | Refusal => {
    let why: Refusal = 'INVITE_UNKNOWN'
    for (const invite of invitesOf(key)) {
      const fault = book.standing(invite, device)
      if (fault === undefined) return invite
      if (why === 'INVITE_UNKNOWN') why = fault
    }
    return why
  }
  /** Somebody may have copied the key into an invite of their own: what was made here goes first. */
  const invitesOf = (key: DeviceId): RecordOf<'invite'>[] =>
    [...index.invitesOf(key)].sort(
      (a, b) => Number(b.device === signer.device) - Number(a.device === signer.device),
    )

  const sponsor = (key: DeviceId, claims: Claims, session: object): Sponsored | Refusal => {
    const device = deviceIdOf(claims.device)
    const invite = usable(key, device)
    if (typeof invite === 'string') return invite
    if (!isSponsor()) return 'NOT_A_SPONSOR'
    if (isFull(invite, device)) return 'TOO_MANY_DEVICES'
    const admission = claimed(claims, invite)
    const inviteKey = deviceKeyOf(key)
    if (admission === undefined || inviteKey === undefined || gate.isRevoked(device))
      return 'NOT_VALID'
    const message = invitedMessage(admission, invite.identity)
    if (!verifyEd25519(inviteKey, message, claims.signature)) return 'NOT_VALID'
    const holder = busy.get(invite.identity)
    if (holder !== undefined && holder !== session) return 'BUSY'
    busy.set(invite.identity, session)
    const time = clock.now()
    const sponsorKey = deviceKeyOf(signer.device)
    assert(sponsorKey !== undefined, 'a signer has a key')
    const countersignature = signer.sign(sponsoredMessage(admission, invite.identity, time))
    return { sponsor: sponsorKey, time, countersignature }
  }

  const isFull = ({ user, body }: RecordOf<'invite'>, device: DeviceId): boolean =>
    body.ownDevice && user !== null && !gate.limit.hasRoom(user, device)

  /** Undefined: it may be stored. */
  const refusal = (
    key: DeviceId,
    record: AdmissionRecord,
    session: object,
  ): Refusal | undefined => {
    if (record.network !== network) return 'OTHER_NETWORK'
    const { proof } = record.body
    if ((proof.type === 'recovery' || proof.type === 'restore') && record.user !== null) {
      const keyBytes = deviceKeyOf(key)
      const byKit = proof.type === 'recovery'
      const domain = byKit ? RECOVERED_DOMAIN : RESTORED_DOMAIN
      const message = admissionMessage(admissionOf(record), domain)
      const users = byKit ? index.usersOf(key) : index.usersRestoredBy(key)
      const known = users.some(({ id }) => id === record.user)
      const good = keyBytes !== undefined && verifyEd25519(keyBytes, message, proof.signature)
      return known && good ? undefined : 'NOT_VALID'
    }
    const invite = usable(key, record.device)
    if (typeof invite === 'string') return invite
    if (isFull(invite, record.device)) return 'TOO_MANY_DEVICES'
    if (proof.type !== 'invite' || proof.invite !== invite.identity) return 'NOT_VALID'
    const holder = busy.get(invite.identity)
    if (holder !== undefined && holder !== session) return 'BUSY'
    busy.set(invite.identity, session)
    if (index.admissionsUnder(invite.identity).some(({ id }) => id === record.id)) return undefined
    return gate.isProven(record) ? undefined : 'NOT_VALID'
  }

  const welcome = async (
    key: DeviceId,
    bytes: Uint8Array,
    session: object,
  ): Promise<Welcome | Refusal> => {
    const record = decodeRecord(bytes)
    if (record.type !== 'user.create' && record.type !== 'device.add') return 'NOT_VALID'
    const why = refusal(key, record, session)
    if (why !== undefined) return why
    await accept(bytes, key)
    if (!index.admissionsOf(record.device).some(({ id }) => id === record.id)) return 'BUSY'
    announce(bytes)
    return { addresses: addresses().slice(0, MAX_ADDRESSES) }
  }

  return {
    greet: (key, wanted) => {
      if (wanted !== null && wanted !== network) return 'OTHER_NETWORK'
      const [user] = [...index.usersOf(key), ...index.usersRestoredBy(key)]
      if (user !== undefined) return hello(null, user.id)
      const found = usable(key)
      // Whoever has it in use may come again: what it claims then tells whether it is the same device.
      const invite = found === 'INVITE_USED' ? invitesOf(key)[0] : found
      if (invite === undefined || typeof invite === 'string') return invite ?? 'INVITE_UNKNOWN'
      const { role, ownDevice, expires } = invite.body
      const about = { id: invite.identity, role, ownDevice, expires }
      return hello(about, ownDevice ? invite.user : null)
    },
    sponsor,
    welcome,
    end: (session) => {
      for (const [invite, holder] of busy) if (holder === session) busy.delete(invite)
    },
  }
}
