/**
 * What a certificate shows once it was checked. Field names are stable. Times are milliseconds UTC, sizes bytes,
 * ids text, weights thousandths, work decimal text.
 */
import type { Verdict } from './record.ts'

export interface CertifiedDetails {
  readonly name: string
  readonly folder: readonly string[]
  readonly mediaType: string
  readonly size: number
  /** Of the plain bytes, hexadecimal. */
  readonly sha256: string
}

export interface CertifiedBlock {
  readonly height: number
  readonly block: string
  readonly time: number
}

/** A member with the names of its admissions; null: none of them is cited. */
export interface CertifiedMember {
  readonly device: string
  readonly deviceName: string | null
  readonly user: string | null
  readonly userName: string | null
}

export interface CertifiedAdmission extends CertifiedMember {
  readonly record: string
  readonly height: number
  readonly time: number
  /** What its proof rests on. */
  readonly by: 'founder' | 'open' | 'invite' | 'device' | 'recovery' | 'restore'
}

export interface CertifiedVote extends CertifiedMember {
  readonly record: string
  readonly verdict: Verdict
  readonly comment: string
  readonly time: number
  readonly height: number
  /** Stated, not shown; null: nothing is stated. */
  readonly weight: number | null
}

export interface CertificateFacts {
  readonly network: string
  readonly founded: number
  readonly admission: string
  readonly file: string
  readonly version: string
  readonly record: string
  readonly change: 'added' | 'updated'
  readonly visibility: 'public' | 'private'
  /** CID of the stored bytes: of a private version the encrypted ones. */
  readonly root: string
  /** Null: private, and the certificate does not open it. */
  readonly details: CertifiedDetails | null
  readonly author: CertifiedMember
  /** The author's clock. */
  readonly signed: number
  readonly block: CertifiedBlock
  /** The block that the author's device knew when it signed; null: it is not contained. */
  readonly seen: CertifiedBlock | null
  readonly tip: CertifiedBlock
  /** Blocks from the one that holds the record to `tip`, both counted. */
  readonly confirmations: number
  /** Hashes expected for these blocks. */
  readonly work: string
  /** Hashes expected for all contained blocks. */
  readonly containedWork: string
  readonly headers: number
  /** The headers begin at the network's genesis block. */
  readonly fromGenesis: boolean
  /** Places where headers are left out. */
  readonly gaps: number
  /** Who sealed the block and those above it, most blocks first. */
  readonly sealers: readonly (CertifiedMember & { readonly blocks: number })[]
  readonly members: readonly CertifiedAdmission[]
  readonly votes: readonly CertifiedVote[]
  readonly stated: {
    readonly height: number
    readonly authorActive: boolean
    readonly score: number | null
    readonly authenticVotes: number
    readonly suspiciousVotes: number
  }
  readonly maker: CertifiedMember
  readonly made: number
}
