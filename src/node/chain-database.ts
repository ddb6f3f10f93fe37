/** The database of the chain, begun; what a damaged one still holds is taken over. */
import type { NetworkParams } from '../chain/params.ts'
import type { Clock } from '../common/clock.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { beginChain } from '../services/chain/begin-chain.ts'
import { type ChainStore, createChainStore } from '../storage/chain-store.ts'
import { condemnDatabase, openDatabase } from '../storage/database.ts'
import { storageError } from '../storage/errors.ts'
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
  try {
    const store = createChainStore(db)
    beginChain(store, params)
    return { db, store, damaged }
  } catch (error) {
    db.close()
    throw startError(error, init.path)
  }
}

/**
 * An error of the start. Bytes that cannot be decoded come from the database then, before any peer is heard: it
 * is put aside by the next open.
 */
export function startError(error: unknown, path: string): unknown {
  if (codeOf(error) !== 'ENCODING') return error
  condemnDatabase(path)
  return storageError('DATABASE_DAMAGED', { path, reason: messageOf(error) }, error)
}
