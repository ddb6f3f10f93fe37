/** A worker thread that runs one seed about access after the other. */
import { parentPort } from 'node:worker_threads'
import { simulateAccess } from './access.ts'
import { createAccessPlan } from './access-plan.ts'
import type { AccessSeedJob, AccessSeedResult } from './workers.ts'

parentPort?.on('message', async ({ seed, holders }: AccessSeedJob) => {
  const { failures, trace, figures } = await simulateAccess(createAccessPlan(seed, holders))
  const result: AccessSeedResult = { seed, failures, trace, figures }
  parentPort?.postMessage(result)
})
