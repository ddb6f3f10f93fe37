/** The miner's thread: takes one search at a time, stops it when the shared word names another. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '../common/errors.ts'
import { createSearch } from './miner-work.ts'

/** Nonces between two looks at the shared word: about a millisecond. */
const NONCES_PER_LOOK = 2048

/** What the thread is asked; answered by `MinerAnswer`, or by nothing when it was stopped. */
export interface MinerJob {
  readonly id: number
  readonly header: Uint8Array
  readonly difficulty: number
}

export interface MinerAnswer {
  readonly id: number
  readonly nonce: Uint8Array
}

assert(parentPort !== null, 'miner-worker runs as a worker thread')
const port = parentPort
/** One word, shared with the main thread: the id of the search that is wanted. */
const wanted: Int32Array = new Int32Array(workerData)

port.on('message', ({ id, header, difficulty }: MinerJob) => {
  const search = createSearch(header, difficulty)
  while (Atomics.load(wanted, 0) === id) {
    const nonce = search.next(NONCES_PER_LOOK)
    if (nonce === undefined) continue
    port.postMessage({ id, nonce } satisfies MinerAnswer)
    return
  }
})
