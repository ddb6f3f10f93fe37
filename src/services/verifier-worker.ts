/** The verifier's thread: takes one packed batch at a time and answers with one byte per signature. */
import { parentPort } from 'node:worker_threads'
import { KEY_BYTES, SIGNATURE_BYTES, verifyEd25519 } from '../common/crypto.ts'
import { assert } from '../common/errors.ts'

/** Items one after the other: key (32 bytes), signature (64), length of the message (4, little-endian), message. */
export interface VerifierJob {
  readonly id: number
  readonly count: number
  readonly packed: Uint8Array
}

export interface VerifierAnswer {
  readonly id: number
  /** 1: the signature is good. */
  readonly good: Uint8Array
}

/** Bytes of an item beside its message. */
export const ITEM_BYTES: number = KEY_BYTES + SIGNATURE_BYTES + 4

// Also loaded by the main thread, for the shape of the messages.
parentPort?.on('message', ({ id, count, packed }: VerifierJob) => {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength)
  const good = new Uint8Array(count)
  let at = 0
  for (let index = 0; index < count; index += 1) {
    const key = packed.subarray(at, at + KEY_BYTES)
    const signature = packed.subarray(at + KEY_BYTES, at + KEY_BYTES + SIGNATURE_BYTES)
    const length = view.getUint32(at + KEY_BYTES + SIGNATURE_BYTES, true)
    at += ITEM_BYTES
    good[index] = verifyEd25519(key, packed.subarray(at, at + length), signature) ? 1 : 0
    at += length
  }
  assert(parentPort !== null, 'it was asked by a port')
  parentPort.postMessage({ id, good } satisfies VerifierAnswer)
})
