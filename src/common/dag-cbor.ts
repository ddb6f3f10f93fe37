/**
 * Canonical DAG-CBOR (https://ipld.io/specs/codecs/dag-cbor/spec/) and its CIDs. Pure.
 *
 * A value has exactly one encoding here: what does not re-encode to the same bytes is refused, so that a
 * hash, and with it an id, stands for one value only. Integers only: a float is refused.
 */
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { CborReader } from './cbor-reader.ts'
import { CborLink, type CborValue } from './cbor-value.ts'
import { writeCbor, writeSmallCbor } from './cbor-writer.ts'
import { CID_BYTES, digestIn, plainCidBytes, plainCidOfHex, plainCidText } from './cid-text.ts'
import { HASH_BYTES, sha256Hex } from './crypto.ts'
import { encodingError } from './errors.ts'

export { CborLink, type CborValue } from './cbor-value.ts'

/** Multicodec of DAG-CBOR. */
export const DAG_CBOR = 0x71
/** Multicodec of dag-pb (UnixFS directories and file trees). */
export const DAG_PB = 0x70
/** Multicodec of raw bytes (UnixFS leaves). */
export const RAW = 0x55
/** Multihash code of SHA-256. */
export const SHA2_256 = 0x12

/** Canonical encoding of `value`; entries that are undefined are left out. */
export function encode(value: CborValue): Uint8Array {
  return writeCbor(value)
}

/** Like `encode`, for many small values: they share the memory behind them. */
export function encodeSmall(value: CborValue): Uint8Array {
  return writeSmallCbor(value)
}

/**
 * The value of `bytes`. Byte strings in it are views of `bytes`; links are `CborLink`.
 *
 * @throws `ENCODING` when they are longer than `maxBytes`, not DAG-CBOR, not canonical, or hold a float
 */
export function decode(bytes: Uint8Array, maxBytes: number): CborValue {
  if (bytes.length > maxBytes) {
    throw encodingError(`${bytes.length} bytes, at most ${maxBytes} are allowed`)
  }
  const reader = new CborReader(bytes)
  const value = reader.value()
  if (reader.offset !== bytes.length) throw encodingError('bytes follow its end')
  return value
}

/** CIDv1, dag-cbor, sha2-256 of `bytes`, as text: the id of every record and block. */
export function cidOf(bytes: Uint8Array): string {
  return plainCidOfHex(DAG_CBOR, sha256Hex(bytes))
}

/** CIDv1 text of a SHA-256 digest (32 bytes) under a multicodec below 128. */
export function cidText(codec: number, digest: Uint8Array): string {
  return plainCidText(cidBytes(codec, digest), 0)
}

/** The SHA-256 digest (32 bytes) that a CID text holds. The text must be one of this module's making. */
export function digestOf(cid: string): Uint8Array {
  const plain = plainCidBytes(cid)
  return plain === undefined ? CID.parse(cid).multihash.digest : digestIn(plain)
}

/** A CID text as a CID object, for libraries that want one. */
export function link(cid: string): CID {
  const plain = plainCidBytes(cid)
  return plain === undefined
    ? CID.parse(cid)
    : new CID(1, plain[1] ?? 0, createDigest(SHA2_256, digestIn(plain)), plain)
}

/** A CID text as the link that is encoded; cheaper than `link`. The text must be one of this module's making. */
export function linkTo(cid: string): CborLink {
  return new CborLink(cid, DAG_CBOR, true)
}

/** Whether `value` is a link to a SHA-256 block under one of `codecs`. */
export function isLink(value: unknown, codecs: readonly number[]): value is CborLink | CID {
  if (value instanceof CborLink) return value.plain && codecs.includes(value.codec)
  const cid = CID.asCID(value)
  return (
    cid !== null &&
    cid.version === 1 &&
    codecs.includes(cid.code) &&
    cid.multihash.code === SHA2_256 &&
    cid.multihash.digest.length === HASH_BYTES
  )
}

function cidBytes(codec: number, digest: Uint8Array): Uint8Array {
  const cid = new Uint8Array(CID_BYTES)
  cid[0] = 1
  cid[1] = codec
  cid[2] = SHA2_256
  cid[3] = HASH_BYTES
  cid.set(digest, 4)
  return cid
}
