/**
 * Dials peers for ever: at once, then after longer and longer waits up to 15 s, with some chance in them so that
 * many nodes that come back together do not dial in step.
 */
import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { DeviceId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { placeOf } from './address.ts'
import { createDeadline } from './deadline.ts'
import { networkError } from './errors.ts'
import type { Host } from './host.ts'
import type { KnownPeer, PeerBook } from './peer-book.ts'

export interface DialLoop {
  start(): void
  /** Ends all dials, those on their way too. */
  stop(): void
  /** Dials `peer` until it is connected. `later`: as after a dial that failed. */
  begin(peer: KnownPeer, when: 'now' | 'soon' | 'later'): void
  /** Whether `peer` is being dialled. */
  has(peer: KnownPeer): boolean
  end(peer: KnownPeer): void
  /**
   * Dials once, and goes on in the loop when that fails.
   *
   * @throws `PEER_SELF`, `PEER_UNREACHABLE`
   */
  dialNow(peer: KnownPeer, signal?: AbortSignal): Promise<DeviceId>
}

export interface DialLoopComponents {
  readonly host: Host
  readonly book: PeerBook
  readonly clock: Clock
  readonly logger: Logger
}

export interface DialLoopInit {
  /** Milliseconds before the second try, and the longest wait between tries. */
  readonly retry?: { readonly first: number; readonly longest: number }
}

const RETRY = { first: 500, longest: 15_000 } as const
const DIAL_MS = 10_000
/** Dials at a time; the others wait. */
const MAX_DIALS = 16
/** A peer that was only ever inbound or found on the LAN is given up after so many tries in a row: 50 minutes. */
const MAX_TRIES_UNKEPT = 200

interface Dialling {
  failures: number
  active: boolean
  cancel: () => void
}

export function createDialLoop(
  { host, book, clock, logger }: DialLoopComponents,
  init: DialLoopInit,
): DialLoop {
  const { libp2p } = host
  const retry = init.retry ?? RETRY
  const dialling = new Map<KnownPeer, Dialling>()
  /** Connections in a row that did not last: `later` waits longer each time. */
  const brief = new WeakMap<KnownPeer, number>()
  let active = 0
  let started = false
  let ending = new AbortController()

  const connectionOf = (device: DeviceId | undefined): Connection | undefined =>
    libp2p
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
    const bounded = createDeadline(clock, DIAL_MS, signal)
    try {
      const connection = await libp2p.dial(targets, { signal: bounded.signal })
      const device = connection.remotePeer.toString() as DeviceId
      const known = book.reached(peer, device, placeOf(connection.remoteAddr))
      known.seen = clock.now()
      if (known !== peer) end(peer)
      return device
    } catch (error) {
      const address = targets[0]?.toString()
      const own = host.addresses().some((one) => placeOf(multiaddr(one)) === address)
      if (own) throw networkError('PEER_SELF', { address }, error)
      throw networkError('PEER_UNREACHABLE', { address, why: messageOf(error) }, error)
    } finally {
      bounded.end()
    }
  }

  const end = (peer: KnownPeer): void => {
    dialling.get(peer)?.cancel()
    dialling.delete(peer)
  }
  const forget = (peer: KnownPeer): void => {
    end(peer)
    book.forget(peer)
  }

  return {
    start: () => {
      started = true
      ending = new AbortController()
    },
    stop: () => {
      started = false
      ending.abort(networkError('NETWORK_STOPPED'))
      for (const { cancel } of dialling.values()) cancel()
      dialling.clear()
    },
    begin: (peer, when) => {
      if (when !== 'later') {
        brief.delete(peer)
        return loop(peer, when === 'now' ? 0 : retry.first * clock.random())
      }
      const refused = (brief.get(peer) ?? 0) + 1
      brief.set(peer, refused)
      loop(peer, backOff(refused))
    },
    has: (peer) => dialling.has(peer),
    end,
    dialNow: async (peer, signal) => {
      if (peer.device !== undefined && connectionOf(peer.device) !== undefined) return peer.device
      try {
        return await dial(peer, AbortSignal.any([ending.signal, ...(signal ? [signal] : [])]))
      } catch (error) {
        if (codeOf(error) === 'PEER_SELF') forget(peer)
        else loop(peer, backOff(0))
        throw error
      }
    },
  }
}
