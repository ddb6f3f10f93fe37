/** The database of the chain, begun; what a damaged one still holds is taken over. */
import type { NetworkParams } from '../chain/params.ts'
import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/logger.ts'
import { beginChain } from '../services/chain/begin-chain.ts'
import { type ChainStore, createChainStore } from '../storage/chain-store.ts'
import { openDatabase } from '../storage/database.ts'
import type { Database } from '../storage/sqlite.ts'

export interface OpenedChain {
  readonly db: Database
  readonly store: ChainStore
  /** Where a damaged database was put aside. */
  readonly damaged: string | undefined
}

/** @throws the errors of openDatabase, `STORE_OF_OTHER_NETWORK` */
export function openChain(
  components: { readonly clock: Clock; readonly logger: Logger },
  init: { readonly path: string; readonly params: NetworkParams },
): OpenedChain {
  const { clock, logger } = components
  const { params } = init
  const { db, damaged } = openDatabase({ path: init.path, now: clock.now, logger })
  const store = createChainStore(db)
  beginChain(store, params)
  return { db, store, damaged }
}
