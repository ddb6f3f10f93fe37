/**
 * The peers that this node knows how to reach, bounded. No I/O.
 *
 * owns: which addresses belong together, which peers are kept when there are too many
 * does not own: dialling (peers.ts)
 */
import type { Multiaddr } from '@multiformats/multiaddr'
import type { DeviceId } from '../chain/ids.ts'
import { deviceOf, placeOf } from './address.ts'
import { networkError } from './errors.ts'

/** How this node learned of a peer. `configured` and `added` ones are never forgotten. */
export type PeerSource = 'configured' | 'added' | 'remembered' | 'lan' | 'inbound'

export interface KnownPeer {
  /** Unknown while an address without a device id was never reached. */
  device: DeviceId | undefined
  source: PeerSource
  /** Addresses without `/p2p/`, the last one that worked first. */
  readonly addresses: string[]
  /** When it was connected last, milliseconds UTC; 0 for never. */
  seen: number
}

export interface PeerBook {
  readonly peers: Iterable<KnownPeer>
  /** @throws `PEERS_FULL`, only for peers that somebody configured or added */
  learn(address: Multiaddr, source: PeerSource): KnownPeer | undefined
  /** A dial to `peer` reached `device`: gives the entry that both now share. */
  reached(peer: KnownPeer, device: DeviceId, place: string | undefined): KnownPeer
  of(device: DeviceId): KnownPeer | undefined
  forget(peer: KnownPeer): void
}

/** Peers that are kept; each some hundred bytes. */
export const MAX_PEERS = 512
/** Addresses kept per peer: a laptop has some at home and some at work. */
const MAX_ADDRESSES = 8

const KEPT: readonly PeerSource[] = ['configured', 'added']

export function createPeerBook(): PeerBook {
  const peers = new Set<KnownPeer>()

  const of = (device: DeviceId): KnownPeer | undefined => {
    for (const peer of peers) if (peer.device === device) return peer
    return undefined
  }
  const at = (place: string): KnownPeer | undefined => {
    for (const peer of peers) {
      if (peer.device === undefined && peer.addresses.includes(place)) return peer
    }
    return undefined
  }
  const addPlace = (peer: KnownPeer, place: string, first: boolean): void => {
    const index = peer.addresses.indexOf(place)
    if (index >= 0 && !first) return
    if (index >= 0) peer.addresses.splice(index, 1)
    if (first) peer.addresses.unshift(place)
    else peer.addresses.push(place)
    if (peer.addresses.length > MAX_ADDRESSES) peer.addresses.splice(first ? -1 : 1, 1)
  }
  /** The one that is missed least: not kept, and longest away. */
  const weakest = (): KnownPeer | undefined => {
    let found: KnownPeer | undefined
    for (const peer of peers) {
      if (KEPT.includes(peer.source)) continue
      if (found === undefined || peer.seen < found.seen) found = peer
    }
    return found
  }

  return {
    peers,
    of,
    learn: (address, source) => {
      const device = deviceOf(address)
      const place = placeOf(address)
      const known = device === undefined ? at(place) : of(device)
      if (known !== undefined) {
        addPlace(known, place, KEPT.includes(source))
        if (KEPT.includes(source) && !KEPT.includes(known.source)) known.source = source
        return known
      }
      if (peers.size >= MAX_PEERS) {
        const victim = weakest()
        if (victim !== undefined) peers.delete(victim)
        else if (KEPT.includes(source)) throw networkError('PEERS_FULL', { limit: MAX_PEERS })
        else return undefined
      }
      const peer: KnownPeer = { device, source, addresses: [place], seen: 0 }
      peers.add(peer)
      return peer
    },
    reached: (peer, device, place) => {
      const same = of(device)
      if (same !== undefined && same !== peer) {
        // An address that somebody wrote down without an id turned out to be a known peer's.
        for (const one of peer.addresses) addPlace(same, one, false)
        if (KEPT.includes(peer.source)) same.source = peer.source
        peers.delete(peer)
        return same
      }
      peer.device = device
      if (place !== undefined) addPlace(peer, place, true)
      return peer
    },
    forget: (peer) => void peers.delete(peer),
  }
}
