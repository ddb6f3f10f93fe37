/**
 * What the file verbs take and give. Ids are CID text (devices: libp2p peer ids), times milliseconds UTC, sizes
 * bytes, hashes lower-case hexadecimal, weights thousandths. What is not known is null, never missing.
 */
import type { Named } from '../explorer/directory.ts'
import type { RecordState } from '../explorer/record-state.ts'
import type { ReadingWait } from './secrets.ts'

export type Visibility = 'public' | 'private'

export interface AddOptions {
  /** File name; put into Unicode's form NFC. */
  readonly name: string
  /** Folders above the file, outermost first. */
  readonly folder?: readonly string[]
  /** Found by the name when it is missing. */
  readonly mediaType?: string
  /** Default: private; of an update, as before. */
  readonly visibility?: Visibility
}

/** Progress in plain bytes of an add, in stored bytes of a fetch. */
export interface Progress {
  readonly bytes: number
  readonly total: number | null
}

export interface WorkOptions {
  readonly signal: AbortSignal
  /** Told while the key of somebody else's private file is waited for. */
  readonly onWait?: (wait: ReadingWait) => void
  /** Called at most some ten times a second. */
  readonly onProgress?: (progress: Progress) => void
}

export interface AddWork extends WorkOptions {
  /** Asked after the last byte: whether the source is still what it was when the first byte was read. */
  readonly unchanged?: () => Promise<boolean>
}

/** A version's content, as told to whoever added or fetched it. */
export interface FetchedFile {
  readonly file: string
  readonly version: string
  readonly root: string
  readonly name: string
  readonly size: number
  readonly sha256: string
}

export interface AddedFile extends FetchedFile {
  readonly record: string
}

/** What people think of a version: confirmed votes alone. */
export interface Tally {
  /** 0 to 100, one decimal; null without votes. */
  readonly score: number | null
  readonly authentic: number
  readonly suspicious: number
  readonly weight: number
  readonly settled: boolean
}

/** Name, folder, media type, size and hash are null (folder: empty) where the version is sealed to this device. */
export interface FileVersion {
  readonly version: string
  /** 1 for the first, in chain order, pending ones last. */
  readonly number: number
  readonly record: string
  readonly name: string | null
  readonly folder: readonly string[]
  readonly mediaType: string | null
  readonly size: number | null
  readonly storedSize: number
  readonly sha256: string | null
  readonly root: string
  readonly visibility: Visibility
  readonly parents: readonly string[]
  readonly user: Named
  readonly device: Named
  readonly time: number
  readonly state: RecordState
  /** Nothing follows it and it is not removed. */
  readonly current: boolean
  readonly removed: boolean
  /** All its bytes are on this device. */
  readonly local: boolean
  readonly tally: Tally
}

/** A file by its newest current version (its newest of all, when it is removed); sealed as its versions are. */
export interface FileSummary {
  readonly file: string
  readonly version: string
  readonly name: string | null
  readonly folder: readonly string[]
  readonly mediaType: string | null
  readonly size: number | null
  readonly storedSize: number
  readonly sha256: string | null
  readonly root: string
  readonly visibility: Visibility
  readonly owner: Named
  readonly added: number
  readonly updated: number
  readonly versions: number
  /** Several versions are current. */
  readonly conflict: boolean
  readonly removed: boolean
  readonly pending: boolean
  readonly local: boolean
  /** Held here whatever the policy says. */
  readonly kept: boolean
  readonly tally: Tally
}

export interface FileInfo extends FileSummary {
  readonly versionList: readonly FileVersion[]
  /** This device, when it holds the shown version complete; others are asked by `copies`. */
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
  readonly version: string | null
  readonly number: number | null
  readonly verdict: string | null
  readonly comment: string | null
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

/** One of several files that a text may mean. */
export interface Candidate {
  readonly file: string
  readonly name: string | null
  readonly owner: string | null
  readonly size: number | null
}
