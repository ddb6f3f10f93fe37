/** How the values of the state are written: canonical DAG-CBOR of one shape for each family of keys. */
import { decode, encodeSmall } from '../../common/dag-cbor.ts'
import type { Shape } from '../../common/schema.ts'
import type { ValueCodec } from '../view.ts'

/** Bytes of one value: a waiting record is the largest. A disk that hands out more is damaged. */
const MAX_VALUE_BYTES = 32 * 1024

/** The value of a key whose presence is all that it says: canonical DAG-CBOR of null. */
export const MARK: Uint8Array = Uint8Array.of(0xf6)

export function valueCodec<T>(shape: Shape<T>): ValueCodec<T> {
  return {
    encode: (value) => encodeSmall(shape.write(value) ?? null),
    decode: (bytes) => shape.read(decode(bytes, MAX_VALUE_BYTES), 'state'),
  }
}
