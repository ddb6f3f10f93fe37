/**
 * What one peer may hold of this node's connections, and what those may who are no members: they come to pair, and
 * that is short.
 */
import type { Connection } from '@libp2p/interface'
import type { DeviceId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Host } from './host.ts'

/** Connections of one device: one, a second when both dial at once, and as many from before that are not over yet. */
const MAX_PER_PEER = 4
/** Connections of all who are no members, and of one key among them: a joiner uses one at a time. */
const MAX_GUESTS = 8
const MAX_PER_GUEST = 2
/** Milliseconds of such a connection, and until it has to make room for the next one; a joiner talks for seconds. */
const GUEST_MS = 90_000
const GUEST_YIELDS_MS = 10_000

export function createConnectionLimits(
  { host, clock }: { readonly host: Pick<Host, 'libp2p' | 'isMember'>; readonly clock: Clock },
  init: { readonly guestMs?: number } = {},
): Startable {
  const { libp2p } = host
  /** The oldest first. */
  const guests = new Map<Connection, { readonly since: number; readonly end: () => void }>()

  const forget = (connection: Connection): void => {
    guests.get(connection)?.end()
    guests.delete(connection)
  }
  /** Whether there is a place, also after one who had time enough is gone. */
  const hasRoom = (): boolean => {
    if (guests.size < MAX_GUESTS) return true
    const [oldest] = guests
    if (oldest === undefined || clock.now() - oldest[1].since < GUEST_YIELDS_MS) return false
    forget(oldest[0])
    oldest[0].abort(new Error('somebody else wants in'))
    return true
  }
  /** Why a connection may not stand. */
  const refusal = ({ remotePeer }: Connection, isGuest: boolean): string | undefined => {
    const most = isGuest ? MAX_PER_GUEST : MAX_PER_PEER
    if (libp2p.getConnections(remotePeer).length > most) return 'too many connections'
    return isGuest && !hasRoom() ? 'too many guests' : undefined
  }
  const opened = ({ detail: connection }: CustomEvent<Connection>): void => {
    const isGuest = !host.isMember(connection.remotePeer.toString() as DeviceId)
    const why = refusal(connection, isGuest)
    if (why !== undefined) {
      connection.abort(new Error(why))
      return
    }
    if (!isGuest) return
    const end = clock.after(init.guestMs ?? GUEST_MS, () => {
      connection.abort(new Error('the time is over'))
    })
    guests.set(connection, { since: clock.now(), end })
  }
  const closed = ({ detail }: CustomEvent<Connection>): void => forget(detail)

  return {
    start: async () => {
      libp2p.addEventListener('connection:open', opened)
      libp2p.addEventListener('connection:close', closed)
    },
    stop: async () => {
      libp2p.removeEventListener('connection:open', opened)
      libp2p.removeEventListener('connection:close', closed)
      for (const connection of [...guests.keys()]) forget(connection)
    },
  }
}
