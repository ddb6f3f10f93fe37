/** Runs many seeds, several at a time in worker threads. */
import { Worker } from 'node:worker_threads'
import type { Family } from './plan.ts'
import type { Outcome } from './simulate.ts'

export interface SeedResult {
  readonly seed: number
  readonly family: Family
  readonly failures: readonly string[]
  readonly trace: string
  readonly figures: Outcome['figures']
}

export interface SeedJob {
  readonly seed: number
  readonly family: Family | undefined
}

/** Milliseconds of real time after which a run counts as hanging. */
const HANG_MS = 60_000

/** @param report - told of each seed as it ends */
export async function runSeeds(
  seeds: readonly number[],
  options: { readonly family?: Family | undefined; readonly workers: number },
  report: (result: SeedResult) => void,
): Promise<void> {
  const queue = [...seeds]
  const one = async (): Promise<void> => {
    let hand = start()
    try {
      for (let seed = queue.shift(); seed !== undefined; seed = queue.shift()) {
        const job: SeedJob = { seed, family: options.family }
        try {
          report(await hand.run(job))
        } catch (error) {
          await hand.stop()
          hand = start()
          report(broken(job, error))
        }
      }
    } finally {
      await hand.stop()
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, options.workers) }, one))
}

interface Hand {
  run(job: SeedJob): Promise<SeedResult>
  stop(): Promise<unknown>
}

function start(): Hand {
  const worker = new Worker(new URL('./worker.ts', import.meta.url))
  let settle: { resolve(result: SeedResult): void; reject(error: unknown): void } | undefined
  worker.on('message', (result: SeedResult) => settle?.resolve(result))
  worker.on('error', (error) => settle?.reject(error))
  worker.on('exit', () => settle?.reject(new Error('the worker ended')))
  return {
    run: async (job) => {
      const { promise, resolve, reject } = Promise.withResolvers<SeedResult>()
      settle = { resolve, reject }
      const timer = setTimeout(() => reject(new Error(`no end after ${HANG_MS / 1000} s`)), HANG_MS)
      worker.postMessage(job)
      return promise.finally(() => clearTimeout(timer))
    },
    stop: () => worker.terminate(),
  }
}

function broken(job: SeedJob, error: unknown): SeedResult {
  const why = error instanceof Error ? error.message : String(error)
  const figures = { records: 0, height: 0, blocks: 0, steps: 0, virtual: 0, slowest: 0 }
  return { seed: job.seed, family: job.family ?? 'mix', failures: [why], trace: '', figures }
}
