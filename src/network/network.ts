/**
 * All that meets peers, put together in the order in which it has to start: what answers on a connection is
 * registered before the host listens, and what talks to peers begins after it.
 */
import type { BlockBroker, Helia } from '@helia/interface'
import type { Blockstore } from 'interface-blockstore'
import type { DeviceId, NetworkId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import { type Startable, startAll, stopAll } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import { createBans } from './bans.ts'
import { createConnectionLimits } from './connection-limits.ts'
import { createDoorstep } from './farewell/doorstep.ts'
import { createFarewell, type Farewells } from './farewell/farewell.ts'
import { createGossip, type Gossip, type GossipChain } from './gossip.ts'
import { createHeliaNode } from './helia.ts'
import { type CairnLibp2p, createHost, type Host, type HostDecisions } from './host.ts'
import { createKeyProtocol, type KeyProtocol } from './key-release/protocol.ts'
import { createKeyServer, type KeyHolder } from './key-release/server.ts'
import { createPairServer, type PairDecisions } from './pair/server.ts'
import { createPeers, type PeerMemory, type Peers, type PeersInit } from './peers.ts'
import type { SyncChain } from './sync/chain.ts'
import { createSyncClient, type SyncResult } from './sync/client.ts'
import { createSyncProtocol } from './sync/protocol.ts'
import { createSyncRunner, type SyncRunner } from './sync/runner.ts'
import { createSyncServer } from './sync/server.ts'
import { createWatchdog } from './watchdog.ts'

/** A part that needs the host and registers protocols, with the broker that it offers to Helia. */
export interface HostPart extends Startable {
  readonly broker?: BlockBroker
}

export interface NetworkComponents {
  readonly keySeed: Uint8Array
  readonly chain: SyncChain & GossipChain
  readonly blockstore: Blockstore
  readonly memory: PeerMemory
  readonly clock: Clock
  readonly logger: Logger
  /** Who is let in; devices that were banned for what they sent are not asked for. */
  readonly decisions?: HostDecisions
  /** Who is taken in when asked; without it nobody. */
  readonly pairing?: PairDecisions
  /** Decides which keys of private files leave this device; without it none. */
  readonly keyHolder?: KeyHolder
  /** Tells devices that are out, and takes in that this one is. */
  readonly farewells?: Farewells
  /** Makes the transfer of content over this host, between members. */
  readonly transfer?: (libp2p: CairnLibp2p) => HostPart
  readonly onConnect?: (device: DeviceId) => void
  readonly onDisconnect?: (device: DeviceId) => void
  readonly onSync?: (result: SyncResult) => void
}

export interface NetworkInit {
  readonly network: NetworkId
  readonly listen: readonly string[]
  readonly announce?: readonly string[]
  readonly bootstrap: readonly string[]
  readonly lan?: boolean
  readonly retry?: NonNullable<PeersInit['retry']>
  readonly syncIntervalMs?: number
}

export interface Network extends Startable {
  readonly host: Host
  readonly peers: Peers
  readonly gossip: Gossip
  readonly sync: SyncRunner
  readonly helia: Helia
  /** Asks connected members for keys of private files. */
  readonly askKey: KeyProtocol['ask']
}

/** @throws `PEER_ADDRESS`; `start` throws `P2P_PORT_IN_USE`, `P2P_LISTEN` */
export async function createNetwork(
  components: NetworkComponents,
  init: NetworkInit,
): Promise<Network> {
  const { chain, blockstore, clock, memory } = components
  const { network } = init
  const logger = components.logger.child('network')
  const bans = createBans({ clock })
  const decisions: HostDecisions = {
    admit: (device, dialled) =>
      !bans.isBanned(device) && (components.decisions?.admit(device, dialled) ?? true),
    isMember: (device) => components.decisions?.isMember?.(device) ?? true,
  }
  const { farewells } = components
  const doorstep = createDoorstep(clock, (device) => (farewells?.wordsFor(device).length ?? 0) > 0)
  const host = await createHost({ keySeed: components.keySeed, decisions, doorstep, logger }, init)
  const { libp2p, members } = host

  const onOffence = (device: DeviceId, code: string): void => {
    const ms = bans.ban(device)
    logger.warn('A peer sent what cannot be right and is kept out for a time.', {
      peer: device,
      code,
      ms,
    })
    host.drop(device)
  }
  const protocol = createSyncProtocol({ libp2p: members, clock, logger })
  const server = createSyncServer({ chain, clock, logger })
  const sync = createSyncRunner(
    {
      client: createSyncClient({ chain, clock, logger }),
      peer: protocol.peer,
      clock,
      logger,
      onOffence,
      ...(components.onSync === undefined ? {} : { onResult: components.onSync }),
    },
    init.syncIntervalMs === undefined ? {} : { intervalMs: init.syncIntervalMs },
  )
  // gossipsub's own score shuts out a peer that sends wrong messages; a ban would punish a single one.
  const gossip = createGossip(
    { pubsub: libp2p.services.pubsub, chain, clock, logger, requestSync: sync.request },
    { network },
  )
  const keys = createKeyProtocol({ libp2p: members, clock, logger })
  const { keyHolder } = components
  const keyParts: Startable[] =
    keyHolder === undefined
      ? []
      : [
          {
            start: () => keys.start(createKeyServer({ holder: keyHolder, clock, logger })),
            stop: () => keys.stop(),
          },
        ]
  const { pairing } = components
  const pair =
    pairing === undefined
      ? []
      : [
          createPairServer({
            libp2p,
            decisions: pairing,
            clock,
            logger,
            mayPair: (key) => decisions.admit(key),
            onOffence,
          }),
        ]
  const transfer = components.transfer?.(members)
  const heliaNode = createHeliaNode({
    host,
    blockstore,
    clock,
    logger,
    ...(transfer?.broker === undefined ? {} : { broker: transfer.broker }),
  })
  const peers = createPeers(
    {
      host,
      memory,
      clock,
      logger,
      onConnect: (device) => {
        sync.connected(device)
        components.onConnect?.(device)
      },
      onDisconnect: (device) => {
        sync.disconnected(device)
        components.onDisconnect?.(device)
      },
    },
    init,
  )
  const parts: Startable[] = [
    ...(transfer === undefined ? [] : [transfer]),
    heliaNode,
    ...pair,
    ...keyParts,
    createConnectionLimits({ host, clock }),
    ...(farewells === undefined
      ? []
      : [createFarewell({ host, doorstep, farewells, clock, logger })]),
    { start: () => protocol.start(server), stop: () => protocol.stop() },
    host,
    gossip,
    sync,
    createWatchdog({ libp2p: members, clock, logger }, { network }),
    peers,
  ]
  return {
    host,
    peers,
    gossip,
    sync,
    helia: heliaNode.helia,
    askKey: keys.ask,
    start: () => startAll(parts),
    stop: () => stopAll(parts),
  }
}
