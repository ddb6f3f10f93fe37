/** Invites: `invite/<invite>`. The public half of a one-time secret, what it may be used for, and whether it was. */
import { KEY_BYTES } from '../../common/crypto.ts'
import { DAG_CBOR } from '../../common/dag-cbor.ts'
import { boolean, bytes, link, oneOf, type Shaped, tuple, uint } from '../../common/schema.ts'
import type { RecordId, UserId } from '../ids.ts'
import type { RecordOf, SignedRecord } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { checkReferences } from './records.ts'
import { APPLIED, type Result, rejected } from './result.ts'
import { readUser } from './users.ts'
import { valueCodec } from './value.ts'

const shape = tuple(
  ['issuer', link<UserId>(DAG_CBOR)],
  /** Ed25519 public key. */
  ['key', bytes(KEY_BYTES)],
  ['role', oneOf('admin', 'member', 'backup')],
  ['ownDevice', boolean()],
  /** Milliseconds UTC. */
  ['expires', uint()],
  /** Also of one that was cancelled. */
  ['used', boolean()],
)
const codec = valueCodec(shape)

export type InviteState = Shaped<typeof shape>

const PREFIX = 'invite/'

export function readInvite(view: StateView, invite: RecordId): InviteState | undefined {
  return readValue(view, PREFIX + invite, codec)
}

/** Every invite of this chain, used ones too. */
export function listInvites(view: StateView): { id: RecordId; invite: InviteState }[] {
  return [...view.list(PREFIX)].map(([key, bytes]) => ({
    id: key.slice(PREFIX.length) as RecordId,
    invite: codec.decode(bytes),
  }))
}

export function applyInvite(overlay: Overlay, record: RecordOf<'invite'>, issuer: UserId): Result {
  const { key, role, ownDevice, expires } = record.body
  const own = readUser(overlay, issuer)?.role
  if (role === 'admin' && (ownDevice || own !== 'admin')) return rejected('NOT_AN_ADMIN')
  const invite = { issuer, key, role, ownDevice, expires, used: false }
  overlay.create(PREFIX + record.identity, codec, invite)
  return APPLIED
}

export function applyInviteCancel(
  overlay: Overlay,
  record: RecordOf<'invite.cancel'>,
  user: UserId,
): Result {
  const { invite: id } = record.body
  const missing = checkReferences(overlay, [id])
  if (missing !== undefined) return missing
  const invite = readInvite(overlay, id)
  if (invite === undefined) return rejected('NOT_AN_INVITE')
  const mayCancel = invite.issuer === user || readUser(overlay, user)?.role === 'admin'
  if (!mayCancel) return rejected('NOT_THE_ISSUER')
  overlay.write(PREFIX + id, codec, { ...invite, used: true })
  return APPLIED
}

/** Uses up the invite that an admission rests on, if it does; returns it. */
export function takeInvite(overlay: Overlay, record: SignedRecord): InviteState | undefined {
  if (record.type !== 'user.create' && record.type !== 'device.add') return undefined
  const { proof } = record.body
  const invite = proof.type === 'invite' ? readInvite(overlay, proof.invite) : undefined
  if (proof.type !== 'invite' || invite === undefined) return undefined
  overlay.write(PREFIX + proof.invite, codec, { ...invite, used: true })
  return invite
}
