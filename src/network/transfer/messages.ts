/**
 * `/cairn/transfer/1.0.0`: shapes and limits.
 *
 * The device that wants blocks opens a stream and asks; the other one answers on the same stream. Each
 * direction of interest has its own stream, kept open while it is used. All that goes over it are frames:
 *
 *     frame   := kind (1 byte) · length (4 bytes, big-endian) · payload (`length` bytes)
 *
 *     asked     1 want     canonical DAG-CBOR {wants: [[id, codec, digest], …]}
 *               2 cancel   canonical DAG-CBOR {ids: [id, …]}
 *               3 have     canonical DAG-CBOR {id, roots: [[codec, digest], …]}
 *     answered 16 block    id (4 bytes, big-endian) · the bytes of the block
 *              17 none     canonical DAG-CBOR {ids: [id, …], why: 'missing' | 'cancelled'}
 *              18 holds    canonical DAG-CBOR {id, held: ['none' | 'part' | 'complete', …]}
 *
 * `id` (0 to 2^32 - 1) is chosen by the asking side and is not used again while it is open. `digest` is a
 * SHA-256, `codec` the multicodec of the block. Every want is answered exactly once: with the block or in a
 * `none`; a cancelled want too (the block may already be on its way). Answers to different wants may come in
 * any order, but blocks are read and sent in the order of the wants. `holds` answers `have`, root by root:
 * `complete` says that every block under the root is here and was verified when it was stored, `part` that at
 * least the root is.
 */
import { HASH_BYTES } from '../../common/crypto.ts'
import { type CborValue, DAG_CBOR, DAG_PB, decode, encode, RAW } from '../../common/dag-cbor.ts'
import { KIB, MAX_CONTENT_BLOCK_BYTES } from '../../common/limits.ts'
import {
  bytes,
  list,
  oneOf,
  type Shape,
  type Shaped,
  struct,
  tuple,
  uint,
} from '../../common/schema.ts'

export const TRANSFER_PROTOCOL = '/cairn/transfer/1.0.0'

export const FRAME = { want: 1, cancel: 2, have: 3, block: 16, none: 17, holds: 18 } as const
export type ControlKind = Exclude<(typeof FRAME)[keyof typeof FRAME], typeof FRAME.block>

/** Bytes before a payload: kind and length. */
export const FRAME_HEADER_BYTES = 5
/** Bytes of the id before a block. */
export const BLOCK_ID_BYTES = 4
/** Bytes of one control message: the longest list below takes half of it. */
export const MAX_CONTROL_BYTES: number = 32 * KIB
/** Wants in one message. */
export const MAX_WANTS_PER_MESSAGE = 256
/** Wants of one stream that may be open at a time: what its side of the queue costs stays below 256 KiB. */
export const MAX_WANTS_OPEN = 1024
/** Roots in one question: each costs the answering side a look at its disk. */
export const MAX_ROOTS_PER_MESSAGE = 64
/** Bytes of the payload of a block frame. */
export const MAX_BLOCK_PAYLOAD_BYTES: number = BLOCK_ID_BYTES + MAX_CONTENT_BLOCK_BYTES

const id = uint(0xffff_ffff)
const codec = uint(0xffff)
const digest = bytes(HASH_BYTES)

const wantShape = struct({
  wants: list(tuple(['id', id], ['codec', codec], ['digest', digest]), MAX_WANTS_PER_MESSAGE, 1),
})
const cancelShape = struct({ ids: list(id, MAX_WANTS_OPEN, 1) })
const haveShape = struct({
  id,
  roots: list(tuple(['codec', codec], ['digest', digest]), MAX_ROOTS_PER_MESSAGE, 1),
})
const noneShape = struct({
  ids: list(id, MAX_WANTS_OPEN, 1),
  why: oneOf('missing', 'cancelled'),
})
const holdsShape = struct({
  id,
  held: list(oneOf('none', 'part', 'complete'), MAX_ROOTS_PER_MESSAGE, 1),
})

const SHAPES = {
  [FRAME.want]: wantShape,
  [FRAME.cancel]: cancelShape,
  [FRAME.have]: haveShape,
  [FRAME.none]: noneShape,
  [FRAME.holds]: holdsShape,
} as const

export type Message<Kind extends ControlKind> = Shaped<(typeof SHAPES)[Kind]>
/** What a device says of a root. */
export type Held = Message<typeof FRAME.holds>['held'][number]

/** Codecs that are carried: the trees and leaves of files, and the chain's own blocks. */
export const CARRIED_CODECS: readonly number[] = [RAW, DAG_PB, DAG_CBOR]

/** A whole control frame. */
export function encodeMessage<Kind extends ControlKind>(
  kind: Kind,
  message: Message<Kind>,
): Uint8Array {
  const shape = SHAPES[kind] as unknown as Shape<Message<Kind>>
  const payload = encode(shape.write(message) as CborValue)
  const frame = new Uint8Array(FRAME_HEADER_BYTES + payload.length)
  writeHeader(frame, kind, payload.length)
  frame.set(payload, FRAME_HEADER_BYTES)
  return frame
}

/** @throws `ENCODING` */
export function decodeMessage<Kind extends ControlKind>(
  kind: Kind,
  payload: Uint8Array,
): Message<Kind> {
  const shape = SHAPES[kind] as unknown as Shape<Message<Kind>>
  return shape.read(decode(payload, MAX_CONTROL_BYTES), 'message')
}

/** The bytes before those of a block of `length` bytes. */
export function encodeBlockHeader(id: number, length: number): Uint8Array {
  const header = new Uint8Array(FRAME_HEADER_BYTES + BLOCK_ID_BYTES)
  writeHeader(header, FRAME.block, BLOCK_ID_BYTES + length)
  writeUint32(header, FRAME_HEADER_BYTES, id)
  return header
}

function writeHeader(frame: Uint8Array, kind: number, length: number): void {
  frame[0] = kind
  writeUint32(frame, 1, length)
}

function writeUint32(target: Uint8Array, offset: number, value: number): void {
  new DataView(target.buffer, target.byteOffset).setUint32(offset, value)
}
