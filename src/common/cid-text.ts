/**
 * Base32 text of the one form of CID that this project makes: version 1, a one-byte codec, SHA-256 (36 bytes,
 * 59 letters). Every id is such a text, so this runs for each link of each record; it is some ten times as
 * fast as the general encoder.
 */
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'
/** Bytes of such a CID: version, codec, hash code, hash length, digest. */
export const CID_BYTES = 36
/** Letters of its text: `b` and 288 bits at 5 bits each. */
const TEXT_LENGTH = 59
const DIGEST_OFFSET = 4
const SHA2_256 = 0x12
const DIGEST_BYTES = 32

const LETTERS = Uint8Array.from(ALPHABET, (letter) => letter.charCodeAt(0))
const VALUES = new Uint8Array(128).fill(255)
for (const [value, letter] of LETTERS.entries()) VALUES[letter] = value

/** Whether the 36 bytes at `offset` are a CIDv1 with a one-byte codec and a SHA-256 digest. */
export function isPlainCid(bytes: Uint8Array, offset: number): boolean {
  return (
    bytes.length >= offset + CID_BYTES &&
    bytes[offset] === 1 &&
    (bytes[offset + 1] ?? 255) < 128 &&
    bytes[offset + 2] === SHA2_256 &&
    bytes[offset + 3] === DIGEST_BYTES
  )
}

const letters = Buffer.alloc(TEXT_LENGTH)
letters[0] = 'b'.charCodeAt(0)

/** The text of the 36 bytes at `offset`. */
export function plainCidText(bytes: Uint8Array, offset: number): string {
  let bits = 0
  let held = 0
  let filled = 1
  for (let i = offset; i < offset + CID_BYTES; i++) {
    bits = ((bits << 8) | (bytes[i] ?? 0)) & 0xfff
    held += 8
    while (held >= 5) {
      held -= 5
      letters[filled++] = LETTERS[(bits >> held) & 31] ?? 0
    }
  }
  letters[filled] = LETTERS[(bits << (5 - held)) & 31] ?? 0
  return letters.toString('latin1')
}

const scratch = new Uint8Array(CID_BYTES)
scratch[0] = 1
scratch[2] = SHA2_256
scratch[3] = DIGEST_BYTES

/** The text of the CID with this codec (below 128) and the digest that `hex` (64 digits) stands for. */
export function plainCidOfHex(codec: number, hex: string): string {
  scratch[1] = codec
  for (let i = 0; i < DIGEST_BYTES; i++) {
    scratch[DIGEST_OFFSET + i] =
      (nibble(hex.charCodeAt(2 * i)) << 4) | nibble(hex.charCodeAt(2 * i + 1))
  }
  return plainCidText(scratch, 0)
}

function nibble(code: number): number {
  return code < 58 ? code - 48 : code - 87
}

/** Writes the 36 bytes of such a text at `offset` of `into`; false, with anything written, for other texts. */
export function writePlainCid(text: string, into: Uint8Array, offset: number): boolean {
  if (text.length !== TEXT_LENGTH || text.charCodeAt(0) !== 98) return false
  let bits = 0
  let held = 0
  let filled = offset
  for (let i = 1; i < TEXT_LENGTH; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? 255
    if (value === 255) return false
    bits = ((bits << 5) | value) & 0xfff
    held += 5
    if (held >= 8) {
      held -= 8
      into[filled++] = bits >> held
    }
  }
  return (bits & ((1 << held) - 1)) === 0 && isPlainCid(into, offset)
}

/** The 36 bytes of such a text; undefined for any other text. */
export function plainCidBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(CID_BYTES)
  return writePlainCid(text, bytes, 0) ? bytes : undefined
}

/** The SHA-256 digest (a view) in the 36 bytes of a CID. */
export function digestIn(cid: Uint8Array): Uint8Array {
  return cid.subarray(DIGEST_OFFSET, CID_BYTES)
}
