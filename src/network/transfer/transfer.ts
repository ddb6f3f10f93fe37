/**
 * The members' own way for content: `/cairn/transfer/1.0.0`, as a block broker for Helia, as the fetch of a whole
 * tree, and as the answering side.
 *
 * @example
 * const transfer = createTransfer({ libp2p, blockstore, logger, clock }, {})
 * await transfer.start()
 * await transfer.fetchDag(CID.parse(root), { signal })
 */
import type { Connection, Stream } from '@libp2p/interface'
import type { CID } from 'multiformats/cid'
import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import { MIB } from '../../common/limits.ts'
import type { Logger } from '../../common/logger.ts'
import { createBlockDoor, gather, type TransferBlockstore } from './block-door.ts'
import { createBroker, type TransferBroker } from './broker.ts'
import { createBuffers } from './buffers.ts'
import type { TransferStream } from './channel.ts'
import type { TransferErrorCode } from './errors.ts'
import { type FetchOptions, fetchDag } from './fetch-dag.ts'
import { createBudget, createSemaphore, createTokenBucket, type TokenBucket } from './limits.ts'
import { type Held, TRANSFER_PROTOCOL } from './messages.ts'
import { serveStream } from './server.ts'
import { createSources, type SourceHost } from './sources.ts'

/** Streams of the protocol that one connection may have open: one, and one that takes its place. */
const STREAMS_PER_CONNECTION = 2
/** Streams that one device may have open over all its connections. */
const STREAMS_PER_DEVICE = 4
/** Blocks that are read from the disk for others at a time. */
const MAX_READS = 16
/** Bytes that wait to be sent, of all streams. */
const MAX_READY_BYTES: number = 64 * MIB
/** Bytes of the buffer that a block is read into: a leaf of the import profile. */
const READ_BYTES: number = MIB
/** Questions per second of one device. A full gigabit of 16 KiB blocks asks half of that. */
const QUESTIONS_PER_SECOND = 16_000
/** Milliseconds for a device to say what it has. */
const HOLDERS_MS = 3_000

/** What is needed of the libp2p node; a `Libp2p` fits. */
export interface TransferHost extends SourceHost {
  handle(
    protocol: string,
    handler: (stream: Stream, connection: Connection) => void,
    options: { maxInboundStreams: number; maxOutboundStreams: number },
  ): Promise<void>
  unhandle(protocol: string): Promise<void>
}

export interface TransferComponents {
  libp2p: TransferHost
  /** The local content; never one that fetches what is missing. */
  blockstore: TransferBlockstore
  clock: Clock
  logger: Logger
  /** Whether every block under a root is here and was verified. Default: never. */
  isComplete?: (root: CID) => boolean | Promise<boolean>
  /** Whether a device may ask at all. Default: everyone who may connect. */
  mayAsk?: (device: string) => boolean
  /** A device sent what it must not. */
  onMisbehaviour?: (device: string, code: TransferErrorCode) => void
}

export interface TransferInit {
  /** Bytes per second that are sent to all others together; default: no limit. */
  uploadBytesPerSecond?: number
  /** Milliseconds without progress after which a source is put aside. */
  stallMs?: number
  /** Milliseconds after which a reader that does not read is cut off. */
  unreadMs?: number
}

export interface TransferStats {
  /** Bytes of blocks sent to others. */
  readonly sent: number
  /** Bytes of verified blocks that came. */
  readonly received: number
  /** Faults of sources, by code. */
  readonly faults: Readonly<Record<string, number>>
  /** Streams that are being served. */
  readonly serving: number
}

export interface Transfer extends Startable {
  readonly broker: TransferBroker
  /** Brings all blocks under `root` here; see fetch-dag.ts for options and errors. */
  fetchDag(root: CID, options?: FetchOptions): Promise<void>
  /** What the connected devices say that they hold of `root`; a device that does not answer is left out. */
  holders(root: CID, signal?: AbortSignal): Promise<Map<string, Held>>
  /** Devices that are connected and speak the protocol. */
  readonly sources: readonly string[]
  /** Calls `listener` when a device may be asked that could not be before. */
  onSource(listener: (device: string) => void): () => void
  stats(): TransferStats
}

