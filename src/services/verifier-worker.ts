/**
 * The verifier's thread: takes one packed batch at a time, the urgent ones first, and answers with one byte per
 * signature. It keeps the batches itself: the main thread may be busy for longer than one takes.
 */
import { parentPort } from 'node:worker_threads'
import { KEY_BYTES, SIGNATURE_BYTES, verifyEd25519 } from '../common/crypto.ts'
import { assert } from '../common/errors.ts'

/** Items one after the other: key (32 bytes), signature (64), length of the message (4, little-endian), message. */
export interface VerifierJob {
  readonly id: number
  /** Goes before those that are not, behind those that are. */
  readonly urgent: boolean
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

const waiting: { readonly urgent: VerifierJob[]; readonly others: VerifierJob[] } = {
  urgent: [],
  others: [],
}
let running = false

const next = (): void => {
  const job = waiting.urgent.shift() ?? waiting.others.shift()
  running = job !== undefined
  if (job === undefined) return
  verify(job)
  // What came meanwhile is heard before the next one begins.
  setImmediate(next)
}

const verify = ({ id, count, packed }: VerifierJob): void => {
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
}

// Also loaded by the main thread, for the shape of the messages.
parentPort?.on('message', (job: VerifierJob) => {
  const { urgent, others } = waiting
  if (job.urgent) urgent.push(job)
  else others.push(job)
  if (!running) setImmediate(next)
  running = true
})
