/** A worker thread that runs one seed after the other. */
import { parentPort } from 'node:worker_threads'
import { createPlan } from './plan.ts'
import { simulate } from './simulate.ts'
import type { SeedJob, SeedResult } from './workers.ts'

parentPort?.on('message', async ({ seed, family }: SeedJob) => {
  const { plan, failures, trace, figures } = await simulate(createPlan(seed, family))
  const result: SeedResult = { seed, family: plan.family, failures, trace, figures }
  parentPort?.postMessage(result)
})
