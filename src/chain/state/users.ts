/**
 * Users: `user/<user>`, made by `user.create`; a user's id is the id of that record. `keys/<user>` holds the
 * newest user keys of later generations, in the order of the chain: concurrent ones are all valid.
 */
import { equalBytes } from '../../common/bytes.ts'
import { KEY_BYTES } from '../../common/crypto.ts'
import { bytes, list, oneOf, type Shaped, tuple } from '../../common/schema.ts'
import type { UserId } from '../ids.ts'
import { nameShape } from '../names.ts'
import type { RecordOf } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { APPLIED, type Result, rejected } from './result.ts'
import { valueCodec } from './value.ts'

/**
 * Later user keys that the state keeps. A further one takes the oldest one's place, rather than being refused:
 * else a stolen device could use up what there is, and no revocation would be followed by a new key.
 */
export const MAX_USER_KEYS = 256

const key = bytes(KEY_BYTES)
const shape = tuple(
  ['name', nameShape],
  ['role', oneOf('admin', 'member', 'backup')],
  /** X25519 public key, generation 0. */
  ['userKey', key],
  /** Ed25519 public keys. */
  ['recoveryKey', key],
  ['restoreKey', key],
)
const codec = valueCodec(shape)
const keysCodec = valueCodec(list(key, MAX_USER_KEYS))

export type UserState = Shaped<typeof shape>
export type Role = UserState['role']

const PREFIX = 'user/'
const keyOf = (user: UserId): string => PREFIX + user
const keysKey = (user: UserId): string => `keys/${user}`

export function readUser(view: StateView, user: UserId): UserState | undefined {
  return readValue(view, keyOf(user), codec)
}

/** The X25519 public keys of a user, oldest first; the last one is what new secrets are sealed to. */
export function readUserKeys(view: StateView, user: UserId): Uint8Array[] {
  const first = readUser(view, user)?.userKey
  return first === undefined ? [] : [first, ...(readValue(view, keysKey(user), keysCodec) ?? [])]
}

/**
 * The proof was checked where the record was included: a false one never gets here.
 *
 * @param invited - the role of the invite that it rests on
 */
export function createUser(
  overlay: Overlay,
  record: RecordOf<'user.create'>,
  invited: Role | undefined,
): void {
  const { name, userKey, recoveryKey, restoreKey, proof } = record.body
  const role = proof.type === 'founder' ? 'admin' : (invited ?? 'member')
  overlay.create(keyOf(record.id), codec, { name, role, userKey, recoveryKey, restoreKey })
}

/** @param active - whether its device is: a device that is out does not say what new secrets are sealed to */
export function applyUserKey(
  overlay: Overlay,
  record: RecordOf<'user.key'>,
  user: UserId,
  active: boolean,
): Result {
  if (!active) return rejected('AUTHOR_REVOKED')
  const added = record.body.key
  const known = readUserKeys(overlay, user)
  if (known.some((each) => equalBytes(each, added))) return rejected('KEY_KNOWN')
  overlay.write(keysKey(user), keysCodec, [...known.slice(1), added].slice(-MAX_USER_KEYS))
  return APPLIED
}
