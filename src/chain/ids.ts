/** Branded ids. All are CIDv1 text (dag-cbor, sha2-256), but for the device's and the content root's. */
import { base58btc } from 'multiformats/bases/base58'
import { KEY_BYTES } from '../common/crypto.ts'
import { assert } from '../common/errors.ts'

declare const brand: unique symbol
type Branded<Name extends string> = string & { readonly [brand]: Name }

/** CID of a network's parameters. */
export type NetworkId = Branded<'network'>
/** CID of a block's header; its digest is the proof of work. */
export type BlockId = Branded<'block'>
/** CID of a whole signed record. */
export type RecordId = Branded<'record'>
/** Id of the `user.create` record. */
export type UserId = RecordId
/** Id of the `file.add` record, or of the record that this replaces. */
export type FileId = RecordId
/** Id of the record that made a version (`file.add` or `file.update`), or of the one that this replaces. */
export type VersionId = RecordId
/** CID of a block's body. */
export type BodyId = Branded<'body'>
/** CID of the root of a version's bytes: UnixFS (dag-pb) or one raw leaf. */
export type ContentId = Branded<'content'>
/** A device: the libp2p peer id of its Ed25519 key (`12D3Koo…`). */
export type DeviceId = Branded<'device'>

// Identity multihash of the protobuf of an Ed25519 public key (libp2p peer id specification, "Peer Ids"):
// 0x00 identity, 0x24 = 36 bytes, 0x08 0x01 key type Ed25519, 0x12 0x20 = 32 bytes of key.
const PEER_ID_PREFIX = Uint8Array.of(0x00, 0x24, 0x08, 0x01, 0x12, 0x20)

// Base58 costs more than the rest of a record's decoding, and a network has few devices.
const CACHE_ENTRIES = 4096
const ids = new Map<string, DeviceId>()
const keys = new Map<string, Uint8Array>()

/** The device id of an Ed25519 public key (32 bytes). */
export function deviceIdOf(publicKey: Uint8Array): DeviceId {
  assert(publicKey.length === KEY_BYTES, 'a device key has 32 bytes')
  const name = String.fromCharCode.apply(null, publicKey as unknown as number[])
  let id = ids.get(name)
  if (id === undefined) {
    const multihash = new Uint8Array(PEER_ID_PREFIX.length + KEY_BYTES)
    multihash.set(PEER_ID_PREFIX)
    multihash.set(publicKey, PEER_ID_PREFIX.length)
    id = base58btc.baseEncode(multihash) as DeviceId
    if (ids.size >= CACHE_ENTRIES) ids.clear()
    ids.set(name, id)
  }
  return id
}

/** The Ed25519 public key (32 bytes) of a device id; undefined when the text is none. */
export function deviceKeyOf(device: string): Uint8Array | undefined {
  const known = keys.get(device)
  if (known !== undefined) return known
  const key = parseDevice(device)
  if (key !== undefined) {
    if (keys.size >= CACHE_ENTRIES) keys.clear()
    keys.set(device, key)
  }
  return key
}

function parseDevice(device: string): Uint8Array | undefined {
  try {
    const multihash = base58btc.baseDecode(device)
    const fits =
      multihash.length === PEER_ID_PREFIX.length + KEY_BYTES &&
      PEER_ID_PREFIX.every((byte, index) => multihash[index] === byte)
    return fits ? multihash.slice(PEER_ID_PREFIX.length) : undefined
  } catch {
    return undefined
  }
}
