/**
 * `/cairn/sync/1.0.0`: what travels. One request, answered by one frame or several; each is canonical
 * DAG-CBOR, bounded in bytes and in counts before anything else looks at it. Pure.
 *
 * | request   | answer                                                                               |
 * |-----------|--------------------------------------------------------------------------------------|
 * | `status`  | one frame: parameters, tip, height, chainwork, clock, digest over the device heads     |
 * | `headers` | one frame: headers of the best chain after the locator                                |
 * | `bodies`  | frames of bodies in the order asked, null for one that is not here, until `last`        |
 * | `heads`   | one frame: device heads in order, after a place                                        |
 * | `records` | frames of records, per device oldest first, until `last`                               |
 *
 * An answer may stop before everything asked was given (its bound of bytes): `last` says that it ends.
 * A request that is refused gets one frame `refused`.
 */

import { type BlockId, deviceIdOf, deviceKeyOf, type RecordId } from '../../chain/ids.ts'
import { MAX_PARAMS_BYTES } from '../../chain/params.ts'
import { compareBytes, fromHex, toHex } from '../../common/bytes.ts'
import { HASH_BYTES, KEY_BYTES, sha256 } from '../../common/crypto.ts'
import { DAG_CBOR, decode, digestOf, encode } from '../../common/dag-cbor.ts'
import { assert } from '../../common/errors.ts'
import {
  KIB,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  MAX_RECORD_BYTES,
  MIB,
} from '../../common/limits.ts'
import {
  boolean,
  bytes,
  link,
  list,
  nullable,
  oneOf,
  optional,
  type Shape,
  type Shaped,
  struct,
  uint,
  variant,
} from '../../common/schema.ts'
import type { DeviceHead } from './chain.ts'

export const SYNC_PROTOCOL = '/cairn/sync/1.0.0'

/** Ids in a locator: the last ten, then doubling steps; reaches back 2^54 blocks. */
export const MAX_LOCATOR_IDS = 64
/** Headers per answer: 0.6 MB, checked in well under a second. */
export const MAX_HEADERS = 2000
/** Bodies per request: some seconds of importing. */
export const MAX_BODIES = 1024
/** Bytes of bodies per answer: what a peer can make this node read from disk with one request. */
export const MAX_BODIES_ANSWER_BYTES: number = 16 * MIB
/** Device heads per answer: 0.5 MB. */
export const MAX_HEADS = 5000
/** Device heads that one `records` request names. */
export const MAX_WANTS = 128
/** Records per answer. */
export const MAX_RECORDS = 2000
/** Bytes of records per answer: held in memory by the side that asked. */
export const MAX_RECORDS_ANSWER_BYTES: number = 4 * MIB
/** Bytes gathered in one frame of bodies or records: small enough to arrive steadily on a slow link. */
export const FRAME_BYTES: number = 128 * KIB

/** Bytes of a request: 128 wants with a full locator each, 40 bytes an id. */
export const MAX_REQUEST_BYTES: number = 384 * KIB
/** Bytes of an answer's frame: the largest is a full `headers`. */
export const MAX_FRAME_BYTES: number = MAX_HEADERS * (MAX_HEADER_BYTES + 4) + KIB
assert(MAX_FRAME_BYTES > MAX_BODY_BYTES + FRAME_BYTES + 4 * KIB, 'a body fits into a frame')

const workBytes = bytes(32)
/** Chainwork: 32 bytes, big-endian. */
const chainwork: Shape<bigint> = {
  read: (value, path) => BigInt(`0x${toHex(workBytes.read(value, path))}`),
  write: (value) => fromHex(value.toString(16).padStart(64, '0')),
}
const block = link<BlockId>(DAG_CBOR)
const record = link<RecordId>(DAG_CBOR)
const wantShape = struct({ head: record, have: list(record, MAX_LOCATOR_IDS) })
const headShape = struct({ device: bytes(KEY_BYTES), sequence: uint(), id: record })
const placeShape = struct({ device: bytes(KEY_BYTES), id: record })

const requestShape = variant('type', {
  status: struct({}),
  headers: struct({ locator: list(block, MAX_LOCATOR_IDS, 1), limit: uint(MAX_HEADERS) }),
  bodies: struct({ ids: list(block, MAX_BODIES, 1) }),
  heads: struct({ after: optional(placeShape) }),
  records: struct({ wants: list(wantShape, MAX_WANTS, 1), limit: uint(MAX_RECORDS) }),
})