export function createTransfer(components: TransferComponents, init: TransferInit): Transfer {
  const { libp2p, blockstore, clock, logger, isComplete, mayAsk, onMisbehaviour } = components
  const buffers = createBuffers()
  const sources = createSources({ host: libp2p, clock, logger, buffers, onMisbehaviour }, init)
  const door = createBlockDoor({ blockstore, logger, buffers })
  const reads = createSemaphore(MAX_READS)
  const ready = createBudget(MAX_READY_BYTES)
  const upload = createUpload(clock, init.uploadBytesPerSecond)
  const served = new Map<string, { streams: Set<Stream>; questions: TokenBucket }>()
  let sent = 0
  let running = false

  const read = async (cid: CID): Promise<Uint8Array | undefined> => {
    try {
      if (blockstore.bytesInto === undefined) return await gather(blockstore.get(cid))
      const target = buffers.take(READ_BYTES)
      const block = await blockstore.bytesInto(cid, target)
      if (block.length > READ_BYTES / 4) return block
      // What is sent cannot be used again (the muxer keeps it for an unknown time), but what is not, can.
      const small = block.slice()
      buffers.give(target)
      return small
    } catch (error) {
      logger.debug('A block that is wanted cannot be read', { why: messageOf(error) })
      return undefined
    }
  }

  const holds = async (root: CID): Promise<Held> => {
    try {
      if (!(await blockstore.has(root))) return 'none'
      return (await isComplete?.(root)) === true ? 'complete' : 'part'
    } catch {
      return 'none'
    }
  }

  const serve = async (stream: Stream, connection: Connection): Promise<void> => {
    const device = connection.remotePeer.toString()
    const state = served.get(device) ?? {
      streams: new Set(),
      questions: createTokenBucket(clock, QUESTIONS_PER_SECOND, QUESTIONS_PER_SECOND),
    }
    if (mayAsk?.(device) === false || state.streams.size >= STREAMS_PER_DEVICE) {
      return stream.abort(new Error('not served'))
    }
    served.set(device, state)
    state.streams.add(stream)
    const shared = { read, holds, clock, reads, ready, upload, questions: state.questions }
    const onSent = (bytes: number): void => {
      sent += bytes
    }
    try {
      const unread = init.unreadMs === undefined ? {} : { unreadMs: init.unreadMs }
      await serveStream(
        stream as unknown as TransferStream,
        { ...shared, onSent },
        {
          peer: device,
          ...unread,
        },
      )
    } catch (error) {
      logger.debug('A stream that asked for content ended', { device, why: messageOf(error) })
    } finally {
      state.streams.delete(stream)
      if (state.streams.size === 0) served.delete(device)
    }
  }

  return {
    broker: createBroker({ door, sources }),
    fetchDag: (root, options) => fetchDag({ door, sources, clock }, root, options),
    get sources() {
      return sources.connected
    },
    onSource: (listener) =>
      sources.onChange((fresh) => {
        if (fresh !== undefined) listener(fresh)
      }),
    holders: async (root, signal) => {
      const limit = new AbortController()
      const stop = clock.after(HOLDERS_MS, () => limit.abort())
      const both = signal === undefined ? limit.signal : AbortSignal.any([limit.signal, signal])
      try {
        const answers = await Promise.all(
          sources.usable().map(async (source): Promise<[string, Held][]> => {
            const answer = await source.have([root], both).catch(() => [])
            return answer[0] === undefined ? [] : [[source.peer, answer[0]]]
          }),
        )
        signal?.throwIfAborted()
        return new Map(answers.flat())
      } finally {
        stop()
      }
    },
    stats: () => ({
      sent,
      received: sources.stats.received,
      faults: Object.fromEntries(sources.stats.faults),
      serving: [...served.values()].reduce((sum, { streams }) => sum + streams.size, 0),
    }),
    start: async () => {
      if (running) return
      running = true
      await libp2p.handle(
        TRANSFER_PROTOCOL,
        (stream, connection) => void serve(stream, connection),
        {
          maxInboundStreams: STREAMS_PER_CONNECTION,
          maxOutboundStreams: STREAMS_PER_CONNECTION,
        },
      )
      await sources.start()
    },
    stop: async () => {
      if (!running) return
      running = false
      await libp2p.unhandle(TRANSFER_PROTOCOL)
      await sources.stop()
      for (const { streams } of served.values()) {
        for (const stream of streams) stream.abort(new Error('the node is stopping'))
      }
    },
  }
}

/** A second of burst, and never less than a block. */
function createUpload(clock: Clock, perSecond = Number.POSITIVE_INFINITY): TokenBucket {
  return createTokenBucket(clock, perSecond, Math.max(2 * MIB, perSecond))
}
