/**
 * Where the bytes of an encrypted content lie: Tink's streaming AEAD, AES256-GCM-HKDF-1MB.
 *
 * owns: sizes, segments and ranges
 * does not own: keys and ciphers (content-cipher.ts)
 *
 *     stored  = segment 0 | segment 1 | … | segment n     each of 1 MiB, the last one of 17 bytes or more
 *     segment 0 = header (40 bytes) | ciphertext | tag (16 bytes); the others have no header
 *     header  = 40 (one byte) | salt (32 bytes) | nonce prefix (7 bytes)
 *
 * A segment is a leaf of the file's UnixFS tree. The empty file is a segment 0 without ciphertext: 56 bytes.
 * Source: https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming
 */
import { cipherError } from './cipher-errors.ts'
import { GCM_TAG_BYTES } from './crypto.ts'
import { MIB } from './limits.ts'

export const NONCE_PREFIX_BYTES = 7

/** What the format leaves open. */
export interface StreamFormat {
  readonly digest: 'sha1' | 'sha256' | 'sha512'
  /** Bytes of the derived key, and of the salt. */
  readonly keyBytes: 16 | 32
  /** Bytes of a segment as it is stored. */
  readonly segmentBytes: number
}

/** The one format of this project's files; others only in tests. */
export const CONTENT_FORMAT: StreamFormat = { digest: 'sha256', keyBytes: 32, segmentBytes: MIB }

/** Segments of one content: the number in the nonce has 4 bytes. */
const MAX_SEGMENTS = 2 ** 32

/** Part of a segment that a range of plain bytes needs; `from` and `to` (exclusive) count its plain bytes. */
export interface SegmentSlice {
  readonly segment: number
  readonly from: number
  readonly to: number
}

/** Bytes of the header: 40. */
export function headerBytes({ keyBytes }: StreamFormat = CONTENT_FORMAT): number {
  return 1 + keyBytes + NONCE_PREFIX_BYTES
}

/** Bytes that a content of `plainSize` bytes takes when it is stored. @throws CIPHER_SIZE: beyond 4 PiB */
export function storedSizeOf(plainSize: number, format: StreamFormat = CONTENT_FORMAT): number {
  const segments = segmentCount(plainSize, format)
  if (!Number.isSafeInteger(plainSize) || plainSize < 0 || segments > MAX_SEGMENTS) {
    throw cipherError('CIPHER_SIZE', { bytes: plainSize })
  }
  return headerBytes(format) + plainSize + segments * GCM_TAG_BYTES
}

/** The inverse of `storedSizeOf`. @throws CIPHER_SIZE: no content has this size */
export function plainSizeOf(storedSize: number, format: StreamFormat = CONTENT_FORMAT): number {
  const segments = Math.ceil(storedSize / format.segmentBytes)
  const plainSize = storedSize - headerBytes(format) - segments * GCM_TAG_BYTES
  if (
    !Number.isSafeInteger(storedSize) ||
    plainSize < 0 ||
    segments > MAX_SEGMENTS ||
    storedSizeOf(plainSize, format) !== storedSize
  ) {
    throw cipherError('CIPHER_SIZE', { bytes: storedSize })
  }
  return plainSize
}

/** Segments of a content of `plainSize` bytes, 1 at least. */
export function segmentCount(plainSize: number, format: StreamFormat = CONTENT_FORMAT): number {
  return Math.max(1, Math.ceil((plainSize + headerBytes(format)) / plainBytesOf(format)))
}

/** The segment in which the plain byte at `offset` lies. */
export function segmentAt(offset: number, format: StreamFormat = CONTENT_FORMAT): number {
  return Math.floor((offset + headerBytes(format)) / plainBytesOf(format))
}

/** The plain byte with which `segment` begins. */
export function plainStartOf(segment: number, format: StreamFormat = CONTENT_FORMAT): number {
  return segment === 0 ? 0 : segment * plainBytesOf(format) - headerBytes(format)
}

/** What of which segments holds the plain bytes from `offset` to `offset + length`, in order; cut at the end. */
export function* segmentsOf(
  plainSize: number,
  offset: number,
  length: number,
  format: StreamFormat = CONTENT_FORMAT,
): Generator<SegmentSlice> {
  const end = Math.min(plainSize, offset + length)
  for (let at = offset; at < end; ) {
    const segment = segmentAt(at, format)
    const start = plainStartOf(segment, format)
    const to = Math.min(end, plainStartOf(segment + 1, format))
    yield { segment, from: at - start, to: to - start }
    at = to
  }
}

/** Plain bytes of a whole segment that has no header: 1,048,560. */
function plainBytesOf({ segmentBytes }: StreamFormat): number {
  return segmentBytes - GCM_TAG_BYTES
}
