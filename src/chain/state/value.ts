/** How the values of the state are written: canonical DAG-CBOR of one shape for each family of keys. */
import { decode, encodeSmall } from '../../common/dag-cbor.ts'
import type { Shape } from '../../common/schema.ts'
import type { ValueCodec } from '../view.ts'

/** Bytes of one value: a waiting record is the largest. A disk that hands out more is damaged. */
const MAX_VALUE_BYTES = 32 * 1024

/** The value of a key whose presence is all that it says: canonical DAG-CBOR of null. */
export const MARK: Uint8Array = Uint8Array.of(0xf6)

/** Values whose bytes are remembered with them: the devices and users of a run of blocks. */
const MAX_KNOWN = 64

export function valueCodec<T>(shape: Shape<T>): ValueCodec<T> {
  // A block begins with the values, and the very byte arrays, that the one before it left.
  const known = new Map<Uint8Array, T>()
  const note = (bytes: Uint8Array, value: T): void => {
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(bytes, value)
  }
  return {
    encode: (value) => {
      const bytes = encodeSmall(shape.write(value) ?? null)
      note(bytes, value)
      return bytes
    },
    decode: (bytes) => {
      const before = known.get(bytes)
      if (before !== undefined) return before
      const value = shape.read(decode(bytes, MAX_VALUE_BYTES), 'state')
      note(bytes, value)
      return value
    },
  }
}
