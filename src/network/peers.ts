/**
 * Stays connected to the peers that are known: dials them for ever, waiting longer each time up to 15 s, and
 * begins anew when a connection ends. libp2p itself gives a peer up after half a minute.
 *
 * owns: the dial loop, remembering addresses, the list that people see
 * does not own: the host's options (host.ts), who is let in (decisions)
 */
import type { Connection, IdentifyResult, PeerId, PeerInfo } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { DeviceId, NetworkId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import { parseAddress, placeOf } from './address.ts'
import { networkError } from './errors.ts'
import type { Host } from './host.ts'
import { createPeerBook, type KnownPeer, type PeerSource } from './peer-book.ts'
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

export interface PeerInfoView {
  readonly device: DeviceId | undefined
  readonly addresses: readonly string[]
  readonly source: PeerSource
  readonly connected: boolean
  readonly direction: 'inbound' | 'outbound' | undefined
  /** Milliseconds of a round trip, when one was measured. */
  readonly latency: number | undefined
  /** When it was connected last (now, for a connected one), milliseconds UTC; 0 for never. */
  readonly seen: number
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

export interface PeersInit {
  readonly network: NetworkId
  /** Addresses from the peers file. */
  readonly bootstrap: readonly string[]
  /** Dial what is found on the local network. */
  readonly lan?: boolean
  /** Milliseconds before the second try, and the longest wait between tries. */
  readonly retry?: { readonly first: number; readonly longest: number }
}

const RETRY = { first: 500, longest: 15_000 } as const
const DIAL_MS = 10_000
/** Dials at a time; the others wait. */
const MAX_DIALS = 16
/** Changes are saved together. */
const SAVE_AFTER_MS = 2000
/** A peer that was only ever inbound or found on the LAN is given up after so many tries in a row. */
const MAX_TRIES_UNKEPT = 200

interface Dialling {
  failures: number
  active: boolean
  cancel: () => void
}

export function createPeers(
  { host, memory, clock, logger, onConnect, onDisconnect }: PeersComponents,
  init: PeersInit,
): Peers {
  const { libp2p } = host
  const retry = init.retry ?? RETRY
  const book = createPeerBook()
  const dialling = new Map<KnownPeer, Dialling>()
  let active = 0
  let started = false
  let ending = new AbortController()
  let cancelSave: (() => void) | undefined

  const connectionOf = (device: DeviceId | undefined): Connection | undefined =>
    device === undefined
      ? undefined
      : libp2p
          .getConnections()
          .find(({ remotePeer, status }) => status === 'open' && remotePeer.toString() === device)

  const loop = (peer: KnownPeer, ms: number): void => {
    if (!started) return
    const state = dialling.get(peer) ?? { failures: 0, active: false, cancel: () => {} }
    dialling.set(peer, state)
    if (state.active) return
    state.cancel()
    state.cancel = clock.after(ms, () => void attempt(peer, state))
  }

  const backOff = (failures: number): number =>
    Math.min(retry.longest, retry.first * 2 ** Math.min(failures, 20)) * (0.75 + clock.random() / 2)

  async function attempt(peer: KnownPeer, state: Dialling): Promise<void> {
    if (!started || state.active || connectionOf(peer.device) !== undefined) return
    if (active >= MAX_DIALS) return loop(peer, retry.first)
    state.active = true
    active += 1
    try {
      await dial(peer, ending.signal)
      state.failures = 0
    } catch (error) {
      if (codeOf(error) === 'PEER_SELF') return forget(peer)
      state.failures += 1
      logger.debug('A peer cannot be reached.', { peer: peer.device, why: messageOf(error) })
    } finally {
      state.active = false
      active -= 1
    }
    if (connectionOf(peer.device) !== undefined) return
    const unkept = peer.source === 'inbound' || peer.source === 'lan'
    if (unkept && state.failures > MAX_TRIES_UNKEPT) forget(peer)
    else loop(peer, backOff(state.failures))
  }

  async function dial(peer: KnownPeer, signal: AbortSignal): Promise<DeviceId> {
    const suffix = peer.device === undefined ? '' : `/p2p/${peer.device}`
    const targets = peer.addresses.map((place) => multiaddr(`${place}${suffix}`))
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(DIAL_MS)])
    try {
      const connection = await libp2p.dial(targets, { signal: bounded })
      const device = connection.remotePeer.toString() as DeviceId
      const known = book.reached(peer, device, placeOf(connection.remoteAddr))
      known.seen = clock.now()
      if (known !== peer) drop(peer)
      return device
    } catch (error) {
      const address = targets[0]?.toString()
      // libp2p refuses to dial itself, by id at once, by address after the handshake.
      const self = nameOf(error) === 'DialError' && peer.device === host.device
      const own = host
        .addresses()
        .some((one) => one === address || placeOf(multiaddr(one)) === address)
      if (self || own) throw networkError('PEER_SELF', { address }, error)
      throw networkError('PEER_UNREACHABLE', { address, why: messageOf(error) }, error)
    }
  }

  const drop = (peer: KnownPeer): void => {
    dialling.get(peer)?.cancel()
    dialling.delete(peer)
  }
  const forget = (peer: KnownPeer): void => {
    drop(peer)
    book.forget(peer)
  }

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
    const peer = book.of(device)
    if (peer !== undefined) {
      peer.seen = clock.now()
      drop(peer)
    }
    logger.info('A peer is connected.', { peer: device })
    onConnect?.(device)
    saveSoon()
  }
  const disconnected = ({ detail }: CustomEvent<PeerId>): void => {
    const device = detail.toString() as DeviceId
    const peer = book.of(device)
    logger.info('A peer is gone.', { peer: device })
    if (peer !== undefined) {
      peer.seen = clock.now()
      loop(peer, retry.first * clock.random())
    }
    onDisconnect?.(device)
    saveSoon()
  }
  const identified = ({ detail }: CustomEvent<IdentifyResult>): void => {
    const device = detail.peerId.toString()
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
      if (peer !== undefined && !dialling.has(peer)) loop(peer, retry.first * clock.random())
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
      ending = new AbortController()
      libp2p.addEventListener('peer:connect', connected)
      libp2p.addEventListener('peer:disconnect', disconnected)
      libp2p.addEventListener('peer:identify', identified)
      libp2p.addEventListener('peer:discovery', discovered)
      // Somebody may have dialled this node before it listened to these events.
      for (const detail of libp2p.getPeers()) connected(new CustomEvent('peer:connect', { detail }))
      for (const peer of book.peers) loop(peer, 0)
    },
    stop: async () => {
      if (!started) return
      started = false
      libp2p.removeEventListener('peer:connect', connected)
      libp2p.removeEventListener('peer:disconnect', disconnected)
      libp2p.removeEventListener('peer:identify', identified)
      libp2p.removeEventListener('peer:discovery', discovered)
      ending.abort(networkError('NETWORK_STOPPED'))
      for (const { cancel } of dialling.values()) cancel()
      dialling.clear()
      cancelSave?.()
      cancelSave = undefined
      await save()
    },
    add: async (address, signal) => {
      const peer = learn(address, 'added')
      if (peer === undefined || !started) throw networkError('NETWORK_STOPPED')
      const open = connectionOf(peer.device)
      if (open !== undefined && peer.device !== undefined) return peer.device
      try {
        return await dial(peer, AbortSignal.any([ending.signal, ...(signal ? [signal] : [])]))
      } catch (error) {
        if (codeOf(error) === 'PEER_SELF') forget(peer)
        else loop(peer, backOff(0))
        throw error
      } finally {
        saveSoon()
      }
    },
    list: () => {
      const views: PeerInfoView[] = []
      const listed = new Set<string>()
      for (const { device, addresses, source, seen } of book.peers) {
        const open = connectionOf(device)
        if (device !== undefined) listed.add(device)
        views.push({
          device,
          addresses: [...addresses],
          source,
          connected: open !== undefined,
          direction: open?.direction,
          latency: open?.rtt,
          seen: open === undefined ? seen : clock.now(),
        })
      }
      for (const { remotePeer, remoteAddr, direction, rtt, status } of libp2p.getConnections()) {
        const device = remotePeer.toString() as DeviceId
        if (status !== 'open' || listed.has(device)) continue
        listed.add(device)
        const addresses = [placeOf(remoteAddr)]
        const rest = { connected: true, direction, latency: rtt, seen: clock.now() }
        views.push({ device, addresses, source: 'inbound', ...rest })
      }
      return views
    },
    connected: () => [...new Set(libp2p.getPeers().map((peer) => peer.toString() as DeviceId))],
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

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : ''
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
