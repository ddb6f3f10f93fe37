/**
 * What the interfaces (HTTP, gateway, command line) need of a node, and nothing more. A node satisfies it by
 * its shape; `interfaces/daemon.ts` joins the two.
 *
 * Every type whose name does not end in `Api` is sent as JSON as it stands: field names are stable, new
 * fields may come, none goes or changes its meaning. Units: times are integer milliseconds since 1970 UTC,
 * sizes are bytes, ids are CID text (devices: libp2p peer ids), hashes lower-case hexadecimal, chainwork and
 * difficulty sums decimal text, weights and reputation thousandths, scores 0 to 100 with one decimal.
 * What is not known is null, never missing.
 */
import type { CID } from 'multiformats/cid'
import type { Events } from '../../common/events.ts'
import type { PeersFile } from '../../network/peers-file.ts'
import type { NodeEvents } from '../../services/events.ts'
import type { ChainApi, ChainSummary, RecordsApi } from './api-chain.ts'
import type { Named, RecordState } from './api-common.ts'
import type { FilesApi, VotesApi } from './api-files.ts'

export interface NodeApi {
  readonly identity: Identity
  readonly files: FilesApi
  readonly votes: VotesApi
  readonly chain: ChainApi
  readonly records: RecordsApi
  readonly members: MembersApi
  readonly peers: PeersApi
  readonly content: ContentApi
  readonly events: Pick<Events<NodeEvents>, 'onAny'>
  /** Everything at a glance; cheap enough to be asked every second. */
  status(): Promise<NodeStatus>
  /** The node's own view of what is wrong, with remedies. `deep` also re-reads and re-hashes content. */
  check(options: { deep: boolean }, signal: AbortSignal): Promise<Check[]>
}

/** Who this node is. `user` is null until the device's own admission exists. */
export interface Identity {
  readonly network: string
  readonly device: string
  readonly deviceName: string
  readonly user: string | null
  readonly userName: string | null
}

export interface UserSummary {
  readonly user: string
  readonly name: string
  readonly role: 'admin' | 'member'
  readonly self: boolean
  readonly devices: number
  readonly files: number
  /** Thousandths. */
  readonly reputation: number
  readonly joined: number
  readonly state: RecordState
}

export interface DeviceSummary {
  readonly device: string
  readonly name: string
  readonly user: Named
  readonly self: boolean
  readonly active: boolean
  readonly connected: boolean
  /** Newest sequence known of it. */
  readonly sequence: number
  readonly added: number
  readonly state: RecordState
}

export interface MembersApi {
  users(): readonly UserSummary[]
  devices(): readonly DeviceSummary[]
}

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

export interface PeersApi {
  list(): readonly PeerSummary[]
  /** Remembers the address (with `/p2p/<device>`) and dials it. @throws PEER_ADDRESS */
  add(multiaddr: string, signal: AbortSignal): Promise<PeerSummary>
  /** A bootstrap file (`--peers`) that points at this node: what another device can start with. */
  export(): PeersFile
}

/** The gateway's window on the content: reads only. */
export interface ContentApi {
  /**
   * Whether anybody may read this block: it is reachable from the root of a public version that is not
   * removed, or it is a header or a body of the chain. Answers from this device's own data.
   */
  isPublic(cid: CID): boolean | Promise<boolean>
  /** What is known of a public version's root: the name and type of its newest version. */
  describe(cid: CID): { readonly name: string; readonly mediaType: string } | null
  /**
   * One block's bytes, verified. Asks members when it is not here; never the public network; stores only
   * what members were asked for by policy.
   *
   * @throws CONTENT_MISSING, NO_SOURCE (nobody who is connected has it)
   */
  get(cid: CID, options: { readonly signal: AbortSignal }): Promise<Uint8Array>
}

export interface Alarm {
  readonly code: string
  readonly message: string
  readonly time: number
}

export interface NodeStatus {
  readonly version: string
  readonly startedAt: number
  readonly dataDir: string
  readonly role: 'member' | 'backup'
  readonly identity: Identity
  readonly chain: ChainSummary
  readonly peers: { readonly connected: number; readonly known: number }
  readonly listen: readonly string[]
  readonly files: {
    readonly count: number
    readonly bytes: number
    /** Complete here. */
    readonly local: number
    readonly localBytes: number
    /** Being fetched or waiting for a holder. */
    readonly missing: number
  }
  readonly storage: {
    readonly used: number
    readonly free: number | null
    readonly limit: number | null
  }
  readonly mining: boolean
  readonly syncing: boolean
  /** The newest last; bounded. */
  readonly alarms: readonly Alarm[]
}

/** One finding of `doctor`. */
export interface Check {
  readonly name: string
  readonly result: 'ok' | 'warning' | 'failed'
  readonly says: string
  /** What to do; null when there is nothing to do. */
  readonly remedy: string | null
}
