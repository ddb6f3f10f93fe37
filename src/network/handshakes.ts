/**
 * Handshakes under way of those who connect to this node. Anybody can open sockets and say nothing: libp2p lets in
 * a hundred such and then nobody until their time is over. Here the oldest one makes room: a member's handshake takes
 * a fraction of a second.
 */
import type { MultiaddrConnection } from '@libp2p/interface'

export interface Handshakes {
  /** Somebody connects. */
  begin(connection: Pick<MultiaddrConnection, 'abort' | 'addEventListener'>): void
  /** The handshake is over, one way or the other. */
  end(connection: object): void
}

/** @param most - below libp2p's own bound, at which it refuses whoever comes */
export function createHandshakes({ most }: { readonly most: number }): Handshakes {
  const running = new Set<Pick<MultiaddrConnection, 'abort'>>()
  return {
    begin: (connection) => {
      const oldest = running.values().next().value
      if (running.size >= most && oldest !== undefined) {
        running.delete(oldest)
        oldest.abort(new Error('the handshake took too long'))
      }
      running.add(connection)
      connection.addEventListener('close', () => void running.delete(connection))
    },
    end: (connection) => void running.delete(connection as MultiaddrConnection),
  }
}
