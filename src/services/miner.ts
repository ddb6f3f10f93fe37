/**
 * Proof of work in a thread of its own, on demand.
 *
 * owns: the thread, its start at the first search and its end after idling
 * does not own: what is mined and when, and the check of what was found
 */
import { Worker } from 'node:worker_threads'
import { type Clock, systemClock } from '../common/clock.ts'
import { assert } from '../common/errors.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import { serviceError } from './errors.ts'
import type { MinerAnswer, MinerJob } from './miner-worker.ts'

/** Milliseconds without work after which the thread ends and gives its memory back. */
export const IDLE_MS = 15_000
/** Mebibytes of heap of the thread: it holds one header. */
const HEAP_MB = 16

export interface Miner extends Startable {
  /**
   * The nonce (8 bytes) with which the digest of `header`, as a big-endian number, is below
   * 2^256 / `difficulty`. One search at a time.
   *
   * @param header - an encoded header; its last 8 bytes are the nonce
   * @param signal - ends the search within milliseconds; the promise rejects at once with its reason
   * @throws `MINER_STOPPED`, `MINER_FAILED`
   */
  solve(header: Uint8Array, difficulty: number, signal: AbortSignal): Promise<Uint8Array>
}

export interface MinerComponents {
  readonly logger: Logger
  readonly clock?: Clock
}

interface Search {
  readonly id: number
  readonly found: (nonce: Uint8Array) => void
  readonly failed: (reason: unknown) => void
}

// The bundle holds the thread's code as a file of the same name.
const WORKER_FILE = import.meta.url.endsWith('.ts') ? './miner-worker.ts' : './miner-worker.js'
/** In the shared word when nothing is wanted; searches count from 1. */
const NOTHING = 0
/** Searches are counted in one 32-bit word. */
const MAX_ID = 0x7fff_ffff

export function createMiner({ logger, clock = systemClock }: MinerComponents): Miner {
  const wanted = new Int32Array(new SharedArrayBuffer(4))
  let running = false
  let worker: Worker | undefined
  let search: Search | undefined
  let lastId = 0
  let cancelIdle = (): void => {}

  const endSearch = (): Search | undefined => {
    const ended = search
    search = undefined
    Atomics.store(wanted, 0, NOTHING)
    worker?.unref()
    cancelIdle()
    cancelIdle = clock.after(IDLE_MS, () => void endWorker())
    return ended
  }

  const endWorker = async (): Promise<void> => {
    cancelIdle()
    const ending = worker
    worker = undefined
    await ending?.terminate()
  }

  const startWorker = (): Worker => {
    const started = new Worker(new URL(WORKER_FILE, import.meta.url), {
      name: 'cairn miner',
      workerData: wanted.buffer,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: HEAP_MB / 4 },
      execArgv: [],
    })
    const ended = (why: string): void => {
      if (worker !== started) return
      worker = undefined
      logger.error('The thread that mines ended.', { why })
      endSearch()?.failed(serviceError('MINER_FAILED', { why }))
    }
    started.on('message', ({ id, nonce }: MinerAnswer) => {
      if (search?.id === id) endSearch()?.found(nonce)
    })
    started.on('error', (error) => ended(error instanceof Error ? error.message : String(error)))
    started.on('exit', (code) => ended(`exit code ${code}`))
    return started
  }

  return {
    start: async () => {
      running = true
    },
    stop: async () => {
      running = false
      endSearch()?.failed(serviceError('MINER_STOPPED'))
      await endWorker()
    },
    solve: (header, difficulty, signal) =>
      new Promise((resolve, reject) => {
        if (!running) throw serviceError('MINER_STOPPED')
        signal.throwIfAborted()
        assert(search === undefined, 'the miner takes one search at a time')
        assert(Number.isSafeInteger(difficulty) && difficulty >= 1, 'difficulty is a whole number')
        const id = lastId === MAX_ID ? 1 : lastId + 1
        lastId = id
        const aborted = (): void => endSearch()?.failed(signal.reason)
        const settle =
          <T>(done: (value: T) => void) =>
          (value: T): void => {
            signal.removeEventListener('abort', aborted)
            done(value)
          }
        search = { id, found: settle(resolve), failed: settle(reject) }
        signal.addEventListener('abort', aborted, { once: true })
        cancelIdle()
        Atomics.store(wanted, 0, id)
        worker ??= startWorker()
        worker.ref()
        worker.postMessage({ id, header, difficulty } satisfies MinerJob)
      }),
  }
}
