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

/** A person or device with the name that people know it by; the name is null when it is not known here. */
export interface Named {
  readonly id: string
  readonly name: string | null
}

/** Where a record stands. */
export interface RecordState {
  /** `pending`: stored here, in no block of the best chain. `stranded`: cannot enter it as it is. */
  readonly status: 'pending' | 'confirmed' | 'stranded'
  /** Null while it is not confirmed. `waiting`: a record that it names is not in the chain yet. */
  readonly outcome: 'applied' | 'rejected' | 'waiting' | null
  /** Reason code of a rejection. */
  readonly code: string | null
  readonly height: number | null
  readonly block: string | null
}

// ---------------------------------------------------------------------------------------------- files

export interface AddOptions {
  /** File name: 1 to 255 bytes, no slash or control character. */
  readonly name: string
  /** Folders above the file, outermost first. */
  readonly folder?: readonly string[]
  /** Found by the name when it is missing. */
  readonly mediaType?: string
  readonly visibility: 'public'
}

/** Progress of an add or a fetch. `total` is null when the size is not known in advance. */
export interface Progress {
  readonly bytes: number
  readonly total: number | null
}

export interface AddedFile {
  readonly file: string
  readonly version: string
  readonly root: string
  readonly name: string
  readonly size: number
  readonly sha256: string
  /** The record that made it: what `--wait confirmed` waits for. */
  readonly record: string
}

export interface FetchedFile {
  readonly file: string
  readonly version: string
  readonly root: string
  readonly name: string
  readonly size: number
  readonly sha256: string
}

/** What people think of a version. */
export interface Tally {
  /** 0 to 100, one decimal; null without votes. */
  readonly score: number | null
  readonly authentic: number
  readonly suspicious: number
  /** Sum of the weights, thousandths. */
  readonly weight: number
  readonly settled: boolean
}

export interface FileVersion {
  readonly version: string
  /** 1 for the first, in chain order, pending ones last: what `--version N` names. */
  readonly number: number
  readonly record: string
  readonly name: string
  readonly folder: readonly string[]
  readonly mediaType: string
  readonly size: number
  readonly storedSize: number
  readonly sha256: string
  readonly root: string
  readonly visibility: 'public'
  readonly parents: readonly string[]
  readonly user: Named
  readonly device: Named
  readonly time: number
  readonly state: RecordState
  /** Nothing follows it and it is not removed. Several current versions are a conflict. */
  readonly current: boolean
  readonly removed: boolean
  /** All its bytes are on this device. */
  readonly local: boolean
  readonly tally: Tally
}

/** A file by its newest current version (its newest of all, when it is removed). */
export interface FileSummary {
  readonly file: string
  readonly version: string
  readonly name: string
  readonly folder: readonly string[]
  readonly mediaType: string
  readonly size: number
  readonly sha256: string
  readonly root: string
  readonly visibility: 'public'
  readonly owner: Named
  /** Time of the first and of the newest version. */
  readonly added: number
  readonly updated: number
  readonly versions: number
  readonly conflict: boolean
  readonly removed: boolean
  /** The newest version's record is not confirmed. */
  readonly pending: boolean
  readonly local: boolean
  /** Held here whatever the policy says. */
  readonly kept: boolean
  readonly tally: Tally
}

export interface FileInfo extends FileSummary {
  /** By number. */
  readonly versionList: readonly FileVersion[]
  /** Devices known to hold the newest version complete. This device is among them when `local`. */
  readonly copies: readonly Named[]
  /** Recorded accesses by other users. */
  readonly accesses: number
}

export interface HistoryEntry {
  readonly time: number
  readonly record: string
  readonly type: string
  readonly user: Named
  readonly device: Named
  /** The version that it made, voted on or opened. */
  readonly version: string | null
  /** Number of that version. */
  readonly number: number | null
  /** A vote's verdict and comment. */
  readonly verdict: string | null
  readonly comment: string | null
  readonly state: RecordState
}

export interface AccessEntry {
  readonly time: number
  readonly record: string
  readonly version: string
  readonly user: Named
  readonly device: Named
  readonly state: RecordState
}

export interface FileQuery {
  /** User id or name. */
  readonly owner?: string
  /** Part of a name or folder, without regard to case. */
  readonly search?: string
  /** Removed ones too. */
  readonly all?: boolean
  readonly limit: number
  /** The `next` of the page before. */
  readonly after?: string
}

/** `next` is null on the last page. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next: string | null
}

export interface WorkOptions {
  readonly signal: AbortSignal
  /** Called at most some ten times a second. */
  readonly onProgress?: (progress: Progress) => void
}

