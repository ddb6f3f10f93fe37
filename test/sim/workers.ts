/** Runs many seeds, several at a time in worker threads. */
import { Worker } from 'node:worker_threads'
import type { AccessOutcome } from './access.ts'
import { type Family, familyOf } from './plan.ts'
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

export type AccessSeedResult = Pick<AccessOutcome, 'failures' | 'trace' | 'figures'> & {
  readonly seed: number
}

export interface AccessSeedJob {
  readonly seed: number
  /** Machines that have the key; undefined: by seed. */
  readonly holders: number | undefined
}

/** Milliseconds of real time after which a run counts as hanging: a second of it is much; a busy machine needs more. */
const HANG_MS = 300_000

export interface Crew<Option, Result> {
  /** Runs all of `seeds`; `report` is told of each as it ends. */
  run(
    seeds: readonly number[],
    option: Option | undefined,
    report: (result: Result) => void,
  ): Promise<void>
  close(): Promise<void>
}

/** Runs plans of a family, or of the one that follows from the seed. */
export function createCrew(workers: number): Crew<Family, SeedResult> {
  return createWorkers(workers, './worker.ts', (seed, family) => ({ seed, family }), broken)
}

/** Runs plans about access, with so many key holders. */
export function createAccessCrew(workers: number): Crew<number, AccessSeedResult> {
  return createWorkers(
    workers,
    './access-worker.ts',
    (seed, holders): AccessSeedJob => ({ seed, holders }),
    brokenAccess,
  )
}

function createWorkers<Job, Option, Result>(
  workers: number,
  script: string,
  jobOf: (seed: number, option: Option | undefined) => Job,
  brokenOf: (job: Job, error: unknown) => Result,
): Crew<Option, Result> {
  const make = (): Hand<Job, Result> => start(script)
  const hands = Array.from({ length: Math.max(1, workers) }, make)
  return {
    run: async (seeds, option, report) => {
      const queue = [...seeds]
      const one = async (place: number): Promise<void> => {
        for (let seed = queue.shift(); seed !== undefined; seed = queue.shift()) {
          const job = jobOf(seed, option)
          try {
            const hand = hands[place]
            if (hand !== undefined) report(await hand.run(job))
          } catch (error) {
            await hands[place]?.stop()
            hands[place] = make()
            report(brokenOf(job, error))
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

interface Hand<Job, Result> {
  run(job: Job): Promise<Result>
  stop(): Promise<unknown>
}

function start<Job, Result>(script: string): Hand<Job, Result> {
  const worker = new Worker(new URL(script, import.meta.url))
  let settle: { resolve(result: Result): void; reject(error: unknown): void } | undefined
  worker.on('message', (result: Result) => settle?.resolve(result))
  worker.on('error', (error) => settle?.reject(error))
  worker.on('exit', () => settle?.reject(new Error('the worker ended')))
  return {
    run: async (job) => {
      const { promise, resolve, reject } = Promise.withResolvers<Result>()
      settle = { resolve, reject }
      const timer = setTimeout(() => reject(new Error(`no end after ${HANG_MS / 1000} s`)), HANG_MS)
      worker.postMessage(job)
      return promise.finally(() => clearTimeout(timer))
    },
    stop: () => worker.terminate(),
  }
}

function whyOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function brokenAccess({ seed, holders }: AccessSeedJob, error: unknown): AccessSeedResult {
  const nothing = { downloads: 0, accesses: 0, released: 0, excess: 0, late: 0, keys: 0 }
  const figures = { holders: holders ?? 0, ...nothing, refused: {}, reorgs: 0, deaths: 0 }
  return { seed, failures: [whyOf(error)], trace: '', figures }
}

function broken(job: SeedJob, error: unknown): SeedResult {
  const nothing = { records: 0, height: 0, blocks: 0, steps: 0, virtual: 0, slowest: 0 }
  const figures = { ...nothing, reorgs: 0, stranded: 0, alarms: 0, deaths: 0 }
  return {
    seed: job.seed,
    family: job.family ?? familyOf(job.seed),
    failures: [whyOf(error)],
    trace: '',
    figures,
  }
}
