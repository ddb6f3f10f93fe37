/**
 * Helia over our own libp2p host and blockstore: the door for other IPFS programs and modules. No public
 * routers, gateways or bootstrap peers. Its pins and its garbage collection are not used: they lose data.
 *
 * owns: which brokers bring a block that is missing, and in which order; who counts as a provider
 * does not own: the host and the blockstore, which outlive it
 */
import { withBitswap } from '@helia/bitswap'
import type { BlockBroker, Helia, HeliaMixin, Provider, Router } from '@helia/interface'
import type { Connection } from '@libp2p/interface'
import { peerIdFromCID } from '@libp2p/peer-id'
import { createHeliaLight } from 'helia'
import type { Blockstore } from 'interface-blockstore'
import { type Clock, sleep } from '../common/clock.ts'
import type { Startable } from '../common/lifecycle.ts'
import { MIB } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import type { Host } from './host.ts'
import { libp2pLogger } from './libp2p-logger.ts'

export interface HeliaComponents {
  readonly host: Host
  /** What is here; Helia and Bitswap read and write it directly. */
  readonly blockstore: Blockstore
  /** The members' own way of bringing blocks; asked first. */
  readonly broker?: BlockBroker
  readonly clock: Clock
  readonly logger: Logger
}

export interface HeliaNode extends Startable {
  /** Its blockstore brings what is missing here. Pass a signal to every `get`: it may wait for ever. */
  readonly helia: Helia
}

/** Head start of the members' own protocol: Bitswap beside it would bring every block a second time. */
const BITSWAP_DELAY_MS = 2000
const BITSWAP = {
  // A message waits in a queue behind others; 10 s, Bitswap's own limit, is short for a slow link.
  messageSendTimeout: 60_000,
  // Longer, and a block that is asked for again within it is never sent.
  doNotResendBlockWindow: 0,
  maxInboundStreams: 8,
  maxOutboundStreams: 8,
  maxIncomingMessageSize: 4 * MIB,
}

/** Start it before the host listens, so that no peer meets a node without Bitswap; stop it before the host. */
export function createHeliaNode(components: HeliaComponents): HeliaNode {
  const { host, blockstore, broker, clock, logger } = components
  const helia = createHeliaLight({
    blockstore,
    logger: libp2pLogger(logger),
    routers: [memberRouter(host)],
    blockBrokers: broker === undefined ? [] : [broker],
  })
  let bitswap: HeliaMixin | undefined
  // What `withBitswap` needs of a Helia, with the blockstore of this node alone: what Bitswap serves must not
  // be fetched from elsewhere first.
  const door = {
    status: 'starting',
    libp2p: host.members,
    blockstore,
    routing: helia.routing,
    logger: helia.logger,
    getHasher: helia.getHasher,
    addMixin: (mixin: HeliaMixin) => {
      bitswap = mixin
    },
    hasBlockBroker: (name: string) => helia.hasBlockBroker(name),
    addBlockBroker: (late: BlockBroker & Partial<Startable>) => {
      helia.addBlockBroker(delayed(late, clock, broker === undefined ? 0 : BITSWAP_DELAY_MS))
    },
  }
  withBitswap(door as unknown as Parameters<typeof withBitswap>[0], BITSWAP)

  let running = false
  return {
    helia,
    start: async () => {
      if (running) return
      running = true
      await helia.start()
      await bitswap?.start?.(door as unknown as Helia)
    },
    stop: async () => {
      if (!running) return
      running = false
      await helia.stop()
    },
  }
}

/** `broker`, that begins `ms` later: the race is over by then when another one has the block. */
function delayed(
  broker: BlockBroker & Partial<Startable>,
  clock: Clock,
  ms: number,
): BlockBroker & Startable {
  const wait = (signal: AbortSignal | undefined): Promise<void> => sleep(clock, ms, signal)
  return {
    name: broker.name,
    start: async () => broker.start?.(),
    stop: async () => broker.stop?.(),
    announce: async (cid, options) => broker.announce?.(cid, options),
    retrieve: async (cid, options) => {
      await wait(options?.signal)
      if (broker.retrieve === undefined) throw new Error(`${broker.name} retrieves nothing`)
      return broker.retrieve(cid, options)
    },
    createSession: (options) => {
      const session = broker.createSession?.(options)
      if (session === undefined) throw new Error(`${broker.name} has no sessions`)
      return {
        name: session.name,
        addPeer: (peer, more) => session.addPeer(peer, more),
        retrieve: async (cid, more) => {
          await wait(more?.signal)
          if (session.retrieve === undefined) throw new Error(`${broker.name} retrieves nothing`)
          return session.retrieve(cid, more)
        },
      }
    },
  }
}

/** Every connected peer may have every block. Without a router of this kind deleting and sessions fail in Helia. */
function memberRouter({ members: libp2p }: Host): Router {
  const provider = (connection: Connection): Provider => ({
    id: connection.remotePeer.toCID(),
    multiaddrs: [connection.remoteAddr],
    router: 'cairn-members',
    fallback: false,
  })
  return {
    name: 'cairn-members',
    async *findProviders() {
      for (const connection of libp2p.getConnections()) yield provider(connection)
    },
    findPeer: async (id) => {
      const [connection] = libp2p.getConnections(peerIdFromCID(id))
      if (connection === undefined) throw new Error('the peer is not connected')
      return provider(connection)
    },
    provide: async () => {},
    cancelReprovide: async () => {},
  }
}
