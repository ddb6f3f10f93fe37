/**
 * The one libp2p host: TCP, TLS and Noise, Yamux, identify, ping, gossipsub. Every service is named here,
 * none comes by a library's default, and it listens only where it is told.
 *
 * owns: the options of libp2p, the gate at the encrypted handshake
 * does not own: whom to dial (peers.ts), what gossip and sync carry
 */
import {
  type GossipSub,
  type GossipSubComponents,
  gossipsub,
  StrictNoSign,
} from '@chainsafe/libp2p-gossipsub'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p, PeerId } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { noise } from '@libp2p/noise'
import { type Ping, ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'
import type { DeviceId, NetworkId } from '../chain/ids.ts'
import { sha256 } from '../common/crypto.ts'
import type { Startable } from '../common/lifecycle.ts'
import { KIB, MIB } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import { listenError, parseAddress } from './address.ts'
import type { Doorstep } from './farewell/doorstep.ts'
import { createHandshakes } from './handshakes.ts'
import { lazyTls } from './lazy-tls.ts'
import { libp2pLogger } from './libp2p-logger.ts'
import { membersOnly } from './members-only.ts'
import { createMuxer } from './muxer.ts'
import { topicsOf } from './topics.ts'

export type HostServices = { identify: Identify; ping: Ping; pubsub: GossipSub }
export type CairnLibp2p = Libp2p<HostServices>

/** What the host asks before it lets a device in. */
export interface HostDecisions {
  /**
   * Whether a connection with this device may stand. Asked at every handshake, in both directions, and of the
   * connections that stand at every `recheck`.
   *
   * @param dialled - this node dials it
   */
  admit(device: DeviceId, dialled?: boolean): boolean
  /** Whether it may use more than pairing, identify and ping. Default: everybody who is admitted. */
  isMember?(device: DeviceId): boolean
}

export interface HostComponents {
  /** Ed25519 secret of the device, 32 bytes. */
  readonly keySeed: Uint8Array
  readonly decisions: HostDecisions
  /** Where those stand for a moment who are out and have to be told. */
  readonly doorstep?: Pick<Doorstep, 'enter' | 'has'>
  readonly logger: Logger
}

export interface HostInit {
  readonly network: NetworkId
  /** Multiaddrs to listen on; none listens nowhere. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of those found by itself. */
  readonly announce?: readonly string[]
  /** Look for peers of this network on the local network. */
  readonly lan?: boolean
  /** Milliseconds of silence after which a connection is given up, for tests. */
  readonly pingTimeoutMs?: number
}

export interface Host extends Startable {
  readonly device: DeviceId
  readonly libp2p: CairnLibp2p
  /** The same for protocols that only members may use: they neither see nor answer anybody else. */
  readonly members: CairnLibp2p
  isMember(device: DeviceId): boolean
  /** The addresses that it listens on, each with `/p2p/<device>`. */
  addresses(): string[]
  /** Breaks off all connections to a device, and with them what runs over them. */
  drop(device: DeviceId): void
  /** Drops whoever is no longer admitted. */
  recheck(): void
}

/** Open connections: fifty members, each with two when both dial at the same moment. */
const MAX_CONNECTIONS = 100
/** Handshakes under way of those who connect. */
const MAX_UNDER_WAY = 64
/** Sockets of TCP: those and what is still in a handshake. */
const MAX_SOCKETS = 200
/** Handshakes per second and address: nodes of one house share an address, and all come back after a power cut. */
const MAX_HANDSHAKES = 100
/** Streams that a peer may open on one connection: its protocols' own limits together are half of this. */
const MAX_STREAMS = 100
/**
 * Bytes in flight per stream. At most the read buffer of a stream (4 MiB): what a paused stream has let through
 * must fit in there, or libp2p breaks the stream off.
 */
const MAX_STREAM_WINDOW_BYTES: number = 4 * MIB
/** A socket without a byte for so long is closed; the pings keep a healthy one busy. */
const SOCKET_IDLE_MS = 120_000
const PING_INTERVAL_MS = 5000
/** Slower than libp2p's own 5 s: on a slow link the ping waits behind data, and that is no failure. */
const PING_TIMEOUT_MS = 20_000
const DIAL_MS = 10_000
/** Milliseconds for a goodbye to all peers. */
const STOP_MS = 5000
/**
 * Bytes of one gossip frame that is read. Far above what a message may have: an answer to a peer that missed
 * many messages carries them in one frame, and a frame that is too large silences the connection.
 */
const MAX_GOSSIP_FRAME_BYTES: number = 4 * MIB
/** Gossip that waits for a slow peer; more is not sent, and sync brings it. */
const MAX_GOSSIP_QUEUE_BYTES: number = 8 * MIB
/**
 * Bytes of a message from which on the other peers are told at once that it is here. Below, that costs everybody
 * more than the message coming twice: under a flood of records it was half of the work.
 */
const MIN_UNWANTED_BYTES: number = 8 * KIB
/** Bytes of topics that a peer may name: there are two. */
const MAX_TOPIC_BYTES: number = 16 * KIB

/** Only wrong messages count: an idle network must not lose score for silence. */
const TOPIC_SCORE = {
  topicWeight: 1,
  timeInMeshWeight: 0,
  timeInMeshQuantum: 1000,
  timeInMeshCap: 1,
  firstMessageDeliveriesWeight: 0,
  firstMessageDeliveriesDecay: 0.5,
  firstMessageDeliveriesCap: 1,
  meshMessageDeliveriesWeight: 0,
  meshMessageDeliveriesDecay: 0.5,
  meshMessageDeliveriesCap: 1,
  meshMessageDeliveriesThreshold: 1,
  meshMessageDeliveriesWindow: 10,
  meshMessageDeliveriesActivation: 1000,
  meshFailurePenaltyWeight: 0,
  meshFailurePenaltyDecay: 0.5,
  // Squared: the third wrong message within a minute makes -90, below the graylist threshold of -80.
  invalidMessageDeliveriesWeight: -10,
  invalidMessageDeliveriesDecay: 0.97,
}

/**
 * Makes the host; it does not listen or dial before `start`.
 *
 * @throws `PEER_ADDRESS` for addresses that are none; `start` throws `P2P_PORT_IN_USE`, `P2P_LISTEN`
 */
export async function createHost(
  { keySeed, decisions, doorstep, logger }: HostComponents,
  init: HostInit,
): Promise<Host> {
  const listen = init.listen.map((address) => parseAddress(address).toString())
  const announce = (init.announce ?? []).map((address) => parseAddress(address).toString())
  const topics = topicsOf(init.network)
  const idOf = (peer: PeerId): DeviceId => peer.toString() as DeviceId
  const refuse = (peer: PeerId): boolean => !decisions.admit(idOf(peer))
  const refuseDialled = (peer: PeerId): boolean => !decisions.admit(idOf(peer), true)
  const isMember = (device: DeviceId): boolean => decisions.isMember?.(device) ?? true
  const pingTimeoutMs = init.pingTimeoutMs ?? PING_TIMEOUT_MS
  const handshakes = createHandshakes({ most: MAX_UNDER_WAY })
  const libp2p: CairnLibp2p = await createLibp2p<HostServices>({
    start: false,
    privateKey: await generateKeyPairFromSeed('Ed25519', keySeed),
    nodeInfo: { name: 'cairn', userAgent: 'cairn' },
    addresses: { listen, announce },
    transports: [
      tcp({
        maxConnections: MAX_SOCKETS,
        inboundSocketInactivityTimeout: SOCKET_IDLE_MS,
        outboundSocketInactivityTimeout: SOCKET_IDLE_MS,
      }),
    ],
    connectionEncrypters: [lazyTls(), noise()],
    streamMuxers: [
      createMuxer({
        maxInboundStreams: MAX_STREAMS,
        maxOutboundStreams: MAX_STREAMS,
        streamOptions: { maxStreamWindowSize: MAX_STREAM_WINDOW_BYTES },
      }),
    ],
    connectionGater: {
      denyDialPeer: refuseDialled,
      denyInboundConnection: (connection) => {
        handshakes.begin(connection)
        return false
      },
      denyInboundEncryptedConnection: (peer) =>
        refuse(peer) && doorstep?.enter(idOf(peer)) !== true,
      denyInboundUpgradedConnection: (_, connection) => {
        handshakes.end(connection)
        return false
      },
      denyOutboundEncryptedConnection: refuseDialled,
    },
    connectionManager: {
      maxConnections: MAX_CONNECTIONS,
      inboundConnectionThreshold: MAX_HANDSHAKES,
      maxIncomingPendingConnections: MAX_HANDSHAKES,
      dialTimeout: DIAL_MS,
      // Reconnecting is peers.ts's own work: libp2p gives a peer up after some retries.
      reconnectRetries: 0,
    },
    connectionMonitor: {
      pingInterval: Math.min(PING_INTERVAL_MS, pingTimeoutMs),
      pingTimeout: { minTimeout: pingTimeoutMs },
    },
    peerDiscovery:
      init.lan === true ? [mdns({ serviceTag: serviceTagOf(init.network), interval: 10_000 })] : [],
    logger: libp2pLogger(logger),
    services: {
      identify: identify(),
      ping: ping(),
      pubsub: memberGossip(isMember, {
        // Blocks and records carry their own signatures, so the same one is the same message from everybody.
        globalSignaturePolicy: StrictNoSign,
        msgIdFn: ({ topic, data }) => {
          const id = sha256(data)
          id[0] = topic === topics.blocks ? 0 : 1
          return id
        },
        allowPublishToZeroTopicPeers: true,
        ignoreDuplicatePublishError: true,
        fallbackToFloodsub: false,
        allowedTopics: Object.values(topics),
        maxInboundDataLength: MAX_GOSSIP_FRAME_BYTES,
        maxOutboundBufferSize: MAX_GOSSIP_QUEUE_BYTES,
        maxTopicBytesPerPeer: MAX_TOPIC_BYTES,
        idontwantMinDataSize: MIN_UNWANTED_BYTES,
        scoreParams: {
          // Nodes of one house, and of one test, share an address.
          IPColocationFactorWeight: 0,
          topics: { [topics.blocks]: TOPIC_SCORE, [topics.records]: TOPIC_SCORE },
        },
      }),
    },
  })

  const drop = (unless: (device: DeviceId) => boolean): void => {
    for (const connection of libp2p.getConnections()) {
      if (unless(idOf(connection.remotePeer))) continue
      connection.abort(new Error('dropped'))
    }
  }
  // The answer may have changed between the handshake and the moment at which the connection stands.
  libp2p.addEventListener('connection:open', ({ detail }) => {
    const { remotePeer } = detail
    if (refuse(remotePeer) && doorstep?.has(idOf(remotePeer)) !== true) {
      detail.abort(new Error('dropped'))
    }
  })

  let running = false
  return {
    device: idOf(libp2p.peerId),
    libp2p,
    members: membersOnly(libp2p, isMember),
    isMember,
    addresses: () => libp2p.getMultiaddrs().map((address) => address.toString()),
    drop: (device) => drop((other) => other !== device),
    recheck: () => drop((device) => decisions.admit(device)),
    start: async () => {
      if (running) return
      try {
        await libp2p.start()
        running = true
      } catch (error) {
        await Promise.resolve(libp2p.stop()).catch(() => {})
        throw await listenError(listen, error)
      }
    },
    stop: async () => {
      if (!running) return
      running = false
      const late = Promise.withResolvers<void>()
      const timer = setTimeout(late.resolve, STOP_MS)
      await Promise.race([Promise.resolve(libp2p.stop()), late.promise])
      clearTimeout(timer)
    },
  }
}

/** Gossipsub that has nothing to do with anybody but members. */
function memberGossip(
  isMember: (device: DeviceId) => boolean,
  init: Parameters<typeof gossipsub>[0],
): (components: GossipSubComponents) => GossipSub {
  const make = gossipsub(init)
  return ({ privateKey, peerId, peerStore, registrar, connectionManager, logger }) =>
    make({
      privateKey,
      peerId,
      peerStore,
      registrar: membersOnly(registrar, isMember),
      connectionManager,
      logger,
    })
}

/** The name under which the nodes of one network find each other: one DNS label, so at most 63 letters. */
function serviceTagOf(network: NetworkId): string {
  return `_cairn-${network.slice(-32)}._udp.local`
}
