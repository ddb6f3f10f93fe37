/** Streams through the content cipher, in constant memory: a segment in, a segment out. */
import { cipherError } from './cipher-errors.ts'
import type { ContentCipher } from './content-cipher.ts'
import {
  headerBytes,
  plainSizeOf,
  plainStartOf,
  segmentAt,
  segmentCount,
} from './content-format.ts'
import { GCM_TAG_BYTES } from './crypto.ts'

/** Bytes that a stream begins with: most files are small, and a whole segment for each would fill the heap. */
const FIRST_BYTES = 16_384

export interface EncryptOptions {
  /** Memory for one segment (1 MiB); the receiver of a segment may give it back for this. */
  readonly take?: () => Uint8Array
  /** Called with the plain bytes before they are encrypted: to hash and count them. Not to be kept. */
  readonly onPlain?: (bytes: Uint8Array) => void
}

/**
 * The stored segments of a stream of plain bytes: each of 1 MiB but the last one, which may be shorter. A
 * segment belongs to its receiver. The source's bytes are copied once.
 */
export async function* encryptContent(
  cipher: ContentCipher,
  source: AsyncIterable<Uint8Array>,
  { take, onPlain }: EncryptOptions = {},
): AsyncGenerator<Uint8Array> {
  const { segmentBytes } = cipher.format
  const memoryOfSegment = take ?? ((): Uint8Array => new Uint8Array(segmentBytes))
  const room = segmentBytes - GCM_TAG_BYTES
  let memory: Uint8Array = new Uint8Array(Math.min(FIRST_BYTES, segmentBytes))
  let start = headerBytes(cipher.format)
  let filled = start
  let segment = 0
  const sealed = (last: boolean): Uint8Array => {
    onPlain?.(memory.subarray(start, filled))
    const stored = memory.subarray(0, filled + GCM_TAG_BYTES)
    cipher.seal(stored, segment, last)
    return stored
  }
  for await (const part of source) {
    for (let offset = 0; offset < part.length; ) {
      // Only now that another byte follows is a full segment known not to be the last one.
      if (filled === room) {
        yield sealed(false)
        segment += 1
        memory = memoryOfSegment()
        start = 0
        filled = 0
      }
      const limit = Math.min(room, memory.length - GCM_TAG_BYTES)
      const length = Math.min(limit - filled, part.length - offset)
      memory.set(part.subarray(offset, offset + length), filled)
      filled += length
      offset += length
      if (filled === limit && limit < room) {
        const whole = memoryOfSegment()
        whole.set(memory)
        memory = whole
      }
    }
  }
  yield sealed(true)
}

export interface DecryptRange {
  /** Bytes of the whole stored content. */
  readonly storedSize: number
  /** First plain byte, default 0. */
  readonly offset?: number
  /** Plain bytes, default to the end; more than there are is cut off. */
  readonly length?: number
}

/**
 * The plain bytes of a range, segment by segment, each authentic before it is given out.
 *
 * @param read - the stored bytes from `from` to `to` (exclusive), in pieces of any size; whole segments are
 *   not copied
 * @throws CIPHER_SIZE, the errors of `ContentCipher.open`, what `read` throws
 */
export async function* decryptContent(
  cipher: ContentCipher,
  { storedSize, offset = 0, length = Number.MAX_SAFE_INTEGER - offset }: DecryptRange,
  read: (from: number, to: number) => AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const { format } = cipher
  const plainSize = plainSizeOf(storedSize, format)
  const lastSegment = segmentCount(plainSize, format) - 1
  const end = Math.min(plainSize, offset + length)
  // The segment of an empty content is opened all the same: that it is empty has to be authentic too.
  if (offset >= end && plainSize > 0) return
  const first = segmentAt(offset, format)
  const final = segmentAt(Math.max(offset, end - 1), format)
  const from = first * format.segmentBytes
  const to = Math.min(storedSize, (final + 1) * format.segmentBytes)
  let segment = first
  for await (const stored of segmentsIn(read(from, to), from, to, format.segmentBytes)) {
    const plain = cipher.open(stored, segment, segment === lastSegment)
    const start = plainStartOf(segment, format)
    const part = plain.subarray(Math.max(0, offset - start), end - start)
    if (part.length > 0) yield part
    segment += 1
  }
}

/** Whole segments out of pieces of any size. @throws CIPHER_TRUNCATED, CIPHER_TRAILING: not exactly these bytes */
async function* segmentsIn(
  pieces: AsyncIterable<Uint8Array>,
  from: number,
  to: number,
  segmentBytes: number,
): AsyncGenerator<Uint8Array> {
  let at = from
  let memory: Uint8Array | undefined
  let filled = 0
  for await (const piece of pieces) {
    for (let offset = 0; offset < piece.length; ) {
      const wanted = Math.min(segmentBytes, to - at)
      if (wanted === 0)
        throw cipherError('CIPHER_TRAILING', { segment: Math.ceil(at / segmentBytes) - 1 })
      const length = Math.min(wanted - filled, piece.length - offset)
      const part = piece.subarray(offset, offset + length)
      offset += length
      if (length === wanted) {
        yield part
      } else {
        memory ??= new Uint8Array(segmentBytes)
        memory.set(part, filled)
        filled += length
        if (filled < wanted) continue
        yield memory.subarray(0, wanted)
      }
      filled = 0
      at += wanted
    }
  }
  if (at < to) throw cipherError('CIPHER_TRUNCATED', { segment: Math.floor(at / segmentBytes) })
}
