/**
 * What brings the user back beside the chain: the network's parameters, the restore key, the secrets of the user's
 * keys, and names. Encrypted like the segments, an object of its own, since it rarely changes.
 *
 * `root` is a code over network and user under a key that follows from the backup key: anybody can encrypt for the
 * recipient, and only who has the secret, or was told by it, can say that this is the user's network.
 */
import type { UserId } from '../../chain/ids.ts'
import {
  decodeParams,
  MAX_PARAMS_BYTES,
  type NetworkParams,
  networkIdOf,
} from '../../chain/params.ts'
import { equalBytes } from '../../common/bytes.ts'
import { HASH_BYTES, KEY_BYTES } from '../../common/crypto.ts'
import { type CborValue, DAG_CBOR, decode, encode } from '../../common/dag-cbor.ts'
import { messageOf } from '../../common/errors.ts'
import { KIB, MIB } from '../../common/limits.ts'
import { backupRoot } from '../../common/recovery-keys.ts'
import { bytes, link, list, nullable, struct, text, uint } from '../../common/schema.ts'
import { backupError } from './errors.ts'
import { type BackupKey, decryptWith, encryptFor } from './keys.ts'
import { MAX_PEERS } from './overview.ts'

/** Keys of a user that are kept: the chain's state keeps as many. */
export const MAX_USER_KEYS = 257
/** Bytes of the object, with what encryption adds. */
export const MAX_PERSON_BYTES: number = MIB + 64 * KIB
const MAX_NAME_BYTES = 255
/** Bytes of an address. */
const MAX_PEER_BYTES = 512

const shape = struct({
  version: uint(1),
  params: bytes(1, MAX_PARAMS_BYTES),
  user: link<UserId>(DAG_CBOR),
  userName: text(MAX_NAME_BYTES),
  deviceName: text(MAX_NAME_BYTES),
  /** Ed25519 seed of the restore key, where it is known. */
  restore: nullable(bytes(KEY_BYTES)),
  /** X25519 secrets of the user's keys, the first one first. */
  userKeys: list(bytes(KEY_BYTES), MAX_USER_KEYS),
  /** Multiaddrs of devices of the network, with their ids. */
  peers: list(text(MAX_PEER_BYTES), MAX_PEERS),
  root: bytes(HASH_BYTES),
})

export interface Person {
  readonly params: NetworkParams
  readonly user: UserId
  readonly userName: string
  readonly deviceName: string
  readonly restore: Uint8Array | undefined
  readonly userKeys: readonly Uint8Array[]
  /** Where other devices of the network were met; default: none. */
  readonly peers?: readonly string[] | undefined
}

/** The encoded person, not encrypted yet: to see whether it has changed. @param root - of the network and the user */
export function encodePerson(
  person: Omit<Person, 'params'> & { readonly params: Uint8Array },
  root: Uint8Array,
): Uint8Array {
  return encode(
    shape.write({
      ...person,
      version: 1,
      restore: person.restore ?? null,
      peers: person.peers ?? [],
      root,
    }) as CborValue,
  )
}

export function packPerson(encoded: Uint8Array, recipient: string): Promise<Uint8Array> {
  return encryptFor(recipient, encoded)
}

/** @throws BACKUP_DAMAGED, BACKUP_FORGED: somebody without the key made it */
export async function openPerson(
  encrypted: Uint8Array,
  key: BackupKey,
  name: string,
): Promise<Person> {
  const plain = await decryptWith(key, encrypted, name)
  try {
    const { root, params: encoded, version: _, ...rest } = shape.read(decode(plain, MIB), 'person')
    const params = decodeParams(encoded)
    if (equalBytes(root, backupRoot(key.secret, networkIdOf(params), rest.user))) {
      return { ...rest, params, restore: rest.restore ?? undefined }
    }
  } catch (error) {
    throw backupError('BACKUP_DAMAGED', { name, why: messageOf(error) }, error)
  }
  throw backupError('BACKUP_FORGED', { name })
}