export interface FilesApi {
  /** Durable when it resolves. @throws FILE_NAME, STORAGE_FULL, ... */
  add(source: AsyncIterable<Uint8Array>, options: AddOptions, work: WorkOptions): Promise<AddedFile>
  /** The name stays when `name` is missing. @throws FILE_NOT_OWNER */
  update(
    file: string,
    source: AsyncIterable<Uint8Array>,
    options: Partial<AddOptions>,
    work: WorkOptions,
  ): Promise<AddedFile>
  /** A tombstone; resolves to the record's id. @throws FILE_NOT_OWNER */
  remove(file: string, signal: AbortSignal): Promise<{ readonly record: string }>
  list(query: FileQuery): Page<FileSummary>
  /**
   * The file that `text` names: a name (also `folder/name`), an id, an unambiguous beginning of an id of
   * at least 4 characters beyond the common prefix, or a CID.
   *
   * @throws FILE_NOT_FOUND; FILE_AMBIGUOUS, whose detail `candidates` is JSON text of a `Candidate[]`
   */
  find(text: string): FileSummary
  info(file: string): FileInfo
  history(file: string): readonly HistoryEntry[]
  accesses(file: string): readonly AccessEntry[]
  /** Brings all bytes here, verified; resumes. Records an access when the file is another user's. */
  fetch(
    file: string,
    options: { readonly version?: string },
    work: WorkOptions,
  ): Promise<FetchedFile>
  /** Bytes `offset` to `offset + length` of a version (default: newest, whole), verified as they come. */
  read(
    file: string,
    options: { readonly version?: string; readonly offset?: number; readonly length?: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
  /** Holds the copy here whatever the policy says; fetches it when it is missing. */
  keep(file: string, signal: AbortSignal): Promise<void>
  /** Drops the local copy where other devices hold one. */
  free(file: string, signal: AbortSignal): Promise<void>
}

/** One of several files that a text may mean. */
export interface Candidate {
  readonly file: string
  readonly name: string
  readonly owner: string | null
  readonly size: number
}

// ---------------------------------------------------------------------------------------------- votes

export interface Vote {
  readonly record: string
  readonly file: string
  readonly version: string
  readonly user: Named
  readonly verdict: 'authentic' | 'suspicious'
  readonly comment: string
  /** Thousandths; null while it is not confirmed. */
  readonly weight: number | null
  readonly time: number
  /** The user's latest vote on that version. */
  readonly counts: boolean
  readonly state: RecordState
}

export interface VotesApi {
  /** @throws VOTE_OWN_FILE, FILE_NOT_FOUND */
  cast(
    file: string,
    vote: {
      readonly version?: string
      readonly verdict: 'authentic' | 'suspicious'
      readonly comment?: string
    },
    signal: AbortSignal,
  ): Promise<Vote>
  /** Votes on all versions of a file, newest first. */
  of(file: string): readonly Vote[]
}

// ---------------------------------------------------------------------------------------------- chain

export interface ChainSummary {
  readonly network: string
  readonly height: number
  readonly tip: string
  readonly tipTime: number
  /** Decimal text. */
  readonly chainwork: string
  readonly difficulty: number
  readonly difficultyFloor: number
  readonly admission: string
  readonly founded: number
  readonly ruleVersion: number
  /** Records in the best chain. */
  readonly records: number
  readonly pending: number
  readonly stranded: number
}

export interface BlockSummary {
  readonly block: string
  readonly height: number
  readonly time: number
  readonly parent: string | null
  readonly miner: Named | null
  readonly difficulty: number
  readonly chainwork: string
  readonly records: number
  /** Bytes of header and body. */
  readonly size: number
  /** On the best chain. */
  readonly main: boolean
}

export interface BlockDetail extends BlockSummary {
  readonly body: string
  readonly outcome: string
  readonly nonce: string
  readonly recordList: readonly RecordSummary[]
}

export interface ChainVerification {
  readonly ok: boolean
  readonly blocks: number
  readonly records: number
  /** SHA-256 over the state that was rebuilt from genesis. */
  readonly stateDigest: string
  /** What is wrong, in words; null when `ok`. */
  readonly problem: string | null
}

export interface ChainApi {
  summary(): ChainSummary
  /** Newest first, from `below` (exclusive height) down. */
  blocks(query: { readonly limit: number; readonly below?: number }): Page<BlockSummary>
  /** `id`: an id, an unambiguous beginning of one, or a height in decimal. @throws BLOCK_NOT_FOUND */
  block(id: string): BlockDetail
  /** Checks everything again from genesis: work, seals, signatures, rules, outcomes, state. */
  verify(
    signal: AbortSignal,
    onProgress?: (checked: number, of: number) => void,
  ): Promise<ChainVerification>
  /** Headers and bodies of the best chain from genesis up, as content blocks for a CAR. */
  export(signal: AbortSignal): AsyncIterable<{ readonly cid: CID; readonly bytes: Uint8Array }>
}

export interface RecordSummary {
  readonly record: string
  readonly type: string
  readonly user: Named | null
  readonly device: Named
  readonly sequence: number
  readonly time: number
  readonly size: number
  readonly own: boolean
  readonly state: RecordState
}

export interface RecordDetail extends RecordSummary {
  readonly previous: string | null
  readonly seen: string
  readonly replaces: string | null
  /** Links as CID text, bytes as hexadecimal. */
  readonly body: Readonly<Record<string, unknown>>
}

export interface RecordsApi {
  /** Newest first. `after` is the `next` of the page before. */
  list(query: {
    readonly pending?: boolean
    readonly limit: number
    readonly after?: string
  }): Page<RecordSummary>
  /** By id or an unambiguous beginning of one. @throws RECORD_NOT_FOUND */
  get(id: string): RecordDetail
}

// -------------------------------------------------------------------------------------------- members

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

// -------------------------------------------------------------------------------------------- content

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

// --------------------------------------------------------------------------------------------- status

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
