/** The peers as people see them: with names, and as a file with which another device can start. */
import type { DeviceId } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import { toHex } from '../../common/bytes.ts'
import type { PeerInfoView } from '../../network/peer-list.ts'
import type { Peers } from '../../network/peers.ts'
import type { PeersFile } from '../../network/peers-file.ts'
import type { Directory, Named } from './directory.ts'

export interface PeerSummary {
  readonly device: string
  readonly name: string | null
  readonly user: Named | null
  readonly connected: boolean
  readonly direction: 'in' | 'out' | null
  readonly addresses: readonly string[]
  readonly latencyMs: number | null
  /** Since when it is connected, or when it was last. */
  readonly since: number | null
}

export interface PeersView {
  /** Peers whose device is known; addresses that were never reached are not among them. */
  list(): readonly PeerSummary[]
  /** Remembers the address and dials it. @throws `PEER_ADDRESS`, `PEER_SELF`, `PEER_UNREACHABLE`, `PEERS_FULL` */
  add(multiaddr: string, signal: AbortSignal): Promise<PeerSummary>
  /** A peers file with the network's parameters, so that another device can start while nobody answers. */
  export(): PeersFile
}

export function createPeersView(
  components: { readonly peers: Peers; readonly directory: Directory },
  params: NetworkParams,
): PeersView {
  const { peers, directory } = components

  const summary = (device: DeviceId, peer: PeerInfoView): PeerSummary => ({
    device,
    name: directory.device(device).name,
    user: directory.userOf(device),
    connected: peer.connected,
    direction: peer.direction === undefined ? null : peer.direction === 'inbound' ? 'in' : 'out',
    addresses: peer.addresses,
    latencyMs: peer.latency ?? null,
    since: peer.seen === 0 ? null : peer.seen,
  })

  return {
    list: () =>
      peers
        .list()
        .flatMap((peer) => (peer.device === undefined ? [] : [summary(peer.device, peer)])),
    add: async (multiaddr, signal) => {
      const device = await peers.add(multiaddr, signal)
      const found = peers.list().find((peer) => peer.device === device)
      return found === undefined
        ? {
            device,
            name: null,
            user: null,
            connected: true,
            direction: 'out',
            addresses: [multiaddr],
            latencyMs: null,
            since: null,
          }
        : summary(device, found)
    },
    export: () => ({
      ...peers.exportPeers(),
      parameters: { ...params, founder: toHex(params.founder), salt: toHex(params.salt) },
    }),
  }
}
