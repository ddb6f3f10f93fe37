/**
 * Key release over libp2p: one stream per request, `/cairn/key/1.0.0`. The reader sends one frame, the key
 * holder sends one and closes.
 *
 * owns: streams, their limits and time limits
 * does not own: what is asked and answered (server.ts), whom to ask (the reader's service)
 */
import type { Connection, Libp2p, Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import type { DeviceId, RecordId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { createDeadline } from '../deadline.ts'
import { networkError } from '../errors.ts'
import { createFrames, FrameError, type Frames } from '../frames.ts'
import {
  decodeKeyAnswer,
  encodeKeyRequest,
  KEY_PROTOCOL,
  type KeyAnswer,
  MAX_KEY_MESSAGE_BYTES,
} from './messages.ts'
import type { KeyServer } from './server.ts'

export interface KeyProtocol {
  /**
   * Asks a device on a connection that exists; dials none.
   *
   * @throws `KEY_STREAM`, `KEY_TIMEOUT`, `KEY_MALFORMED`, and the signal's reason
   */
  ask(device: DeviceId, access: RecordId, signal: AbortSignal): Promise<KeyAnswer>
  /** Answers requests from now on. Call before the host listens. */
  start(server: KeyServer): Promise<void>
  /** Breaks off what is in flight. */
  stop(): Promise<void>
}

export interface KeyProtocolComponents {
  readonly libp2p: Libp2p
  readonly clock: Clock
  readonly logger: Logger
}

/** Streams per connection: a reader asks for some files at a time. */
const MAX_STREAMS = 8
/** Answers in the making, of all peers together: all streams of sixty peers, each a few hundred bytes. */
const MAX_ANSWERS = 512
/** Milliseconds for one exchange, as both sides count them: the holder may have to sign and flush a record. */
const EXCHANGE_MS = 30_000
/** Milliseconds for a message of some hundred bytes to come or go. */
const MESSAGE_MS = 10_000

export function createKeyProtocol({ libp2p, clock, logger }: KeyProtocolComponents): KeyProtocol {
  let ending = new AbortController()
  const answering = new Set<Promise<void>>()

  const open = (device: DeviceId, signal: AbortSignal): Promise<Stream> => {
    const connections = libp2p.getConnections(peerIdFromString(device))
    const connection = connections.find(({ status }) => status === 'open')
    if (connection === undefined) throw networkError('KEY_STREAM', { peer: device })
    return connection.newStream(KEY_PROTOCOL, { signal, maxOutboundStreams: MAX_STREAMS })
  }

  const ask = async (
    device: DeviceId,
    access: RecordId,
    signal: AbortSignal,
  ): Promise<KeyAnswer> => {
    const whole = createDeadline(clock, EXCHANGE_MS, signal, ending.signal)
    let frames: Frames | undefined
    try {
      const stream = await open(device, whole.signal)
      const limits = { clock, maxFrameBytes: MAX_KEY_MESSAGE_BYTES, signal: whole.signal }
      frames = createFrames(stream, limits)
      await frames.write(encodeKeyRequest({ access }), MESSAGE_MS)
      const frame = await frames.read(EXCHANGE_MS)
      if (frame === undefined) throw networkError('KEY_STREAM', { peer: device })
      const answer = decodeKeyAnswer(frame)
      await frames.close()
      return answer
    } catch (error) {
      frames?.abort()
      signal.throwIfAborted()
      throw failureOf(device, error, whole.signal)
    } finally {
      whole.end()
    }
  }

  async function serve(server: KeyServer, stream: Stream, connection: Connection): Promise<void> {
    const { signal, end } = createDeadline(clock, EXCHANGE_MS, ending.signal)
    const frames = createFrames(stream, { clock, maxFrameBytes: MAX_KEY_MESSAGE_BYTES, signal })
    try {
      const request = await frames.read(MESSAGE_MS)
      if (request === undefined) return frames.abort()
      const from = connection.remotePeer.toString() as DeviceId
      const answer = await server.answer(request, from, signal)
      signal.throwIfAborted()
      await frames.write(answer, MESSAGE_MS)
      await frames.close()
    } catch (error) {
      logger.debug('An answer about a key broke off.', { why: messageOf(error) })
      frames.abort()
    } finally {
      end()
    }
  }

  return {
    ask,
    start: async (server) => {
      ending = new AbortController()
      await libp2p.handle(
        KEY_PROTOCOL,
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
      await libp2p.unhandle(KEY_PROTOCOL)
      await Promise.all(answering)
    },
  }
}

function failureOf(device: DeviceId, error: unknown, whole: AbortSignal): unknown {
  const late = whole.reason instanceof DOMException && whole.reason.name === 'TimeoutError'
  const failure = error instanceof FrameError ? error.failure : undefined
  if (failure === 'timeout' || late) {
    return networkError('KEY_TIMEOUT', { peer: device, seconds: EXCHANGE_MS / 1000 }, error)
  }
  if (failure === 'too-large' || codeOf(error) === 'ENCODING') {
    return networkError('KEY_MALFORMED', { peer: device }, error)
  }
  return networkError('KEY_STREAM', { peer: device }, error)
}
