/**
 * What people and tools are told of the chain, its records and its members. Times are milliseconds UTC, sizes bytes,
 * ids CID text (devices: libp2p peer ids), weights thousandths. What is not known is null, never missing.
 */
import type { Named } from './directory.ts'
import type { RecordState } from './record-state.ts'

export interface ChainSummary {
  readonly network: string
  readonly height: number
  readonly tip: string
  readonly tipTime: number
  /** Decimal text. */
  readonly chainwork: string
  readonly difficulty: number
  readonly difficultyFloor: number
  readonly targetIntervalMs: number
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

export interface UserSummary {
  readonly user: string
  readonly name: string
  readonly role: 'admin' | 'member' | 'backup'
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
  /** `backup`: it stores and reads nothing. */
  readonly role: 'member' | 'backup'
  readonly active: boolean
  readonly connected: boolean
  /** Newest sequence known of it. */
  readonly sequence: number
  readonly added: number
  readonly state: RecordState
}
