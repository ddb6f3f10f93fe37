/** The list of peers that people see: those that are known, and those that are connected. */
import type { DeviceId } from '../chain/ids.ts'
import { placeOf } from './address.ts'
import type { CairnLibp2p } from './host.ts'
import type { PeerBook, PeerSource } from './peer-book.ts'

export interface PeerInfoView {
  readonly device: DeviceId | undefined
  readonly addresses: readonly string[]
  readonly source: PeerSource
  readonly connected: boolean
  readonly direction: 'inbound' | 'outbound' | undefined
  /** Milliseconds of a round trip, when one was measured. */
  readonly latency: number | undefined
  /** When it was connected last (now, for a connected one), milliseconds UTC; 0 for never. */
  readonly seen: number
}

/** @param now - milliseconds UTC */
export function listPeers(book: PeerBook, libp2p: CairnLibp2p, now: number): PeerInfoView[] {
  const views: PeerInfoView[] = []
  const open = libp2p.getConnections().filter(({ status }) => status === 'open')
  const listed = new Set<string>()
  for (const { device, addresses, source, seen } of book.peers) {
    const connection = open.find(({ remotePeer }) => remotePeer.toString() === device)
    if (device !== undefined) listed.add(device)
    views.push({
      device,
      addresses: [...addresses],
      source,
      connected: connection !== undefined,
      direction: connection?.direction,
      latency: connection?.rtt,
      seen: connection === undefined ? seen : now,
    })
  }
  for (const { remotePeer, remoteAddr, direction, rtt } of open) {
    const device = remotePeer.toString() as DeviceId
    if (listed.has(device)) continue
    listed.add(device)
    const addresses = [placeOf(remoteAddr)]
    const rest = { connected: true, direction, latency: rtt, seen: now }
    views.push({ device, addresses, source: 'inbound', ...rest })
  }
  return views
}
