/** A chain of its own beside the node's: to be filled from a backup, looked at, and thrown away or moved into place. */
import { type DeviceId, deviceIdOf } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { Clock } from '../../common/clock.ts'
import { KEY_BYTES, publicKeyOf, signEd25519 } from '../../common/crypto.ts'
import { assert, codeOf, messageOf } from '../../common/errors.ts'
import { createEvents } from '../../common/events.ts'
import type { Logger } from '../../common/logger.ts'
import type { SyncChain } from '../../network/sync/chain.ts'
import { type ChainStore, createChainStore } from '../../storage/chain-store.ts'
import { openDatabase } from '../../storage/database.ts'
import type { Journal } from '../../storage/journal.ts'
import { beginChain } from '../chain/begin-chain.ts'
import { createChainService } from '../chain/chain-service.ts'
import type { Verifier } from '../chain/intake.ts'
import type { NodeEvents } from '../events.ts'

export interface ScratchChain {
  readonly chain: Pick<SyncChain, 'planHeaders' | 'acceptBodies' | 'acceptRecords'>
  readonly store: ChainStore
  readonly device: DeviceId
  /** Waits for what is under way and closes the database. */
  close(): Promise<void>
}

/** It signs nothing, so it needs no journal. */
const noJournal: Journal = {
  append: () => assert(false, 'a scratch chain signs nothing'),
  entries: () => [],
  read: () => [],
  damagedBytes: 0,
  cutBytes: 0,
  close: () => {},
}

/**
 * @param path - of the database, or ':memory:'
 */
export function openScratch(
  components: { readonly verifier: Verifier; readonly clock: Clock; readonly logger: Logger },
  init: { readonly path: string; readonly params: NetworkParams },
): ScratchChain {
  const { clock, logger, verifier } = components
  const { db } = openDatabase({ path: init.path, now: clock.now, logger })
  try {
    const store = createChainStore(db)
    beginChain(store, init.params)
    const events = createEvents<NodeEvents>((error) => {
      logger.error('A listener failed', { code: codeOf(error), why: messageOf(error) })
    })
    // A device of nobody: what is own to the node is not own here, and nothing is signed again.
    const seed = clock.randomBytes(KEY_BYTES)
    const device = deviceIdOf(publicKeyOf('ed25519', seed))
    const chain = createChainService(
      {
        store,
        journal: noJournal,
        verifier,
        signer: { device, sign: (message) => signEd25519(seed, message) },
        clock,
        events,
        logger,
      },
      { params: init.params },
    )
    return {
      chain,
      store,
      device,
      close: async () => {
        await chain.stop()
        db.close()
      },
    }
  } catch (error) {
    db.close()
    throw error
  }
}
