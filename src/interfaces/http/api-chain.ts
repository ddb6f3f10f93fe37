/** The chain and its records, as the services give them. Units and promises: api.ts. */
import type { Explorer } from '../../services/explorer/explorer.ts'
import type { VerifyChain } from '../../services/explorer/verify-chain.ts'

export type {
  BlockDetail,
  BlockSummary,
  ChainSummary,
  RecordDetail,
  RecordSummary,
} from '../../services/explorer/types.ts'
export type { ChainVerification } from '../../services/explorer/verify-chain.ts'
export type ChainApi = Explorer['chain'] & { readonly verify: VerifyChain }
export type RecordsApi = Explorer['records']
