/**
 * Tells a revoked device that it was revoked, by handing it the record, and takes that in where this device is it.
 *
 * owns: the stream and its bounds
 * does not own: who is out, and whether what is told is true (`Farewells`)
 */
import type { Connection, Stream } from '@libp2p/interface'
import type { DeviceId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { messageOf } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import { createDeadline } from '../deadline.ts'
import { createFrames } from '../frames.ts'
import type { Host } from '../host.ts'
import { type Doorstep, FAREWELL_MS } from './doorstep.ts'
import {
  decodeFarewell,
  encodeFarewell,
  FAREWELL_PROTOCOL,
  MAX_FAREWELL_BYTES,
} from './messages.ts'

export interface Farewells {
  /** The revocation of a device, and the admissions that it rests on; none: there is nothing to tell it. */
  wordsFor(device: DeviceId): readonly Uint8Array[]
  /** Looks whether the records show that this device was revoked; never throws for what they are. */
  told(records: readonly Uint8Array[], from: DeviceId): Promise<void>
}

/** Streams of this protocol that are read at a time. */
const MAX_STREAMS = 2

export function createFarewell(components: {
  readonly host: Pick<Host, 'libp2p' | 'members'>
  readonly doorstep: Doorstep
  readonly farewells: Farewells
  readonly clock: Clock
  readonly logger: Logger
}): Startable {
  const { host, doorstep, farewells, clock } = components
  const logger = components.logger.child('farewell')
  const running = new Set<Promise<void>>()
  let ending = new AbortController()

  const framesOf = (stream: Stream, signal: AbortSignal) =>
    createFrames(stream, { clock, maxFrameBytes: MAX_FAREWELL_BYTES, signal })

  const tell = async (connection: Connection, device: DeviceId): Promise<void> => {
    const { signal, end } = createDeadline(clock, FAREWELL_MS, ending.signal)
    try {
      const records = farewells.wordsFor(device)
      if (records.length === 0) return
      const stream = await connection.newStream(FAREWELL_PROTOCOL, { signal })
      const frames = framesOf(stream, signal)
      await frames.write(encodeFarewell(records), FAREWELL_MS)
      // It ends the stream when it has read: what is broken off before may not arrive.
      await frames.read(FAREWELL_MS)
    } catch (error) {
      logger.debug('A revoked device could not be told.', { peer: device, why: messageOf(error) })
    } finally {
      end()
      doorstep.leave(device)
      connection.abort(new Error('revoked'))
    }
  }
  const opened = ({ detail: connection }: CustomEvent<Connection>): void => {
    const device = connection.remotePeer.toString() as DeviceId
    if (!doorstep.has(device)) return
    track(tell(connection, device))
  }

  const listen = async (stream: Stream, from: DeviceId): Promise<void> => {
    const { signal, end } = createDeadline(clock, FAREWELL_MS, ending.signal)
    const frames = framesOf(stream, signal)
    try {
      const frame = await frames.read(FAREWELL_MS)
      await frames.close()
      if (frame !== undefined) await farewells.told(decodeFarewell(frame), from)
    } catch (error) {
      frames.abort()
      logger.debug('A farewell broke off.', { peer: from, why: messageOf(error) })
    } finally {
      end()
    }
  }
  const track = (work: Promise<void>): void => {
    const tracked = work.finally(() => running.delete(tracked))
    running.add(tracked)
  }

  return {
    start: async () => {
      ending = new AbortController()
      const take = (stream: Stream, connection: Connection): void => {
        if (running.size >= MAX_STREAMS) stream.abort(new Error('not now'))
        else track(listen(stream, connection.remotePeer.toString() as DeviceId))
      }
      const limits = { maxInboundStreams: MAX_STREAMS, maxOutboundStreams: MAX_STREAMS }
      await host.members.handle(FAREWELL_PROTOCOL, take, limits)
      host.libp2p.addEventListener('connection:open', opened)
    },
    stop: async () => {
      host.libp2p.removeEventListener('connection:open', opened)
      ending.abort(new Error('the node is stopping'))
      await host.members.unhandle(FAREWELL_PROTOCOL)
      await Promise.all(running)
    },
  }
}
