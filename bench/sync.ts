/**
 * A new device takes a chain of 10,000 blocks with 50,000 records from another one: two processes, real sockets.
 * Every signature (of records and of blocks) is verified, every rule is evaluated, everything is flushed to the
 * disk. The baseline is what one core verifies that does nothing else.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Client } from '../src/interfaces/client/client.ts'
import { readLines } from '../src/interfaces/client/lines.ts'
import type { ChainSummary } from '../src/interfaces/http/api-chain.ts'
import { exportPeers, freePort, startRealNode } from '../test/helpers/real-node.ts'
import { makeChain } from './support/make-chain.ts'
import { bench, MIB, verifyRate } from './support/measure.ts'

const BLOCKS = 10_000
const RECORDS_PER_BLOCK = 5
const SYNC_MS = 600_000

/** Peak resident bytes of a process. */
async function peakBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024
}

/**
 * Resolves when the best chain of a node has this height. It waits for events: to ask again and again would take
 * part of the processor that is measured.
 */
async function reached(client: Client, height: number): Promise<void> {
  const signal = AbortSignal.timeout(SYNC_MS)
  const query = { names: 'chain:tip' }
  const events = await client.open('GET', '/api/v1/events', { query }, signal)
  const now = async (): Promise<number> =>
    (await client.get<ChainSummary>('/api/v1/chain', {}, signal)).height
  let last = await now()
  if (last < height) {
    for await (const line of readLines(events)) {
      last = Number(/^data: .*"height":(\d+)/.exec(line)?.[1] ?? last)
      if (last >= height) break
    }
  }
  events.destroy()
  assert((await now()) >= height, 'the chain is here')
}

await bench('sync', async ({ quick, directory }) => {
  const blocks = quick ? BLOCKS / 10 : BLOCKS
  const source = join(directory, 'source')
  const { records } = makeChain({
    path: source,
    blocks,
    recordsPerBlock: RECORDS_PER_BLOCK,
    users: 5,
    now: Date.now(),
  })
  const rate = verifyRate()
  // What it does with the content of the files is not measured here: there is none.
  const settings = { replication: 'nothing' }
  const full = await startRealNode({
    dataDir: source,
    name: 'full',
    peerPort: await freePort(),
    settings,
  })
  const peersFile = join(directory, 'peers.json')
  await exportPeers(full, peersFile)
  const fresh = await startRealNode({
    dataDir: join(directory, 'fresh'),
    name: 'fresh',
    peerPort: await freePort(),
    peersFile,
    settings,
  })
  const started = performance.now()
  try {
    await reached(fresh.client, blocks)
    const seconds = (performance.now() - started) / 1000
    const signatures = records + blocks
    return [
      {
        name: `${blocks.toLocaleString('en')} blocks, signatures`,
        value: signatures / seconds,
        unit: '/s',
        baseline: { name: 'one core', value: rate, unit: '/s' },
        goal: { of: 'ratio', is: 'at least', limit: 0.8 },
      },
      { name: 'records', value: records / seconds, unit: '/s' },
      { name: 'time', value: seconds, unit: 's' },
      { name: 'peak memory', value: (await peakBytes(fresh.pid)) / MIB, unit: 'MiB' },
    ]
  } finally {
    await fresh.stop()
    await full.stop()
  }
})
