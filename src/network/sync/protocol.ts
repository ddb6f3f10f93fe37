/**
 * Sync over libp2p: one stream per request, `/cairn/sync/1.0.0`. The asking side sends one frame; the
 * answering side sends its frames and closes.
 *
 * owns: streams, their limits and time limits
 * does not own: what is asked and answered (client.ts, server.ts)
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { DeviceId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { createDeadline } from '../deadline.ts'
import { networkError } from '../errors.ts'
import { createFrames, FrameError, type Frames } from '../frames.ts'
import { MAX_FRAME_BYTES, MAX_REQUEST_BYTES, SYNC_PROTOCOL } from './messages.ts'
import { createSyncPeer, type SyncPeer } from './peer.ts'
import type { SyncServer } from './server.ts'

export interface SyncProtocol {
  /** The peer to ask; each question opens a stream on a connection that exists, and dials none. */
  peer(device: DeviceId): SyncPeer
  /** Answers requests from now on. Call before the host listens, so that nobody meets a node without it. */
  start(server: SyncServer): Promise<void>
  /** Breaks off what is in flight. */
  stop(): Promise<void>
}

export interface SyncProtocolComponents {
  readonly libp2p: Libp2p
  readonly clock: Clock
  readonly logger: Logger
}

export interface SyncProtocolInit {
  /** Milliseconds without a byte of the answer. */
  readonly idleMs?: number
}

/** Streams per connection: a run uses two at a time. */
const MAX_STREAMS = 8
/** Answers in the making, of all peers together; each holds one frame (2 MiB at most). */
const MAX_ANSWERS = 32
/** Without a byte for so long the other side is gone. */
const IDLE_MS = 15_000
/** A request is small and is sent at once. */
const REQUEST_MS = 10_000
/** The asking side may be busy with importing what it got before it takes more. */
const DRAIN_MS = 120_000
/** Whole time of one answer, against peers that drip. */
const ANSWER_MS = 10 * 60_000

export function createSyncProtocol(
  { libp2p, clock, logger }: SyncProtocolComponents,
  init: SyncProtocolInit = {},
): SyncProtocol {
  const idleMs = init.idleMs ?? IDLE_MS
  let ending = new AbortController()
  const answering = new Set<Promise<void>>()

  async function* exchange(
    device: DeviceId,
    request: Uint8Array,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const whole = createDeadline(clock, ANSWER_MS, signal, ending.signal)
    let finished = false
    let frames: Frames | undefined
    try {
      const stream = await open(device, whole.signal)
      const limits = { clock, maxFrameBytes: MAX_FRAME_BYTES, signal: whole.signal }
      frames = createFrames(stream, limits)
      await frames.write(request, REQUEST_MS)
      for (;;) {
        const frame = await frames.read(idleMs)
        if (frame === undefined) break
        yield frame
      }
      finished = true
    } catch (error) {
      signal.throwIfAborted()
      throw failureOf(device, error)
    } finally {
      whole.end()
      if (finished) await frames?.close()
      else frames?.abort()
    }
  }

  async function open(device: DeviceId, signal: AbortSignal): Promise<Stream> {
    const connections = libp2p.getConnections(peerIdFromString(device))
    const connection = connections.find(({ status }) => status === 'open')
    if (connection === undefined) throw networkError('SYNC_STREAM', { peer: device })
    const bounded = createDeadline(clock, idleMs, signal)
    const options = { signal: bounded.signal, maxOutboundStreams: MAX_STREAMS }
    try {
      return await connection.newStream(SYNC_PROTOCOL, options)
    } catch (error) {
      throw networkError('SYNC_STREAM', { peer: device }, error)
    } finally {
      bounded.end()
    }
  }

  const failureOf = (device: DeviceId, error: unknown): unknown => {
    if (!(error instanceof FrameError)) return error
    if (error.failure === 'timeout') {
      return networkError('SYNC_TIMEOUT', { peer: device, ms: idleMs }, error)
    }
    const code = error.failure === 'too-large' ? 'SYNC_MALFORMED' : 'SYNC_STREAM'
    return networkError(code, { peer: device }, error)
  }

  async function serve(server: SyncServer, stream: Stream, connection: Connection): Promise<void> {
    const { signal, end } = createDeadline(clock, ANSWER_MS, ending.signal)
    const frames = createFrames(stream, { clock, maxFrameBytes: MAX_REQUEST_BYTES, signal })
    try {
      const request = await frames.read(REQUEST_MS)
      if (request === undefined) return frames.abort()
      for (const frame of server.answer(request, connection.remotePeer.toString())) {
        await frames.write(frame, DRAIN_MS)
      }
      await frames.close()
    } catch (error) {
      logger.debug('An answer to a peer broke off.', { why: messageOf(error) })
      frames.abort()
    } finally {
      end()
    }
  }

  return {
    peer: (device) =>
      createSyncPeer(device, (request, signal) => exchange(device, request, signal)),
    start: async (server) => {
      ending = new AbortController()
      await libp2p.handle(
        SYNC_PROTOCOL,
        (stream, connection) => {
          if (answering.size >= MAX_ANSWERS) return stream.abort(new Error('busy'))
          const answer = serve(server, stream, connection).finally(() => answering.delete(answer))
          answering.add(answer)
        },
        { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS },
      )
    },
    stop: async () => {
      ending.abort(networkError('NETWORK_STOPPED'))
      await libp2p.unhandle(SYNC_PROTOCOL)
      await Promise.all(answering)
    },
  }
}
