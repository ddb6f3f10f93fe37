/** A sum beside what is stored and stands under no hash of its own: a bit that changes on the disk is noticed. */
import { crc32 } from 'node:zlib'

/** CRC-32 over the parts, one after the other. */
export function checksumOf(...parts: readonly (string | Uint8Array)[]): number {
  let sum = 0
  for (const part of parts) sum = crc32(part, sum)
  return sum
}
