/**
 * Canonical DAG-CBOR (https://ipld.io/specs/codecs/dag-cbor/spec/) and its CIDs. Pure.
 *
 * A value has exactly one encoding here: what does not re-encode to the same bytes is refused, so that a
 * hash, and with it an id, stands for one value only. Integers only: a float is refused.
 */
import { decode as decodeCbor, encode as encodeCbor } from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { equalBytes } from './bytes.ts'
import { HASH_BYTES, sha256 } from './crypto.ts'
import { CairnError } from './errors.ts'

/** Multicodec of DAG-CBOR. */
export const DAG_CBOR = 0x71
/** Multicodec of dag-pb (UnixFS directories and file trees). */
export const DAG_PB = 0x70
/** Multicodec of raw bytes (UnixFS leaves). */
export const RAW = 0x55
/** Multihash code of SHA-256. */
export const SHA2_256 = 0x12

/** A value of the IPLD data model without floats. */
export type CborValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | CID
  | readonly CborValue[]
  | { readonly [key: string]: CborValue | undefined }

/** Canonical encoding of `value`; entries that are undefined are left out. */
export function encode(value: CborValue): Uint8Array {
  return encodeCbor(withoutUndefined(value))
}

/**
 * The value of `bytes`.
 *
 * @throws `ENCODING` when they are longer than `maxBytes`, not DAG-CBOR, not canonical, or hold a float
 */
export function decode(bytes: Uint8Array, maxBytes: number): CborValue {
  if (bytes.length > maxBytes) {
    throw encodingError(`${bytes.length} bytes, at most ${maxBytes} are allowed`)
  }
  let value: CborValue
  try {
    value = decodeCbor<CborValue>(bytes)
  } catch (error) {
    throw encodingError('it is not DAG-CBOR', error)
  }
  if (!equalBytes(encodeCbor(value), bytes)) throw encodingError('it is not in canonical form')
  return value
}

/** CIDv1, dag-cbor, sha2-256 of `bytes`, as text: the id of every record and block. */
export function cidOf(bytes: Uint8Array): string {
  return cidText(DAG_CBOR, sha256(bytes))
}

/** CIDv1 text of a SHA-256 digest (32 bytes) under a multicodec. */
export function cidText(codec: number, digest: Uint8Array): string {
  return CID.createV1(codec, createDigest(SHA2_256, digest)).toString()
}

/** The SHA-256 digest (32 bytes) that a CID text holds. The text must be one of this module's making. */
export function digestOf(cid: string): Uint8Array {
  return CID.parse(cid).multihash.digest
}

/** A CID text as the link that is encoded. */
export function link(cid: string): CID {
  return CID.parse(cid)
}

/** Whether `value` is a link to a SHA-256 block under one of `codecs`. */
export function isLink(value: unknown, codecs: readonly number[]): value is CID {
  const cid = CID.asCID(value)
  return (
    cid !== null &&
    cid.version === 1 &&
    codecs.includes(cid.code) &&
    cid.multihash.code === SHA2_256 &&
    cid.multihash.digest.length === HASH_BYTES
  )
}

export function encodingError(why: string, cause?: unknown): CairnError<'ENCODING'> {
  return new CairnError('ENCODING', `The data is malformed: ${why}.`, {
    verdict: 'reject',
    ...(cause === undefined ? {} : { cause }),
  })
}

function withoutUndefined(value: CborValue): CborValue {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return value
  if (CID.asCID(value) !== null) return value
  if (Array.isArray(value)) return value.map(withoutUndefined)
  const clean: Record<string, CborValue> = {}
  for (const [key, entry] of Object.entries(value)) {
    if (entry !== undefined) clean[key] = withoutUndefined(entry)
  }
  return clean
}
