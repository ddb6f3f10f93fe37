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

export interface Crew {
  /** Runs all of `seeds`; `report` is told of each as it ends. */
  run(
    seeds: readonly number[],
    family: Family | undefined,
    report: (result: SeedResult) => void,
  ): Promise<void>
  close(): Promise<void>
}

export function createCrew(workers: number): Crew {
  const hands = Array.from({ length: Math.max(1, workers) }, start)
  return {
    run: async (seeds, family, report) => {
      const queue = [...seeds]
      const one = async (place: number): Promise<void> => {
        for (let seed = queue.shift(); seed !== undefined; seed = queue.shift()) {
          const job: SeedJob = { seed, family }
          try {
            const hand = hands[place]
            if (hand !== undefined) report(await hand.run(job))
          } catch (error) {
            await hands[place]?.stop()
            hands[place] = start()
            report(broken(job, error))
          }
        }
      }
      await Promise.all(hands.map((_, place) => one(place)))
    },
    close: async () => {
      await Promise.all(hands.map((hand) => hand.stop()))
    },
  }
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
  const nothing = { records: 0, height: 0, blocks: 0, steps: 0, virtual: 0, slowest: 0 }
  const figures = { ...nothing, reorgs: 0, stranded: 0, alarms: 0, deaths: 0 }
  return { seed: job.seed, family: job.family ?? 'mix', failures: [why], trace: '', figures }
}
