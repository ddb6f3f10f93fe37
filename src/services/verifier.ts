/**
 * Ed25519 signatures in batches, away from the main thread.
 *
 * They run on the process's thread pool, not in a worker: measured on two cores, the pool verified 1.7 times
 * as much as one core alone while the main thread spent 7 µs per signature, without a second heap in memory.
 */
import { verifyEd25519, verifyEd25519Apart } from '../common/crypto.ts'

/** Signatures verified at once on the calling thread: below this, handing over costs more time than it saves. */
export const MAX_INLINE = 8
/**
 * Signatures that wait in the pool: what two cores verify while the main thread connects a window of blocks. A
 * file operation, which shares the pool, waits behind them for up to a fifth of a second, in a first sync only.
 */
export const MAX_IN_FLIGHT = 4096

export interface SignedItem {
  /** 32 bytes */
  readonly publicKey: Uint8Array
  readonly message: Uint8Array
  /** 64 bytes */
  readonly signature: Uint8Array
}

export interface Verifier {
  /**
   * Whether each item's signature is good, in their order; a wrong length is a bad signature, not an error.
   * Batches run one after the other; the caller bounds how many it has waiting.
   */
  verify(items: readonly SignedItem[], signal?: AbortSignal): Promise<boolean[]>
  /** Resolves when nothing is being verified. */
  stop(): Promise<void>
}

interface Batch {
  readonly items: readonly SignedItem[]
  readonly results: boolean[]
  readonly signal: AbortSignal | undefined
  next: number
  left: number
  readonly finish: () => void
}

export function createVerifier(): Verifier {
  const batches: Batch[] = []
  const idle: (() => void)[] = []
  let inFlight = 0

  const settle = (batch: Batch): void => {
    inFlight -= 1
    batch.left -= 1
    if (batch.left === 0) batch.finish()
    pump()
    if (inFlight === 0 && batches.length === 0) for (const resolve of idle.splice(0)) resolve()
  }

  const pump = (): void => {
    while (inFlight < MAX_IN_FLIGHT) {
      const batch = batches[0]
      if (batch === undefined) return
      if (batch.signal?.aborted === true) batch.left -= batch.items.length - batch.next
      const at = batch.next
      const item = batch.signal?.aborted === true ? undefined : batch.items[at]
      if (item === undefined) {
        batches.shift()
        if (batch.left === 0) batch.finish()
        continue
      }
      batch.next += 1
      inFlight += 1
      verifyEd25519Apart(item.publicKey, item.message, item.signature, (valid) => {
        batch.results[at] = valid
        settle(batch)
      })
    }
  }

  return {
    verify: (items, signal) => {
      if (signal?.aborted === true) return Promise.reject(signal.reason)
      if (items.length < MAX_INLINE) {
        return Promise.resolve(items.map((i) => verifyEd25519(i.publicKey, i.message, i.signature)))
      }
      return new Promise((resolve, reject) => {
        const results = new Array<boolean>(items.length).fill(false)
        const finish = (): void => {
          if (signal?.aborted === true) reject(signal.reason)
          else resolve(results)
        }
        batches.push({ items, results, signal, next: 0, left: items.length, finish })
        pump()
      })
    },
    stop: () =>
      inFlight === 0 && batches.length === 0
        ? Promise.resolve()
        : new Promise((resolve) => void idle.push(resolve)),
  }
}
