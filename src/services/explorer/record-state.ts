/** Where a record stands, in the words that people are shown. */
import { inclusionOf } from '../../chain/mempool.ts'
import type { StateView } from '../../chain/view.ts'
import type { StoredRecord } from '../../storage/chain-store.ts'

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

export function recordStateOf(state: StateView, stored: StoredRecord): RecordState {
  const { place } = stored
  if (place === undefined) {
    const stranded = inclusionOf(state, stored.record) === 'stranded'
    return {
      status: stranded ? 'stranded' : 'pending',
      outcome: null,
      code: null,
      height: null,
      block: null,
    }
  }
  return {
    status: 'confirmed',
    outcome: stored.outcome ?? null,
    code: stored.code ?? null,
    height: place.height,
    block: place.block,
  }
}
