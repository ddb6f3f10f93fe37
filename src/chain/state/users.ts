/** Users: `user/<user>`. Made by `user.create`; a user's id is the id of that record. */
import { KEY_BYTES } from '../../common/crypto.ts'
import { bytes, oneOf, type Shaped, tuple } from '../../common/schema.ts'
import type { UserId } from '../ids.ts'
import { nameShape } from '../names.ts'
import type { RecordOf } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { APPLIED, type Result } from './result.ts'
import { valueCodec } from './value.ts'

const key = bytes(KEY_BYTES)
const shape = tuple(
  ['name', nameShape],
  ['role', oneOf('admin', 'member')],
  /** X25519 public key, generation 0. */
  ['userKey', key],
  /** Ed25519 public keys. */
  ['recoveryKey', key],
  ['restoreKey', key],
)
const codec = valueCodec(shape)

export type UserState = Shaped<typeof shape>
export type Role = UserState['role']

const keyOf = (user: UserId): string => `user/${user}`

export function readUser(view: StateView, user: UserId): UserState | undefined {
  return readValue(view, keyOf(user), codec)
}

/** The proof was checked where the record was included: a false one never gets here. */
export function applyUserCreate(overlay: Overlay, record: RecordOf<'user.create'>): Result {
  const { name, userKey, recoveryKey, restoreKey, proof } = record.body
  const role = proof.type === 'founder' ? 'admin' : 'member'
  overlay.create(keyOf(record.id), codec, { name, role, userKey, recoveryKey, restoreKey })
  return APPLIED
}