const answerShape = variant('type', {
  status: struct({
    params: bytes(1, MAX_PARAMS_BYTES),
    tip: block,
    height: uint(),
    chainwork,
    time: uint(),
    heads: bytes(HASH_BYTES),
  }),
  headers: struct({ headers: list(bytes(1, MAX_HEADER_BYTES), MAX_HEADERS) }),
  bodies: struct({ bodies: list(nullable(bytes(1, MAX_BODY_BYTES)), MAX_BODIES), last: boolean() }),
  heads: struct({ heads: list(headShape, MAX_HEADS), more: boolean() }),
  records: struct({ records: list(bytes(1, MAX_RECORD_BYTES), MAX_RECORDS), last: boolean() }),
  refused: struct({ why: oneOf('busy', 'malformed', 'failed') }),
})

export type SyncRequest = Shaped<typeof requestShape>
export type SyncAnswer = Shaped<typeof answerShape>
export type Want = Shaped<typeof wantShape>

export function encodeRequest(request: SyncRequest): Uint8Array {
  return encode(requestShape.write(request) ?? null)
}

/** @throws `ENCODING` */
export function decodeRequest(encoded: Uint8Array): SyncRequest {
  return requestShape.read(decode(encoded, MAX_REQUEST_BYTES), 'request')
}

export function encodeAnswer(answer: SyncAnswer): Uint8Array {
  return encode(answerShape.write(answer) ?? null)
}

/** @throws `ENCODING` */
export function decodeAnswer(encoded: Uint8Array): SyncAnswer {
  return answerShape.read(decode(encoded, MAX_FRAME_BYTES), 'answer')
}

type EncodedHead = Shaped<typeof headShape>

/** Of a head, and of a whole list: asked for again and again while little of it changes. */
const encodedHeads = new WeakMap<DeviceHead, EncodedHead>()
const idDigests = new WeakMap<EncodedHead, Uint8Array>()
const encodedLists = new WeakMap<readonly DeviceHead[], readonly EncodedHead[]>()
const digests = new WeakMap<readonly DeviceHead[], Uint8Array>()

/** Heads as they travel: by the device's key bytes, then by the record's digest. */
export function toEncodedHeads(heads: readonly DeviceHead[]): readonly EncodedHead[] {
  const known = encodedLists.get(heads)
  if (known !== undefined) return known
  const encoded: EncodedHead[] = []
  for (const head of heads) {
    let one = encodedHeads.get(head)
    if (one === undefined) {
      const device = deviceKeyOf(head.device)
      if (device === undefined) continue
      one = { device, sequence: head.sequence, id: head.id }
      encodedHeads.set(head, one)
    }
    encoded.push(one)
  }
  encoded.sort(comparePlaces)
  encodedLists.set(heads, encoded)
  return encoded
}

export function fromEncodedHead(head: EncodedHead): DeviceHead {
  return { device: deviceIdOf(head.device), sequence: head.sequence, id: head.id }
}

type Place = Shaped<typeof placeShape>

/** The order of heads in answers. */
export function comparePlaces(a: Place, b: Place): number {
  return compareBytes(a.device, b.device) || compareBytes(digestOf(a.id), digestOf(b.id))
}

function idDigestOf(head: EncodedHead): Uint8Array {
  const known = idDigests.get(head)
  if (known !== undefined) return known
  const digest = digestOf(head.id)
  idDigests.set(head, digest)
  return digest
}

/**
 * SHA-256 over the heads in their order: two nodes with the same one hold the same records.
 *
 * @param heads - not changed any more: what was computed of a list is kept with it
 */
export function headsDigest(heads: readonly DeviceHead[]): Uint8Array {
  const known = digests.get(heads)
  if (known !== undefined) return known
  const encoded = toEncodedHeads(heads)
  const all = new Uint8Array(encoded.length * (KEY_BYTES + HASH_BYTES))
  for (const [index, head] of encoded.entries()) {
    all.set(head.device, index * (KEY_BYTES + HASH_BYTES))
    all.set(idDigestOf(head), index * (KEY_BYTES + HASH_BYTES) + KEY_BYTES)
  }
  const digest = sha256(all)
  digests.set(heads, digest)
  return digest
}
