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

const PAIRS: readonly string[] = Array.from(
  { length: 1024 },
  (_, bits) => (ALPHABET[bits >> 5] ?? '') + (ALPHABET[bits & 31] ?? ''),
)
const VALUES = new Uint8Array(128).fill(255)
for (const [value, letter] of [...ALPHABET].entries()) VALUES[letter.charCodeAt(0)] = value

/** Whether the 36 bytes at `offset` are a CIDv1 with a one-byte codec and a SHA-256 digest. */
export function isPlainCid(bytes: Uint8Array, offset: number): boolean {
  return (
    bytes.length >= offset + CID_BYTES &&
    bytes[offset] === 1 &&
    (bytes[offset + 1] ?? 255) < 128 &&
    bytes[offset + 2] === 0x12 &&
    bytes[offset + 3] === 0x20
  )
}

/** The text of the 36 bytes at `offset`. */
export function plainCidText(bytes: Uint8Array, offset: number): string {
  const at = (index: number): number => bytes[offset + index] ?? 0
  let text = 'b'
  for (let i = 0; i < 35; i += 5) {
    const b1 = at(i + 1)
    const b2 = at(i + 2)
    const b3 = at(i + 3)
    text += PAIRS[(at(i) << 2) | (b1 >> 6)]
    text += PAIRS[((b1 & 63) << 4) | (b2 >> 4)]
    text += PAIRS[((b2 & 15) << 6) | (b3 >> 2)]
    text += PAIRS[((b3 & 3) << 8) | at(i + 4)]
  }
  return text + PAIRS[at(35) << 2]
}

/** The 36 bytes of such a text; undefined for any other text. */
export function plainCidBytes(text: string): Uint8Array | undefined {
  if (text.length !== TEXT_LENGTH || text.charCodeAt(0) !== 98) return undefined
  const bytes = new Uint8Array(CID_BYTES)
  let bits = 0
  let held = 0
  let filled = 0
  for (let i = 1; i < TEXT_LENGTH; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? 255
    if (value === 255) return undefined
    bits = (bits << 5) | value
    held += 5
    if (held >= 8) {
      held -= 8
      bytes[filled++] = bits >> held
      bits &= (1 << held) - 1
    }
  }
  return bits === 0 && isPlainCid(bytes, 0) ? bytes : undefined
}

/** The SHA-256 digest (a view) in the 36 bytes of a CID. */
export function digestIn(cid: Uint8Array): Uint8Array {
  return cid.subarray(DIGEST_OFFSET, CID_BYTES)
}
