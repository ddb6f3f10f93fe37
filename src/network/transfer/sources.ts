/**
 * The devices that blocks can be asked of: those that are connected and speak the protocol. One that failed
 * is put aside for a while, one that lied for long.
 *
 * owns: who is asked at all, and for how long somebody is not
 * does not own: connections (network/peers), membership (the gate at the connection)
 */
import type { Connection, PeerId } from '@libp2p/interface'
import type { Clock } from '../../common/clock.ts'
import type { CairnError } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { Buffers } from './buffers.ts'
import type { TransferStream } from './channel.ts'
import type { TransferErrorCode } from './errors.ts'
import { TRANSFER_PROTOCOL } from './messages.ts'
import { createSource, type Source } from './source.ts'

/** What is needed of the libp2p node; a `Libp2p` fits. */
export interface SourceHost {
  register(
    protocol: string,
    topology: { onConnect(peer: PeerId): void; onDisconnect(peer: PeerId): void },
  ): Promise<string>
  unregister(id: string): void
  getConnections(
    peer?: PeerId,
  ): Pick<Connection, 'status' | 'limits' | 'newStream' | 'remotePeer'>[]
  peerStore: { get(peer: PeerId): Promise<{ protocols: string[] }> }
}

/** Milliseconds that a source is put aside after a broken or silent stream; doubled each time in a row. */
const ASIDE_MS = { SOURCE_GONE: 500, SOURCE_STALLED: 15_000 } as const
/** Milliseconds above which that does not grow. */
const MAX_ASIDE_MS = 5 * 60_000
/** Milliseconds that a source which broke the protocol or sent wrong bytes is not asked. */
const LIAR_ASIDE_MS: number = 60 * 60_000
/** Devices whose faults are remembered: the bound of what strangers can make this node keep. */
const MAX_REMEMBERED = 1024

export interface SourceStats {
  /** Bytes of verified blocks that came. */
  received: number
  /** Faults by code. */
  readonly faults: Map<TransferErrorCode, number>
}

export interface Sources extends Startable {
  /** All that may be asked now; the fastest first. */
  usable(): Source[]
  /** Whether a device is connected and speaks the protocol, put aside or not. */
  readonly connected: readonly string[]
  /** Calls `listener` when somebody may be asked (again): a new source, an answer, the end of a pause. */
  onChange(listener: (fresh?: string) => void): () => void
  readonly stats: SourceStats
}

export interface SourcesComponents {
  host: SourceHost
  clock: Clock
  logger: Logger
  buffers: Buffers
  /** A device sent what it must not; for the scores of the host. */
  onMisbehaviour?: ((peer: string, code: TransferErrorCode) => void) | undefined
}

interface Fault {
  strikes: number
  until: number
  liar: boolean
}

export function createSources(
  { host, clock, logger, buffers, onMisbehaviour }: SourcesComponents,
  init: { stallMs?: number | undefined },
): Sources {
  const sources = new Map<string, Source>()
  const faults = new Map<string, Fault>()
  const listeners = new Set<(fresh?: string) => void>()
  const stats: SourceStats = { received: 0, faults: new Map() }
  let registration: string | undefined

  const changed = (fresh?: string): void => {
    // Who is told first gets the room in the window: everyone has a turn.
    const [first] = listeners
    if (first !== undefined && listeners.size > 1) {
      listeners.delete(first)
      listeners.add(first)
    }
    for (const listener of [...listeners]) listener(fresh)
  }

  const putAside = (peer: string, error: CairnError<TransferErrorCode>): void => {
    stats.faults.set(error.code, (stats.faults.get(error.code) ?? 0) + 1)
    const strikes = (faults.get(peer)?.strikes ?? 0) + 1
    const liar = error.verdict === 'reject'
    const first = error.code === 'SOURCE_STALLED' ? ASIDE_MS.SOURCE_STALLED : ASIDE_MS.SOURCE_GONE
    const pause = liar ? LIAR_ASIDE_MS : Math.min(MAX_ASIDE_MS, first * 2 ** (strikes - 1))
    faults.delete(peer)
    faults.set(peer, { strikes, until: clock.now() + pause, liar })
    const oldest = faults.keys().next().value
    if (faults.size > MAX_REMEMBERED && oldest !== undefined) faults.delete(oldest)
    clock.after(pause, () => changed(peer))
    const say = liar ? logger.warn : logger.debug
    say('A source of content is put aside', { device: peer, code: error.code, ms: pause })
    if (liar) onMisbehaviour?.(peer, error.code)
    changed()
  }

  const open = async (peer: PeerId, signal: AbortSignal): Promise<TransferStream> => {
    const connection = host
      .getConnections(peer)
      .find(({ status, limits }) => status === 'open' && limits === undefined)
    if (connection === undefined) throw new Error('not connected')
    return (await connection.newStream(TRANSFER_PROTOCOL, { signal })) as unknown as TransferStream
  }

  const add = (peer: PeerId): void => {
    const name = peer.toString()
    // A new connection is a new chance, but not for one that lied.
    if (faults.get(name)?.liar === false) faults.delete(name)
    if (!sources.has(name))
      sources.set(
        name,
        createSource(
          {
            open: (signal) => open(peer, signal),
            clock,
            buffers,
            onAnswer: (bytes) => {
              stats.received += bytes
              if (bytes > 0 && faults.get(name)?.liar === false) faults.delete(name)
              changed()
            },
            onFault: (error) => putAside(name, error),
          },
          { peer: name, ...(init.stallMs === undefined ? {} : { stallMs: init.stallMs }) },
        ),
      )
    changed(name)
  }

  const remove = (peer: PeerId): void => {
    const name = peer.toString()
    if (host.getConnections(peer).length > 0) return
    const source = sources.get(name)
    sources.delete(name)
    source?.end('SOURCE_GONE')
  }

  return {
    stats,
    get connected() {
      return [...sources.keys()]
    },
    usable: () => {
      const now = clock.now()
      return [...sources.values()]
        .filter(({ peer }) => (faults.get(peer)?.until ?? 0) <= now)
        .sort((a, b) => b.window.rate - a.window.rate)
    },
    onChange: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    start: async () => {
      if (registration !== undefined) return
      registration = await host.register(TRANSFER_PROTOCOL, {
        onConnect: add,
        onDisconnect: remove,
      })
      // Those that were connected and identified before this started.
      for (const { remotePeer } of host.getConnections()) {
        const known = await host.peerStore.get(remotePeer).catch(() => undefined)
        if (known?.protocols.includes(TRANSFER_PROTOCOL) === true) add(remotePeer)
      }
    },
    stop: async () => {
      if (registration !== undefined) host.unregister(registration)
      registration = undefined
      const ending = [...sources.values()]
      sources.clear()
      for (const source of ending) source.end('TRANSFER_STOPPED')
    },
  }
}
