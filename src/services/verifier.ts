/**
 * Ed25519 signatures in batches, away from the main thread.
 *
 * Few run where they are asked for, a block's on the process's thread pool, a window's of a long sync in one
 * thread of its own. Measured on two cores in a first sync: the pool's four threads crowd out the main thread,
 * which has the longer way to go; one thread beside it leaves each a core.
 *
 * owns: where a batch is verified; the thread, its start at the first long batch and its end after idling
 * does not own: which batches there are, and how many at a time (callers bound them)
 */
import { Worker } from 'node:worker_threads'
import { type Clock, systemClock } from '../common/clock.ts'
import { KEY_BYTES, SIGNATURE_BYTES, verifyEd25519, verifyEd25519Apart } from '../common/crypto.ts'
import { serviceError } from './errors.ts'
import { ITEM_BYTES, type VerifierAnswer, type VerifierJob } from './verifier-worker.ts'

/** Signatures verified at once on the calling thread: below this, handing over costs more time than it saves. */
export const MAX_INLINE = 8
/** Signatures of a batch that the pool takes; a longer one goes to the thread. */
export const MAX_POOLED = 256
/** Milliseconds without a long batch after which the thread ends and gives its memory back. */
export const IDLE_MS = 5_000
/** Mebibytes of heap of the thread: it holds keys and one batch's results. */
const HEAP_MB = 32

export interface SignedItem {
  /** 32 bytes */
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  /** 64 bytes */
  readonly signature: Uint8Array
}

export interface VerifyOptions {
  /** Goes before the batches that wait. */
  readonly urgent?: boolean
  readonly signal?: AbortSignal
}

export interface Verifier {
  /**
   * Whether each item's signature is good, in their order; a wrong length is a bad signature, not an error.
   *
   * @throws the signal's reason; `VERIFIER_FAILED` when the thread ended
   */
  verify(items: readonly SignedItem[], options?: VerifyOptions): Promise<boolean[]>
  /** Ends the thread; what is being verified there fails. */
  stop(): Promise<void>
}

interface Pending {
  readonly done: (good: Uint8Array) => void
  readonly failed: (error: Error) => void
}

// The bundle holds the thread's code as a file of the same name.
const WORKER_FILE = import.meta.url.endsWith('.ts')
  ? './verifier-worker.ts'
  : './verifier-worker.js'

export function createVerifier({ clock = systemClock }: { clock?: Clock } = {}): Verifier {
  const waiting = new Map<number, Pending>()
  let worker: Worker | undefined
  let lastId = 0
  let cancelIdle = (): void => {}

  const endWorker = async (): Promise<void> => {
    cancelIdle()
    const ending = worker
    worker = undefined
    for (const { failed } of waiting.values()) failed(serviceError('VERIFIER_FAILED'))
    waiting.clear()
    await ending?.terminate()
  }

  const rest = (): void => {
    if (waiting.size > 0) return
    worker?.unref()
    cancelIdle()
    cancelIdle = clock.after(IDLE_MS, () => void endWorker())
  }

  const startWorker = (): Worker => {
    const started = new Worker(new URL(WORKER_FILE, import.meta.url), {
      name: 'cairn verifier',
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: HEAP_MB / 4 },
      execArgv: [],
    })
    const ended = (): void => {
      if (worker === started) void endWorker()
    }
    started.on('message', ({ id, good }: VerifierAnswer) => {
      waiting.get(id)?.done(good)
      waiting.delete(id)
      rest()
    })
    started.on('error', ended)
    started.on('exit', ended)
    return started
  }

  const verifyApart = (items: readonly SignedItem[], urgent: boolean): Promise<boolean[]> =>
    new Promise((resolve, reject) => {
      lastId += 1
      const id = lastId
      waiting.set(id, { done: (good) => resolve(Array.from(good, Boolean)), failed: reject })
      cancelIdle()
      worker ??= startWorker()
      worker.ref()
      const packed = pack(items)
      const job: VerifierJob = { id, urgent, count: items.length, packed }
      worker.postMessage(job, [packed.buffer])
    })

  const verifyPooled = (items: readonly SignedItem[]): Promise<boolean[]> =>
    Promise.all(
      items.map(
        ({ publicKey, message, signature }) =>
          new Promise<boolean>((resolve) => {
            verifyEd25519Apart(publicKey, message, signature, resolve)
          }),
      ),
    )

  return {
    verify: async (items, { urgent = false, signal } = {}) => {
      signal?.throwIfAborted()
      if (items.length < MAX_INLINE) {
        return items.map((i) => verifyEd25519(i.publicKey, i.message, i.signature))
      }
      const good = await (items.length <= MAX_POOLED
        ? verifyPooled(items)
        : verifyApart(items, urgent))
      signal?.throwIfAborted()
      return good
    },
    stop: endWorker,
  }
}

/** See `VerifierJob`. Keys and signatures of a wrong length become ones that fit nothing. */
function pack(items: readonly SignedItem[]): Uint8Array<ArrayBuffer> {
  let size = 0
  for (const { message } of items) size += ITEM_BYTES + message.length
  const packed = new Uint8Array(size)
  const view = new DataView(packed.buffer)
  let at = 0
  for (const { publicKey, message, signature } of items) {
    const fits = publicKey.length === KEY_BYTES && signature.length === SIGNATURE_BYTES
    if (fits) {
      packed.set(publicKey, at)
      packed.set(signature, at + KEY_BYTES)
    } else {
      // A key whose y coordinate is no field element is refused (RFC 8032, section 5.1.3).
      packed.fill(0xff, at, at + KEY_BYTES)
    }
    view.setUint32(at + KEY_BYTES + SIGNATURE_BYTES, message.length, true)
    packed.set(message, at + ITEM_BYTES)
    at += ITEM_BYTES + message.length
  }
  return packed
}
