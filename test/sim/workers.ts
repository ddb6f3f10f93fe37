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
const HANG_MS = 120_000

/** @param report - told of each seed as it ends */
export async function runSeeds(
  seeds: readonly number[],
  options: { readonly family?: Family | undefined; readonly workers: number },
  report: (result: SeedResult) => void,
): Promise<void> {
  const queue = [...seeds]
  const one = async (): Promise<void> => {
    let worker = start()
    try {
      for (let seed = queue.shift(); seed !== undefined; seed = queue.shift()) {
        const job: SeedJob = { seed, family: options.family }
        try {
          report(await ask(worker, job))
        } catch (error) {
          await worker.terminate()
          worker = start()
          report(broken(job, error))
        }
      }
    } finally {
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, options.workers) }, one))
}

function start(): Worker {
  return new Worker(new URL('./worker.ts', import.meta.url))
}

function ask(worker: Worker, job: SeedJob): Promise<SeedResult> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer)
      worker.removeAllListeners()
    }
    const timer = setTimeout(() => {
      end()
      reject(new Error(`no end after ${HANG_MS / 1000} s`))
    }, HANG_MS)
    worker.once('message', (result: SeedResult) => {
      end()
      resolve(result)
    })
    worker.once('error', (error) => {
      end()
      reject(error)
    })
    worker.postMessage(job)
  })
}

function broken(job: SeedJob, error: unknown): SeedResult {
  const why = error instanceof Error ? error.message : String(error)
  const figures = { records: 0, height: 0, blocks: 0, steps: 0, virtual: 0 }
  return { seed: job.seed, family: job.family ?? 'mix', failures: [why], trace: '', figures }
}
