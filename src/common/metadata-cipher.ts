/**
 * How the metadata of a private version is encrypted: AES-256-GCM under the metadata key, a random nonce in
 * front. The plain text is padded, so that its length does not tell the length of a name.
 *
 *     nonce (12 bytes) | ciphertext | tag (16 bytes)
 *     plain text = length (4 bytes, big-endian) | value | zero bytes up to a multiple of 256
 */
import { concatBytes } from './bytes.ts'
import { GCM_NONCE_BYTES, GCM_TAG_BYTES, gcmKey } from './crypto.ts'

/** A name, a folder or two, a type and a hash fit in; longer ones take the next step. */
const PADDING_BYTES = 256
const LENGTH_BYTES = 4

/**
 * @param key - 32 random bytes; may be used again with another nonce
 * @param associatedData - has to be the same to open
 */
export function encryptMetadata(
  key: Uint8Array,
  value: Uint8Array,
  associatedData: Uint8Array,
  randomBytes: (length: number) => Uint8Array,
): Uint8Array {
  const padded = Math.ceil((LENGTH_BYTES + value.length) / PADDING_BYTES) * PADDING_BYTES
  const plain = new Uint8Array(padded)
  new DataView(plain.buffer).setUint32(0, value.length)
  plain.set(value, LENGTH_BYTES)
  const nonce = randomBytes(GCM_NONCE_BYTES)
  const sealed = new Uint8Array(padded + GCM_TAG_BYTES)
  gcmKey(key).sealInto(nonce, plain, sealed, associatedData)
  return concatBytes([nonce, sealed])
}

/** The value; undefined when the key or the associated data is another, or the bytes are damaged. */
export function decryptMetadata(
  key: Uint8Array,
  encrypted: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array | undefined {
  if (encrypted.length < GCM_NONCE_BYTES + GCM_TAG_BYTES + LENGTH_BYTES) return undefined
  const nonce = encrypted.subarray(0, GCM_NONCE_BYTES)
  const plain = gcmKey(key).open(nonce, encrypted.subarray(GCM_NONCE_BYTES), associatedData)
  if (plain === undefined || plain.length < LENGTH_BYTES) return undefined
  const length = new DataView(plain.buffer, plain.byteOffset).getUint32(0)
  const end = LENGTH_BYTES + length
  return end <= plain.length ? plain.slice(LENGTH_BYTES, end) : undefined
}
