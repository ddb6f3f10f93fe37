/**
 * Byte helpers that every layer shares. Pure.
 *
 * owns: comparison, concatenation, text and hexadecimal forms of bytes
 * does not own: any encoding with a structure (chain/codec.ts)
 */
export { compare as compareBytes } from 'uint8arrays/compare'
export { concat as concatBytes } from 'uint8arrays/concat'
export { equals as equalBytes } from 'uint8arrays/equals'

import { fromString } from 'uint8arrays/from-string'
import { toString as render } from 'uint8arrays/to-string'

const encoder = new TextEncoder()

/** UTF-8 bytes of `text`. */
export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** Lower-case hexadecimal of `bytes`. */
export function toHex(bytes: Uint8Array): string {
  return render(bytes, 'base16')
}

/** Bytes of lower-case hexadecimal; throws a SyntaxError for anything else. */
export function fromHex(hex: string): Uint8Array {
  return fromString(hex, 'base16')
}
