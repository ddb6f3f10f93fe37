/**
 * Yamux, without its way to end the process: it sends frames in turns of the event loop in which nobody can catch what
 * the connection throws, and one that is closing throws. So a peer that goes at the wrong moment took the node with it.
 */
import { type MessageStream, type StreamMuxerFactory, StreamStateError } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'

/** A muxer factory for libp2p's `streamMuxers`. */
export function createMuxer(init: Parameters<typeof yamux>[0] = {}): () => StreamMuxerFactory {
  const create = yamux(init)
  return () => {
    const factory = create()
    const createStreamMuxer = factory.createStreamMuxer.bind(factory)
    factory.createStreamMuxer = (connection) => createStreamMuxer(quietWhenClosing(connection))
    return factory
  }
}

/** Drops what is sent on a connection that takes nothing more: its streams end with it. */
function quietWhenClosing<T extends MessageStream>(connection: T): T {
  const send = connection.send.bind(connection)
  connection.send = (data) => {
    try {
      return send(data)
    } catch (error) {
      if (error instanceof StreamStateError) return false
      throw error
    }
  }
  return connection
}
