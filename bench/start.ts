/**
 * As a person sees it: from the command to serving, memory of a node that idles, and `cairn status`. The program is
 * the bundle, started by bin/cairn.js; the baseline is a Node that does nothing.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, startRealNode } from '../test/helpers/real-node.ts'
import { type Figure, median } from './support/figures.ts'
import { bench, residentBytes } from './support/measure.ts'

const run = promisify(execFile)
const CAIRN = fileURLToPath(new URL('../bin/cairn.js', import.meta.url))
const MEGABYTE = 1e6
/** Milliseconds after which a node that nobody uses counts as idle. */
const IDLE_AFTER_MS = 30_000

async function time(...args: string[]): Promise<number> {
  const started = performance.now()
  await run(process.execPath, args)
  return performance.now() - started
}

async function repeat(times: number, once: () => Promise<number>): Promise<number> {
  const results: number[] = []
  for (let i = 0; i < times; i += 1) results.push(await once())
  return median(results)
}

await bench('start', async ({ quick, directory }) => {
  const times = quick ? 3 : 9
  const dataDir = join(directory, 'node')
  const init = {
    dataDir,
    name: 'Ada',
    peerPort: await freePort(),
    program: 'bundle' as const,
    settings: { gateway: true, gateway_port: 0 },
  }
  const bare = await repeat(times, () => time('-e', '0'))
  const baseline = { name: 'node -e 0', value: bare, unit: 'ms' }
  // The first start makes keys and a network; it is measured apart from the usual one.
  const first = await startRealNode(init)
  await first.stop()
  const usual = await repeat(times, async () => {
    const node = await startRealNode(init)
    await node.stop()
    return node.startedInMs
  })
  const node = await startRealNode(init)
  const status = await repeat(times, () => time(CAIRN, 'status', '--data-dir', dataDir))
  await delay(IDLE_AFTER_MS)
  const resident = await residentBytes(node.pid)
  await node.stop()

  const within = (limit: number) => ({ of: 'value', is: 'at most', limit }) as const
  const figures: Figure[] = [
    { name: 'serving', value: usual, unit: 'ms', baseline, goal: within(1000) },
    { name: 'serving, first start', value: first.startedInMs, unit: 'ms', goal: within(1000) },
    { name: 'cairn status', value: status, unit: 'ms', baseline, goal: within(200) },
    {
      name: 'idle node, resident',
      value: resident / MEGABYTE,
      unit: 'MB',
      goal: within(100),
    },
  ]
  return figures
})
