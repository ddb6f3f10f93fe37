/**
 * `/cairn/key/1.0.0`: what travels when a reader asks a key holder for the key of a version. One request, one
 * answer, each canonical DAG-CBOR in one frame, bounded before anything else looks at it. Pure.
 *
 * A key travels sealed to the reading device (HPKE); the stream is encrypted besides.
 */
import type { RecordId } from '../../chain/ids.ts'
import { SEALED_KEY_BYTES } from '../../chain/record-bodies.ts'
import { DAG_CBOR, decode, encode } from '../../common/dag-cbor.ts'
import {
  bytes,
  link,
  oneOf,
  optional,
  type Shaped,
  struct,
  text,
  variant,
} from '../../common/schema.ts'

export const KEY_PROTOCOL = '/cairn/key/1.0.0'

/** Bytes of a request or an answer: the largest holds two sealed keys. */
export const MAX_KEY_MESSAGE_BYTES = 512
/** Letters of a reason code. */
const MAX_REASON_BYTES = 64

/**
 * Why no key is given. `NOT_CONFIRMED`: the holder's best chain does not hold the access yet, ask again after
 * the next block; `BUSY`: ask again later; `MALFORMED`: what was asked is no request. All others are final for
 * this access at this holder.
 */
export const REFUSALS = [
  'NOT_CONFIRMED',
  'ACCESS_DENIED',
  'REVOKED',
  'EXPIRED',
  'USED_UP',
  'NOT_YOUR_ACCESS',
  'NO_KEY_HERE',
  'NOT_A_HOLDER',
  'BUSY',
  'MALFORMED',
] as const
export type Refusal = (typeof REFUSALS)[number]

const requestShape = struct({ access: link<RecordId>(DAG_CBOR) })

const answerShape = variant('type', {
  key: struct({
    /** The content key, sealed to the encryption key of the device that asks. */
    sealed: bytes(SEALED_KEY_BYTES),
    /** The metadata key of the version, in the same way. */
    metadataKey: optional(bytes(SEALED_KEY_BYTES)),
  }),
  refused: struct({
    code: oneOf(...REFUSALS),
    /** The reason code of the rules, with `ACCESS_DENIED`. */
    reason: optional(text(MAX_REASON_BYTES, 1)),
  }),
})

export type KeyRequest = Shaped<typeof requestShape>
export type KeyAnswer = Shaped<typeof answerShape>

export function encodeKeyRequest(request: KeyRequest): Uint8Array {
  return encode(requestShape.write(request) ?? null)
}

/** @throws `ENCODING` */
export function decodeKeyRequest(encoded: Uint8Array): KeyRequest {
  return requestShape.read(decode(encoded, MAX_KEY_MESSAGE_BYTES), 'request')
}

export function encodeKeyAnswer(answer: KeyAnswer): Uint8Array {
  return encode(answerShape.write(answer) ?? null)
}

/** @throws `ENCODING` */
export function decodeKeyAnswer(encoded: Uint8Array): KeyAnswer {
  return answerShape.read(decode(encoded, MAX_KEY_MESSAGE_BYTES), 'answer')
}
