/**
 * A client of one's own: plain libp2p with a key of its choice, none of the rules of this program. It keeps every
 * byte that it is given, after the encryption was taken off, on all streams in both directions.
 */
import { gossipsub, StrictNoSign } from '@chainsafe/libp2p-gossipsub'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import type { Stream, StreamMuxerFactory } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { DeviceId, NetworkId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { encode } from '../../../src/common/dag-cbor.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createFrames } from '../../../src/network/frames.ts'
import type { CairnLibp2p } from '../../../src/network/host.ts'
import type { SyncChain } from '../../../src/network/sync/chain.ts'
import { createSyncClient } from '../../../src/network/sync/client.ts'
import { createSyncProtocol } from '../../../src/network/sync/protocol.ts'
import { topicsOf } from '../../../src/network/topics.ts'
import { until } from '../network/nodes.ts'

/** Bytes that one peer keeps of what it is given. */
const MAX_KEPT = 64 * 1024 * 1024
/** Milliseconds in which a node breaks off what may not stand. */
const REFUSED_MS = 600

export interface RawPeer {
  readonly libp2p: CairnLibp2p
  readonly device: DeviceId
  readonly target: DeviceId
  /** Dials, and tells whether the connection stands a moment later. */
  connect(): Promise<boolean>
  connected(): boolean
  stream(protocol: string): Promise<Stream>
  /** One frame there and one back; undefined: no answer. */
  ask(protocol: string, request: Uint8Array): Promise<Uint8Array | undefined>
  gossip(topic: 'blocks' | 'records', message: Uint8Array): Promise<void>
  gossipBlock(block: { header: Uint8Array; body?: Uint8Array }): Promise<void>
  /** Takes what the target has into `chain`, by the rules. */
  pull(chain: SyncChain): Promise<void>
  /** Protocols of the streams that the target opened to this peer. */
  opened(): string[]
  /** Everything that it was given. */
  received(): Buffer
  stop(): Promise<void>
}

export async function createRawPeer(init: {
  readonly keySeed: Uint8Array
  readonly network: NetworkId
  /** Multiaddr of the target, with `/p2p/`. */
  readonly address: string
  readonly encrypter?: 'noise' | 'tls'
}): Promise<RawPeer> {
  const kept: Uint8Array[] = []
  let keptBytes = 0
  const keep = (bytes: Uint8Array): void => {
    if (keptBytes > MAX_KEPT) return
    keptBytes += bytes.length
    kept.push(bytes)
  }
  const recording: typeof yamux = (options) => () => {
    const factory: StreamMuxerFactory = yamux(options)()
    return {
      protocol: factory.protocol,
      createStreamMuxer: (connection) => {
        connection.addEventListener('message', ({ data }) => keep(data.slice() as Uint8Array))
        return factory.createStreamMuxer(connection)
      },
    } as ReturnType<ReturnType<typeof yamux>>
  }
  const libp2p = (await createLibp2p({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', init.keySeed),
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [init.encrypter === 'tls' ? tls() : noise()],
    streamMuxers: [recording({ maxOutboundStreams: 5000 })],
    connectionManager: { reconnectRetries: 0 },
    connectionMonitor: { enabled: false },
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: gossipsub({
        globalSignaturePolicy: StrictNoSign,
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        // It goes on with whoever thinks little of it.
        scoreThresholds: { gossipThreshold: -1e9, publishThreshold: -1e9, graylistThreshold: -1e9 },
      }),
    },
  })) as unknown as CairnLibp2p
  await libp2p.start()
  const device = libp2p.peerId.toString() as DeviceId
  const target = (init.address.split('/p2p/')[1] ?? '') as DeviceId
  const topics = topicsOf(init.network)
  const { pubsub } = libp2p.services
  const opened = new Set<string>()
  libp2p.addEventListener('connection:open', ({ detail: connection }) => {
    const look = setInterval(() => {
      for (const { direction, protocol } of connection.streams) {
        if (direction === 'inbound' && protocol !== '') opened.add(protocol)
      }
    }, 5)
    connection.addEventListener('close', () => clearInterval(look))
  })
  const protocol = createSyncProtocol({ libp2p, clock: systemClock, logger: silentLogger })
  const connection = () =>
    libp2p.getConnections(peerIdFromString(target)).find(({ status }) => status === 'open')

  const peer: RawPeer = {
    libp2p,
    device,
    target,
    connected: () => connection() !== undefined,
    connect: async () => {
      try {
        await libp2p.dial(multiaddr(init.address), { force: true })
      } catch {
        return false
      }
      for (const topic of Object.values(topics)) pubsub.subscribe(topic)
      const end = performance.now() + REFUSED_MS
      while (performance.now() < end) {
        if (connection() === undefined) return false
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
      return true
    },
    stream: async (name) => {
      const open = connection()
      if (open === undefined) throw new Error('not connected')
      return open.newStream(name, { maxOutboundStreams: 5000, signal: AbortSignal.timeout(5000) })
    },
    ask: async (name, request) => {
      try {
        const stream = await peer.stream(name)
        const { signal } = new AbortController()
        const frames = createFrames(stream, { clock: systemClock, maxFrameBytes: 65_536, signal })
        await frames.write(request, 2000)
        const answer = await frames.read(10_000)
        await frames.close()
        return answer
      } catch {
        return undefined
      }
    },
    gossip: async (topic, message) => {
      const takes = (): boolean =>
        pubsub.getSubscribers(topics[topic]).some((other) => other.toString() === target)
      await until(takes, 'the target takes gossip')
      await pubsub.publish(topics[topic], message)
    },
    gossipBlock: ({ header, body }) =>
      peer.gossip('blocks', encode(body === undefined ? { header } : { header, body })),
    pull: async (into) => {
      const client = createSyncClient({ chain: into, clock: systemClock, logger: silentLogger })
      await client.run(protocol.peer(target), AbortSignal.timeout(10_000))
    },
    opened: () => [...opened],
    received: () => Buffer.concat(kept),
    stop: async () => {
      await libp2p.stop()
    },
  }
  return peer
}
