/**
 * Stays connected to the peers that are known: dials them for ever, waiting longer each time up to 15 s, and
 * begins anew when a connection ends. libp2p itself gives a peer up after half a minute.
 *
 * owns: what is known of peers and kept, who is dialled when
 * does not own: the host's options (host.ts), who is let in (decisions)
 */
import type { IdentifyResult, PeerId, PeerInfo } from '@libp2p/interface'
import type { DeviceId, NetworkId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import { parseAddress, placeOf } from './address.ts'
import { createDialLoop, type DialLoopInit } from './dial-loop.ts'
import { networkError } from './errors.ts'
import type { Host } from './host.ts'
import { createPeerBook, type KnownPeer, type PeerSource } from './peer-book.ts'
import { listPeers, type PeerInfoView } from './peer-list.ts'
import { encodePeersFile, type PeersFile } from './peers-file.ts'

/** What is remembered of a peer from one start to the next. */
export interface RememberedPeer {
  readonly device: string
  readonly addresses: readonly string[]
  /** Milliseconds UTC. */
  readonly seen: number
}

/** Where remembered peers are kept. What `load` gives may be damaged: it is checked. */
export interface PeerMemory {
  load(): Promise<readonly RememberedPeer[]>
  save(peers: readonly RememberedPeer[]): Promise<void>
}

export interface Peers extends Startable {
  /**
   * Adds an address and dials it; the peer is kept, and dialled again and again, also when this fails.
   *
   * @throws `PEER_ADDRESS`, `PEER_SELF`, `PEER_UNREACHABLE`, `PEERS_FULL`
   */
  add(address: string, signal?: AbortSignal): Promise<DeviceId>
  list(): PeerInfoView[]
  connected(): DeviceId[]
  /** A peers file with which another device finds this network. */
  exportPeers(): PeersFile
}

export interface PeersComponents {
  readonly host: Host
  readonly memory: PeerMemory
  readonly clock: Clock
  readonly logger: Logger
  readonly onConnect?: (device: DeviceId) => void
  readonly onDisconnect?: (device: DeviceId) => void
}

export interface PeersInit extends DialLoopInit {
  readonly network: NetworkId
  /** Addresses from the peers file. */
  readonly bootstrap: readonly string[]
  /** Dial what is found on the local network. */
  readonly lan?: boolean
}

/**
 * Milliseconds; a connection that ended sooner may never have stood: a peer that does not admit this device
 * closes it after the handshake.
 */
const BRIEF_MS = 2000
/** Changes are saved together. */
const SAVE_AFTER_MS = 2000

export function createPeers(
  { host, memory, clock, logger, onConnect, onDisconnect }: PeersComponents,
  init: PeersInit,
): Peers {
  const { libp2p } = host
  const book = createPeerBook()
  let started = false
  let cancelSave: (() => void) | undefined
  /** Since when each peer is connected. */
  const met = new Map<DeviceId, number>()

  const dials = createDialLoop({ host, book, clock, logger }, init)

  const learn = (text: string, source: PeerSource): KnownPeer | undefined => {
    const peer = book.learn(parseAddress(text), source)
    if (peer !== undefined && peer.device === host.device) {
      book.forget(peer)
      throw networkError('PEER_SELF', { address: text })
    }
    return peer
  }
  /** For what nobody typed: an address that is none is passed over. */
  const tryLearn = (text: string, source: PeerSource): KnownPeer | undefined => {
    try {
      return learn(text, source)
    } catch (error) {
      logger.debug('An address of a peer was passed over.', { code: codeOf(error) })
      return undefined
    }
  }

  const saveSoon = (): void => {
    if (cancelSave !== undefined || !started) return
    cancelSave = clock.after(SAVE_AFTER_MS, () => {
      cancelSave = undefined
      void save()
    })
  }
  async function save(): Promise<void> {
    const remembered: RememberedPeer[] = []
    for (const { device, addresses, seen } of book.peers) {
      if (device !== undefined && seen > 0)
        remembered.push({ device, addresses: [...addresses], seen })
    }
    try {
      await memory.save(remembered)
    } catch (error) {
      logger.warn('The list of known peers could not be saved.', { code: codeOf(error) })
    }
  }

  const connected = ({ detail }: CustomEvent<PeerId>): void => {
    const device = detail.toString() as DeviceId
    // Somebody who may only pair is not a peer.
    if (!host.isMember(device)) return
    met.set(device, clock.now())
    const peer = book.of(device)
    if (peer !== undefined) {
      peer.seen = clock.now()
      dials.end(peer)
    }
    logger.info('A peer is connected.', { peer: device })
    onConnect?.(device)
    saveSoon()
  }
  const disconnected = ({ detail }: CustomEvent<PeerId>): void => {
    const device = detail.toString() as DeviceId
    const peer = book.of(device)
    const since = met.get(device)
    if (since === undefined) return
    met.delete(device)
    logger.info('A peer is gone.', { peer: device })
    if (peer !== undefined) {
      peer.seen = clock.now()
      dials.begin(peer, peer.seen - since < BRIEF_MS ? 'later' : 'soon')
    }
    onDisconnect?.(device)
    saveSoon()
  }
  const identified = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const device = detail.peerId.toString()
    if (!host.isMember(device as DeviceId)) return
    for (const address of detail.listenAddrs)
      tryLearn(`${placeOf(address)}/p2p/${device}`, 'inbound')
    const peer = book.of(device as DeviceId)
    if (peer !== undefined) peer.seen = clock.now()
    saveSoon()
  }
  const discovered = ({ detail }: CustomEvent<PeerInfo>): void => {
    if (init.lan !== true) return
    for (const address of detail.multiaddrs) {
      const peer = tryLearn(`${placeOf(address)}/p2p/${detail.id}`, 'lan')
      if (peer !== undefined && !dials.has(peer)) dials.begin(peer, 'soon')
    }
  }

  return {
    start: async () => {
      if (started) return
      for (const address of init.bootstrap) {
        try {
          learn(address, 'configured')
        } catch (error) {
          if (codeOf(error) !== 'PEER_SELF') throw error
        }
      }
      for (const { device, addresses, seen } of await remembered(memory, logger)) {
        for (const address of addresses) {
          const peer = tryLearn(`${address}/p2p/${device}`, 'remembered')
          if (peer !== undefined && Number.isSafeInteger(seen)) peer.seen = seen
        }
      }
      started = true
      libp2p.addEventListener('peer:connect', connected)
      libp2p.addEventListener('peer:disconnect', disconnected)
      libp2p.addEventListener('peer:identify', identified)
      libp2p.addEventListener('peer:discovery', discovered)
      // Somebody may have dialled this node before it listened to these events.
      for (const detail of libp2p.getPeers()) connected(new CustomEvent('peer:connect', { detail }))
      dials.start()
      for (const peer of book.peers) dials.begin(peer, 'now')
    },
    stop: async () => {
      if (!started) return
      started = false
      libp2p.removeEventListener('peer:connect', connected)
      libp2p.removeEventListener('peer:disconnect', disconnected)
      libp2p.removeEventListener('peer:identify', identified)
      libp2p.removeEventListener('peer:discovery', discovered)
      dials.stop()
      met.clear()
      cancelSave?.()
      cancelSave = undefined
      await save()
    },
    add: async (address, signal) => {
      const peer = learn(address, 'added')
      if (peer === undefined || !started) throw networkError('NETWORK_STOPPED')
      try {
        return await dials.dialNow(peer, signal)
      } finally {
        saveSoon()
      }
    },
    list: () => listPeers(book, host.members, clock.now()),
    connected: () => [...met.keys()],
    exportPeers: () => {
      const bootstrap = host.addresses()
      for (const { device, addresses } of book.peers) {
        for (const place of addresses) {
          bootstrap.push(device === undefined ? place : `${place}/p2p/${device}`)
        }
      }
      return encodePeersFile({ network: init.network, bootstrap })
    },
  }
}

async function remembered(memory: PeerMemory, logger: Logger): Promise<readonly RememberedPeer[]> {
  try {
    return await memory.load()
  } catch (error) {
    logger.warn('The list of known peers could not be read; it begins anew.', {
      code: codeOf(error),
    })
    return []
  }
}
