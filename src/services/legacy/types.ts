/**
 * What people and tools are told of an import. Names are those that the forerunner knew: nothing shows who was
 * behind them. Times are milliseconds since 1970; the forerunner wrote none with a time zone, so they are read as
 * UTC (`assumedUtc`). What is not there, or not readable, is null.
 */
import type { Named } from '../explorer/directory.ts'
import type { RecordState } from '../explorer/record-state.ts'
import type { LegacyKind } from './container.ts'

export interface LegacyTime {
  readonly time: number
  readonly assumedUtc: boolean
}

/** A name without proof. */
export interface UnverifiedName {
  readonly name: string
  readonly verified: false
}

/** What is odd about a part, in words; nothing is refused for it. */
export interface LegacyFinding {
  readonly part: LegacyKind
  /** `chain[3].hash`, for example. */
  readonly place: string
  readonly says: string
}

export interface LegacyBlock {
  readonly index: number | null
  readonly time: LegacyTime | null
  readonly kind: 'genesis' | 'upload' | 'download' | 'other'
  readonly fileName: string | null
  readonly fileHash: string | null
  readonly fileSize: number | null
  readonly user: UnverifiedName | null
}

export interface LegacyVotes {
  readonly fileHash: string
  readonly votes: readonly {
    readonly user: UnverifiedName | null
    readonly authentic: boolean | null
    readonly comment: string
    readonly time: LegacyTime | null
    readonly weight: number | null
  }[]
  /** As the forerunner had computed it, 0 to 100. */
  readonly score: number | null
}

export interface LegacyContract {
  readonly fileHash: string
  readonly owner: UnverifiedName | null
  readonly isPublic: boolean | null
  readonly grants: readonly {
    readonly user: UnverifiedName
    readonly granted: LegacyTime | null
    readonly maxDownloads: number | null
    readonly downloadsUsed: number | null
  }[]
  readonly accesses: number
}

export interface LegacyCounts {
  readonly blocks: number
  readonly uploads: number
  readonly downloads: number
  readonly filesWithVotes: number
  readonly votes: number
  readonly contracts: number
  readonly grants: number
  readonly users: number
}

export interface LegacyReport {
  readonly counts: LegacyCounts
  /** The first ones, and how many there are in all. */
  readonly findings: readonly LegacyFinding[]
  readonly findingCount: number
}

export interface LegacyContents extends LegacyReport {
  readonly blocks: readonly LegacyBlock[]
  readonly votes: readonly LegacyVotes[]
  readonly contracts: readonly LegacyContract[]
  readonly reputation: readonly { readonly user: UnverifiedName; readonly value: number | null }[]
}

export interface LegacyImport {
  readonly record: string
  readonly file: string
  readonly version: string
  readonly time: number
  readonly user: Named
  readonly parts: readonly {
    readonly kind: LegacyKind
    readonly sha256: string
    readonly size: number
    readonly entries: number
  }[]
  readonly state: RecordState
}
