/** Network parts of several nodes in one process, on loopback, each with its own small chain. */
import { MemoryBlockstore } from 'blockstore-core'
import type { Blockstore } from 'interface-blockstore'
import type { DeviceId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import type { GossipChain } from '../../../src/network/gossip.ts'
import { createNetwork, type Network, type NetworkInit } from '../../../src/network/network.ts'
import type { RememberedPeer } from '../../../src/network/peers.ts'
import type { SyncResult } from '../../../src/network/sync/client.ts'
import { createFakeChain, type FakeChain, NETWORK } from '../../unit/network/fake-chain.ts'

export const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

export interface TestNode {
  readonly network: Network
  readonly chain: FakeChain
  readonly blockstore: Blockstore
  /** Gossip that came. */
  readonly blocks: Uint8Array[]
  readonly records: Uint8Array[]
  readonly syncs: SyncResult[]
  readonly connects: DeviceId[]
  readonly memory: { saved: readonly RememberedPeer[] }
  address(): string
}

export interface TestNodeOptions extends Partial<NetworkInit> {
  readonly seed: number
  readonly chain?: FakeChain
  readonly gossip?: Partial<GossipChain>
  readonly memory?: { saved: readonly RememberedPeer[] }
}

const running = new Set<Network>()

/** Makes and starts a node; `stopNodes` stops all. */
export async function startNode(options: TestNodeOptions): Promise<TestNode> {
  const { seed, gossip, ...init } = options
  const chain = options.chain ?? createFakeChain(() => Date.now())
  const memory = options.memory ?? { saved: [] }
  const blocks: Uint8Array[] = []
  const records: Uint8Array[] = []
  const syncs: SyncResult[] = []
  const connects: DeviceId[] = []
  const blockstore = new MemoryBlockstore()
  const gossipChain: GossipChain = {
    acceptBlock: async (header) => {
      blocks.push(header)
      return { verdict: 'accept', sync: true }
    },
    acceptRecord: async (record) => {
      records.push(record)
      return { verdict: 'accept', sync: false }
    },
    ...gossip,
  }
  const network = await createNetwork(
    {
      keySeed: new Uint8Array(32).fill(seed),
      chain: Object.assign(chain, gossipChain),
      blockstore,
      memory: {
        load: async () => memory.saved,
        save: async (peers) => {
          memory.saved = peers
        },
      },
      clock: systemClock,
      logger: silentLogger,
      onSync: (result) => void syncs.push(result),
      onConnect: (device) => void connects.push(device),
    },
    {
      network: NETWORK,
      listen: [LOOPBACK],
      bootstrap: [],
      retry: { first: 20, longest: 100 },
      syncIntervalMs: 60_000,
      ...init,
    },
  )
  await network.start()
  running.add(network)
  const address = (): string => network.host.addresses()[0] ?? ''
  return { network, chain, blockstore, blocks, records, syncs, connects, memory, address }
}

export async function stopNode(node: TestNode): Promise<void> {
  running.delete(node.network)
  await node.network.stop()
}

export async function stopNodes(): Promise<void> {
  const all = [...running]
  running.clear()
  await Promise.all(all.map((network) => network.stop()))
}

/** Waits until `condition` holds; throws after `ms`. */
export async function until(condition: () => boolean, what: string, ms = 8000): Promise<void> {
  const end = Date.now() + ms
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out waiting until ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
