/** The chain and its records. Units and promises: api.ts. */
import type { CID } from 'multiformats/cid'
import type { Named, Page, RecordState } from './api-common.ts'

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
