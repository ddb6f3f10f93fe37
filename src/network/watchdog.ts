/**
 * Finds connections on which gossip has died. One frame that is too large, or a stream that broke, silences a
 * direction of gossipsub for the life of the connection, and neither side says so. Such a connection is
 * closed; the dial loop makes a new one.
 */
import type { Connection } from '@libp2p/interface'
import type { NetworkId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import type { CairnLibp2p } from './host.ts'
import { topicsOf } from './topics.ts'

export interface WatchdogComponents {
  readonly libp2p: CairnLibp2p
  readonly clock: Clock
  readonly logger: Logger
}

export interface WatchdogInit {
  readonly network: NetworkId
  /** Milliseconds that a connection may be without gossip. */
  readonly graceMs?: number
}

/** Twice what two slow peers need to subscribe after they met. */
const GRACE_MS = 10_000

export function createWatchdog(
  { libp2p, clock, logger }: WatchdogComponents,
  init: WatchdogInit,
): Startable {
  const { pubsub } = libp2p.services
  const graceMs = init.graceMs ?? GRACE_MS
  const topics = Object.values(topicsOf(init.network))
  /** When a connected peer was first seen without gossip. */
  const silent = new Map<string, number>()
  let cancel: (() => void) | undefined

  /** Both directions have their stream on some connection, and the peer has told us its topics. */
  const gossips = (peer: string, connections: readonly Connection[]): boolean => {
    const directions = new Set<string>()
    for (const { streams } of connections) {
      for (const { protocol, direction } of streams) {
        if (pubsub.protocols.includes(protocol)) directions.add(direction)
      }
    }
    const subscribed = topics.every((topic) =>
      pubsub.getSubscribers(topic).some((one) => one.toString() === peer),
    )
    return directions.size === 2 && subscribed
  }

  async function look(): Promise<void> {
    const now = clock.now()
    const byPeer = Map.groupBy(libp2p.getConnections(), ({ remotePeer }) => remotePeer.toString())
    for (const peer of silent.keys()) if (!byPeer.has(peer)) silent.delete(peer)
    for (const [peer, connections] of byPeer) {
      const [first] = connections
      if (first === undefined || gossips(peer, connections)) {
        silent.delete(peer)
        continue
      }
      const since = silent.get(peer) ?? now
      silent.set(peer, since)
      if (now - since < graceMs || !(await supportsGossip(first))) continue
      silent.delete(peer)
      logger.info('Gossip with a peer has died; the connection is made anew.', { peer })
      await Promise.allSettled(connections.map((connection) => connection.close()))
    }
  }

  async function supportsGossip({ remotePeer }: Connection): Promise<boolean> {
    try {
      const { protocols } = await libp2p.peerStore.get(remotePeer)
      return protocols.some((protocol) => pubsub.protocols.includes(protocol))
    } catch {
      return false
    }
  }

  const again = (): void => {
    cancel = clock.after(graceMs / 4, () => {
      look()
        .catch(() => {})
        .finally(() => {
          if (cancel !== undefined) again()
        })
    })
  }

  return {
    start: async () => {
      if (cancel === undefined) again()
    },
    stop: async () => {
      cancel?.()
      cancel = undefined
      silent.clear()
    },
  }
}
