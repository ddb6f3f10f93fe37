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
import type { Events } from '../../common/events.ts'
import type { Check } from '../../node/check.ts'
import type { NodeBackups } from '../../node/node-backups.ts'
import type { PublicContent } from '../../node/public-content.ts'
import type { Identity, NodeStatus } from '../../node/status.ts'
import type { GrantsService } from '../../services/access/grants.ts'
import type { HoldersService } from '../../services/access/holders.ts'
import type { CertificatesService } from '../../services/certificates/certificates.ts'
import type { NodeEvents } from '../../services/events.ts'
import type { Explorer } from '../../services/explorer/explorer.ts'
import type { PeersView } from '../../services/explorer/peers-view.ts'
import type { DeviceSummary } from '../../services/explorer/types.ts'
import type { DevicesService } from '../../services/people/devices.ts'
import type { InvitesService } from '../../services/people/invites.ts'
import type { RecoveryKit } from '../../services/people/recovery-kit.ts'
import type { Keystore } from '../../storage/keystore.ts'
import type { ChainApi, RecordsApi } from './api-chain.ts'
import type { FilesApi, VotesApi } from './api-files.ts'
import type { LegacyApi } from './api-legacy.ts'

export type { Check } from '../../node/check.ts'
export type { Alarm, Identity, NodeStatus } from '../../node/status.ts'
export type { PeerSummary } from '../../services/explorer/peers-view.ts'
export type { DeviceSummary, UserSummary } from '../../services/explorer/types.ts'
export type MembersApi = Explorer['members']
export type PeersApi = PeersView
/** The gateway's window on the content: reads only. */
export type ContentApi = PublicContent

export type CertificatesApi = CertificatesService
export type { InviteView } from '../../services/people/invites.ts'
export type InvitesApi = InvitesService
export type DevicesApi = DevicesService
export type { AccessView, GrantView } from '../../services/access/grant-views.ts'
export type { HolderView } from '../../services/access/holders.ts'
export type GrantsApi = GrantsService
export type HoldersApi = HoldersService
export type RecoveryApi = RecoveryKit
/** Protection of the keys at rest; no key goes over it. */
export type KeysApi = Pick<Keystore, 'protected' | 'protect'>

export type { BackupView } from '../../services/backup/listing.ts'
export type { BackupsStatus, DestinationStatus } from '../../services/backup/overview.ts'
export type BackupsApi = Pick<
  NodeBackups,
  'status' | 'create' | 'list' | 'verify' | 'drill' | 'prune' | 'restore' | 'setPassphrase' | 'key'
>

export interface NodeApi {
  readonly identity: Identity
  readonly files: FilesApi
  readonly votes: VotesApi
  readonly certificates: CertificatesApi
  readonly legacy: LegacyApi
  readonly chain: ChainApi
  readonly records: RecordsApi
  readonly members: MembersApi
  readonly invites: InvitesApi
  readonly devices: DevicesApi
  readonly recovery: RecoveryApi
  readonly grants: GrantsApi
  readonly holders: HoldersApi
  readonly keys: KeysApi
  readonly backups: BackupsApi
  readonly peers: PeersApi
  readonly content: ContentApi
  readonly events: Pick<Events<NodeEvents>, 'onAny'>
  /** Everything at a glance; cheap enough to be asked every second. */
  status(): Promise<NodeStatus>
  /** The node's own view of what is wrong, with remedies. `deep` also re-reads and re-hashes content. */
  check(options: { deep: boolean }, signal: AbortSignal): Promise<Check[]>
}

/** What `GET /api/v1/status` gives: the node's own figures and where it is reached. */
export interface FullStatus extends NodeStatus {
  readonly pid: number
  readonly now: number
  readonly memory: number
  /** Whether the recovery kit is on this device, and whether somebody typed its words once. */
  readonly recovery: { readonly here: boolean; readonly tested: boolean }
  readonly urls: { readonly api: string | null; readonly gateway: string | null }
}

/** A device, and since when it is connected, or when it last was (milliseconds UTC). */
export interface SeenDevice extends DeviceSummary {
  readonly seen: number | null
}
