/**
 * The door through which protocols for members use libp2p. Somebody who may only pair is connected like
 * everybody else; behind this door that connection is not there, in neither direction.
 *
 * libp2p's own middleware cannot do it: the handler of each inbound stream is added to the list of the
 * protocol's middleware, so that it runs again for every later stream.
 */
import type {
  Connection,
  PeerId,
  Stream,
  StreamHandler,
  StreamHandlerOptions,
  Topology,
} from '@libp2p/interface'
import type { DeviceId } from '../chain/ids.ts'

/** What registers protocols: a libp2p node, or the registrar that its services are given. */
interface Registrar {
  handle(protocol: never, handler: StreamHandler, options?: StreamHandlerOptions): Promise<void>
  register(protocol: string, topology: Topology, options?: never): Promise<string>
}

/** `target` as it looks to a protocol that only members may use. */
export function membersOnly<T extends Registrar>(
  target: T,
  isMember: (device: DeviceId) => boolean,
): T {
  const mayUse = (peer: PeerId): boolean => isMember(peer.toString() as DeviceId)
  const changed = {
    handle: (protocol: never, handler: StreamHandler, options?: StreamHandlerOptions) =>
      target.handle(
        protocol,
        (stream: Stream, connection: Connection) => {
          if (mayUse(connection.remotePeer)) return handler(stream, connection)
          stream.abort(new Error('for members only'))
        },
        options,
      ),
    register: (protocol: string, topology: Topology, options?: never) =>
      target.register(
        protocol,
        {
          ...topology,
          onConnect: (peer, connection) => {
            if (mayUse(peer)) topology.onConnect?.(peer, connection)
          },
        },
        options,
      ),
    getConnections: (peer?: PeerId): Connection[] => {
      const { getConnections } = target as { getConnections?(peer?: PeerId): Connection[] }
      const all = getConnections?.call(target, peer) ?? []
      return all.filter(({ remotePeer }) => mayUse(remotePeer))
    },
  }
  return new Proxy(target, {
    get: (from, name) => {
      if (Object.hasOwn(changed, name)) return changed[name as keyof typeof changed]
      const value: unknown = Reflect.get(from, name, from)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}
