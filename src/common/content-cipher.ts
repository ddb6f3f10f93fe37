/**
 * The cipher of private content: Tink's streaming AEAD, AES256-GCM-HKDF-1MB, segment by segment. Where the
 * segments lie says content-format.ts.
 *
 * Each content has a key of its own: HKDF (RFC 5869) of the content key, the header's salt and the associated
 * data. A segment's nonce is the header's prefix, its number in 4 bytes (big-endian), and 1 for the last
 * segment, else 0: bytes that are moved, cut or appended do not open.
 */
import { equalBytes } from './bytes.ts'
import { cipherError } from './cipher-errors.ts'
import {
  CONTENT_FORMAT,
  headerBytes,
  NONCE_PREFIX_BYTES,
  type StreamFormat,
} from './content-format.ts'
import { GCM_NONCE_BYTES, GCM_TAG_BYTES, gcmKey, hkdf } from './crypto.ts'
import { assert, type CairnError } from './errors.ts'

export interface ContentCipher {
  readonly header: Uint8Array
  readonly format: StreamFormat
  /**
   * Encrypts in place. `memory` is what will be stored of the segment: room for the header in segment 0, the
   * plain bytes, room for the tag. Each number once, and one last segment, for one key and header.
   */
  seal(memory: Uint8Array, segment: number, last: boolean): void
  /**
   * The plain bytes of a segment, in memory of their own.
   *
   * @param stored - the whole segment
   * @throws CIPHER_HEADER, CIPHER_KEY, CIPHER_DAMAGED, CIPHER_ORDER, CIPHER_TRUNCATED, CIPHER_TRAILING
   */
  open(stored: Uint8Array, segment: number, last: boolean): Uint8Array
}

export interface ContentCipherInit {
  /** The content key: 32 random bytes. */
  readonly key: Uint8Array
  /** As `newHeader` made it, from the record of the version or the first bytes of the content. */
  readonly header: Uint8Array
  /** Has to be the same to open. Empty by default: other tools need not know anything but the key. */
  readonly associatedData?: Uint8Array
  /** Another only in tests. */
  readonly format?: StreamFormat
}

/** Segments before and after the expected one that are tried to tell why a segment does not open. */
const ORDER_TRIED = 8
const NONE = new Uint8Array()

/** A fresh header: never used for two contents with one key. @param randomBytes - cryptographically random */
export function newHeader(
  randomBytes: (length: number) => Uint8Array,
  format: StreamFormat = CONTENT_FORMAT,
): Uint8Array {
  const header = new Uint8Array(headerBytes(format))
  header[0] = header.length
  header.set(randomBytes(header.length - 1), 1)
  return header
}

/** @throws CIPHER_HEADER */
export function createContentCipher({
  key,
  header,
  associatedData = NONE,
  format = CONTENT_FORMAT,
}: ContentCipherInit): ContentCipher {
  assert(key.length >= format.keyBytes, 'a content key has 32 bytes')
  const headerLength = headerBytes(format)
  if (header.length !== headerLength) {
    throw cipherError('CIPHER_HEADER', { why: `the header has ${header.length} bytes` })
  }
  if (header[0] !== headerLength) {
    throw cipherError('CIPHER_HEADER', {
      why: `its first byte is ${header[0]}, not ${headerLength}`,
    })
  }
  const salt = header.subarray(1, 1 + format.keyBytes)
  const gcm = gcmKey(hkdf(key, salt, associatedData, format.keyBytes, format.digest))
  const nonceOf = (segment: number, last: boolean): Uint8Array => {
    const nonce = new Uint8Array(GCM_NONCE_BYTES)
    nonce.set(header.subarray(1 + format.keyBytes))
    new DataView(nonce.buffer).setUint32(NONCE_PREFIX_BYTES, segment)
    nonce[GCM_NONCE_BYTES - 1] = last ? 1 : 0
    return nonce
  }
  const startOf = (segment: number): number => (segment === 0 ? headerLength : 0)
  /** Whether the key has opened a segment: then another that does not open is no matter of the key. */
  let proven = false

  const reasonFor = (sealed: Uint8Array, segment: number, last: boolean): CairnError => {
    const opens = (number: number, end: boolean): boolean =>
      number >= 0 && gcm.open(nonceOf(number, end), sealed) !== undefined
    if (opens(segment, !last)) {
      return cipherError(last ? 'CIPHER_TRUNCATED' : 'CIPHER_TRAILING', { segment })
    }
    for (let away = 1; away <= ORDER_TRIED; away++) {
      for (const found of [segment - away, segment + away]) {
        if (opens(found, false) || opens(found, true)) {
          return cipherError('CIPHER_ORDER', { segment, found })
        }
      }
    }
    return cipherError(proven ? 'CIPHER_DAMAGED' : 'CIPHER_KEY', { segment })
  }

  return {
    header,
    format,
    seal: (memory, segment, last) => {
      if (segment === 0) memory.set(header)
      const body = memory.subarray(startOf(segment))
      gcm.sealInto(nonceOf(segment, last), body.subarray(0, body.length - GCM_TAG_BYTES), body)
    },
    open: (stored, segment, last) => {
      const start = startOf(segment)
      // Segment 0 of another content has another header; a later segment in its place has none.
      const headed = start === 0 || equalBytes(stored.subarray(0, start), header)
      const plain = headed ? gcm.open(nonceOf(segment, last), stored.subarray(start)) : undefined
      if (plain !== undefined) {
        proven = true
        return plain
      }
      if (headed) {
        // A segment 0 that was put elsewhere still has its header in front.
        const first = segment > 0 && equalBytes(stored.subarray(0, headerLength), header)
        throw reasonFor(
          first ? stored.subarray(headerLength) : stored.subarray(start),
          segment,
          last,
        )
      }
      const found = reasonFor(stored, segment, last)
      if (found.code === 'CIPHER_ORDER') throw found
      throw cipherError('CIPHER_HEADER', { why: 'its header is not the one that the record names' })
    },
  }
}
