/** A peer that speaks libp2p and keeps no rule: it sends what it is told to, by every way into a node. */
import type { Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import type { DeviceId, NetworkId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { encode } from '../../../src/common/dag-cbor.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createHost, type Host } from '../../../src/network/host.ts'
import type { SyncChain } from '../../../src/network/sync/chain.ts'
import { createSyncClient } from '../../../src/network/sync/client.ts'
import { createSyncProtocol } from '../../../src/network/sync/protocol.ts'
import { createSyncServer, type SyncServer } from '../../../src/network/sync/server.ts'
import { topicsOf } from '../../../src/network/topics.ts'
import { seedOf } from '../../helpers/chain-node.ts'
import { until } from '../network/nodes.ts'

export type Lie = (
  frames: Generator<Uint8Array>,
  request: Uint8Array,
) => Generator<Uint8Array | undefined>

export interface HostilePeer {
  readonly host: Host
  readonly device: DeviceId
  /** Sends a message of the topic as it is. */
  gossip(topic: 'blocks' | 'records', message: Uint8Array): Promise<void>
  gossipBlock(block: { header: Uint8Array; body?: Uint8Array }): Promise<void>
  stream(protocol: string): Promise<Stream>
  /** Takes what the target has into `chain`, by the rules. */
  pull(chain: SyncChain): Promise<void>
  /** How often the target has asked this peer. */
  readonly asked: number
  connected(): boolean
  stop(): Promise<void>
}

let counter = 0

/**
 * Connects to `address` with a key that nobody has seen.
 *
 * @param answers - `chain`: what it shows when the target syncs; `lie`: what it makes of its answers
 */
export async function connectHostile(
  network: NetworkId,
  address: string,
  answers: { chain?: SyncChain; lie?: Lie; serve?: (stream: Stream) => void } = {},
): Promise<HostilePeer> {
  counter += 1
  const keySeed = seedOf(`hostile ${counter}`)
  const components = { keySeed, decisions: { admit: () => true }, logger: silentLogger }
  const host = await createHost(components, { network, listen: [] })
  const { libp2p } = host
  const protocol = createSyncProtocol({ libp2p, clock: systemClock, logger: silentLogger })
  const target = multiaddr(address)
  const device = address.split('/p2p/')[1] as DeviceId
  let asked = 0
  const { chain, lie, serve } = answers
  const honest: SyncServer = {
    *answer(request, from) {
      asked += 1
      if (chain === undefined) return
      const server = createSyncServer({ chain, clock: systemClock, logger: silentLogger })
      const frames = server.answer(request, from)
      for (const frame of lie === undefined ? frames : lie(frames, request)) {
        if (frame === undefined) return
        yield frame
      }
    },
  }
  if (serve === undefined) await protocol.start(honest)
  else {
    await libp2p.handle('/cairn/sync/1.0.0', (stream) => {
      asked += 1
      serve(stream)
    })
  }
  await host.start()
  await libp2p.dial(target)
  const topics = topicsOf(network)
  const { pubsub } = libp2p.services
  for (const topic of Object.values(topics)) pubsub.subscribe(topic)
  const gossip = async (topic: 'blocks' | 'records', message: Uint8Array): Promise<void> => {
    await until(
      () => pubsub.getSubscribers(topics[topic]).some((peer) => peer.toString() === device),
      'the target takes gossip',
    )
    await pubsub.publish(topics[topic], message)
  }
  return {
    host,
    device: host.device,
    gossip,
    gossipBlock: ({ header, body }) =>
      gossip('blocks', encode(body === undefined ? { header } : { header, body })),
    stream: async (name) => {
      const connection = libp2p.getConnections(peerIdFromString(device))[0]
      if (connection === undefined) throw new Error('not connected')
      return connection.newStream(name, { maxOutboundStreams: 2000 })
    },
    pull: async (into) => {
      const client = createSyncClient({ chain: into, clock: systemClock, logger: silentLogger })
      await client.run(protocol.peer(device), AbortSignal.timeout(10_000))
    },
    get asked() {
      return asked
    },
    connected: () => libp2p.getConnections(peerIdFromString(device)).length > 0,
    stop: () => host.stop(),
  }
}
