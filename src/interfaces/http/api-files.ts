/** Files and votes. Units and promises: api.ts. */
import type { Named, Page, RecordState } from './api-common.ts'

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
  /** Devices that say now that they hold every byte of the shown version; this one first. */
  copies(file: string, signal: AbortSignal): Promise<readonly Named[]>
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
