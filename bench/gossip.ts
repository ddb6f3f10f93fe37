/**
 * Five devices on loopback: the time from the moment that a record is acknowledged until each of the others shows
 * it, and until each has it in a block, by their event streams. Difficulty as in a real network.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { DEFAULT_DIFFICULTY_FLOOR } from '../src/chain/params.ts'
import type { PeerSummary } from '../src/interfaces/http/api.ts'
import type { AddedFile } from '../src/interfaces/http/api-files.ts'
import {
  eventually,
  exportPeers,
  freePort,
  type RealNode,
  startRealNode,
} from '../test/helpers/real-node.ts'
import { median } from './support/figures.ts'
import { bench } from './support/measure.ts'

const DEVICES = 5
const WAIT_MS = 60_000

/** When each record was first seen by one device: `record:pending`, then `record:confirmed`. */
type Sightings = Record<'record:pending' | 'record:confirmed', Map<string, number>>

async function watch(node: RealNode, stop: AbortSignal): Promise<Sightings> {
  const seen: Sightings = { 'record:pending': new Map(), 'record:confirmed': new Map() }
  const query = { names: Object.keys(seen).join(',') }
  const stream = await node.client.open('GET', '/api/v1/events', { query }, stop)
  stream.on('error', () => {})
  let name = ''
  const lines = createInterface(stream)
  lines.on('error', () => {})
  lines.on('line', (line) => {
    if (line.startsWith('event: ')) name = line.slice('event: '.length)
    if (!line.startsWith('data: ') || !(name in seen)) return
    const { record } = JSON.parse(line.slice('data: '.length)) as { record?: string }
    const times = seen[name as keyof Sightings]
    if (record !== undefined && !times.has(record)) times.set(record, performance.now())
  })
  return seen
}

async function connected(nodes: readonly RealNode[]): Promise<void> {
  await eventually('every device is connected with every other', WAIT_MS, async () => {
    const counts = await Promise.all(
      nodes.map(async ({ client }) => {
        const signal = AbortSignal.timeout(WAIT_MS)
        const { items } = await client.get<{ items: PeerSummary[] }>('/api/v1/peers', {}, signal)
        return items.filter((peer) => peer.connected).length
      }),
    )
    return counts.every((count) => count >= nodes.length - 1)
  })
}

await bench('gossip', async ({ quick, directory }) => {
  const records = quick ? 5 : 30
  const ports = await Promise.all(Array.from({ length: DEVICES }, freePort))
  const nodes: RealNode[] = []
  const stop = new AbortController()
  try {
    const peersFile = join(directory, 'peers.json')
    for (const [index, peerPort] of ports.entries()) {
      const node = await startRealNode({
        dataDir: join(directory, `device-${index}`),
        name: `device ${index}`,
        peerPort,
        settings: { difficulty_floor: DEFAULT_DIFFICULTY_FLOOR },
        ...(index === 0 ? {} : { peersFile }),
      })
      nodes.push(node)
      if (index === 0) {
        await exportPeers(node, peersFile)
        const { default: network } = await import(peersFile, { with: { type: 'json' } })
        const bootstrap = ports.map((port) => `/ip4/127.0.0.1/tcp/${port}`)
        await writeFile(peersFile, JSON.stringify({ ...network, bootstrap }))
      }
    }
    await connected(nodes)
    const sightings = await Promise.all(nodes.map((node) => watch(node, stop.signal)))
    const visible: number[] = []
    const confirmed: number[] = []
    for (let at = 0; at < records; at += 1) {
      const author = nodes[at % nodes.length]
      if (author === undefined) continue
      const query = { name: `note ${at}`, visibility: 'public' }
      const body = Readable.from([Buffer.from(`note ${at}`)])
      const signal = AbortSignal.timeout(WAIT_MS)
      const { record } = await author.client.call<AddedFile>(
        'POST',
        '/api/v1/files',
        { query, body },
        signal,
      )
      const acknowledged = performance.now()
      const others = sightings.filter((_, index) => nodes[index] !== author)
      await eventually('the record is confirmed everywhere', WAIT_MS, () =>
        others.every((seen) => seen['record:confirmed'].has(record)),
      )
      for (const seen of others) {
        const pending = seen['record:pending'].get(record)
        const block = seen['record:confirmed'].get(record)
        // A block that comes before the record itself shows it as well.
        visible.push(Math.max(0, Math.min(pending ?? Infinity, block ?? Infinity) - acknowledged))
        confirmed.push(Math.max(0, (block ?? Infinity) - acknowledged))
      }
      await delay(100)
    }
    return [
      {
        name: `seen by ${DEVICES - 1} others, median`,
        value: median(visible),
        unit: 'ms',
        goal: { of: 'value', is: 'at most', limit: 100 },
      },
      { name: 'seen, slowest', value: Math.max(...visible), unit: 'ms' },
      {
        name: 'confirmed, median',
        value: median(confirmed),
        unit: 'ms',
        goal: { of: 'value', is: 'at most', limit: 3000 },
      },
      // Blocks come as often as records do here, so the work rises to one block in two seconds on average.
      { name: 'confirmed, slowest', value: Math.max(...confirmed), unit: 'ms' },
    ]
  } finally {
    stop.abort()
    await Promise.all(nodes.map((node) => node.stop().catch(() => {})))
  }
})
