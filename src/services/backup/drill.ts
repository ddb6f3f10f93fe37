/** A restore for practice: into a chain of its own, compared with the one that is here. */
import type { NetworkParams } from '../../chain/params.ts'
import { equalBytes } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Verifier } from '../chain/intake.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { findBackups, type Opener } from './find.ts'
import { type RestoreTarget, restoreBackups } from './restore.ts'
import { openScratch } from './scratch.ts'

/** Blocks that are compared at a time. */
const BATCH = 256

export interface DrillComponents {
  readonly store: ChainStore
  readonly verifier: Verifier
  readonly clock: Clock
  readonly logger: Logger
}

export interface Drilled {
  readonly destination: string
  readonly height: number
  /** Blocks that are here and were in no backup yet. */
  readonly behind: number
  /** Files of which the contents were put together, and the bytes that were read for them. */
  readonly contents?: { readonly files: number; readonly bytes: number }
  readonly milliseconds: number
}

/**
 * Restores from one destination alone, replays the chain, and compares tip and state.
 *
 * @param path - of a database that is made and that the caller removes, or ':memory:'
 * @throws BACKUP_DIFFERS; what `findBackups` and `restoreBackups` throw; BACKUP_NONE
 */
export async function drillDestination(
  components: DrillComponents,
  init: {
    readonly destination: Destination
    readonly params: NetworkParams
    readonly opener: Opener
    readonly path: string
  },
  signal: AbortSignal,
): Promise<Drilled> {
  const { store, clock, logger } = components
  const { destination, opener } = init
  const started = clock.now()
  const found = await findBackups({ destinations: [destination], logger }, { opener }, signal)
  if (found === undefined) throw backupError('BACKUP_NONE', { wanted: destination.name })
  const scratch = openScratch(components, { path: init.path, params: init.params })
  try {
    const { backups, key } = found
    await restoreBackups({ target: scratch, clock, logger }, { backups, key }, signal)
    const { height, id } = scratch.store.tip()
    const differs = (why: string): Error =>
      backupError('BACKUP_DIFFERS', { destination: destination.name, why })
    if (store.block(id) === undefined) throw differs(`its block ${height} is not known here`)
    const { id: tip } = store.tip()
    await catchUp(scratch, store, signal)
    if (scratch.store.tip().id !== tip && store.tip().id === tip) {
      throw differs('it does not lead to the tip that is here')
    }
    if (
      scratch.store.tip().id === store.tip().id &&
      !equalBytes(scratch.store.stateDigest(), store.stateDigest())
    ) {
      throw differs('replaying it leads to another state')
    }
    const behind = Math.max(0, scratch.store.tip().height - height)
    return { destination: destination.name, height, behind, milliseconds: clock.now() - started }
  } finally {
    await scratch.close()
  }
}

/** Gives the scratch chain the blocks of the best chain here that it lacks. */
async function catchUp(
  { chain, store: scratch, device }: RestoreTarget & { readonly store: ChainStore },
  store: ChainStore,
  signal: AbortSignal,
): Promise<void> {
  let height = scratch.tip().height
  while (height > 0 && scratch.idAt(height) !== store.idAt(height)) height -= 1
  for (;;) {
    signal.throwIfAborted()
    const headers = store.mainHeaders(height + 1, BATCH)
    if (headers.length === 0) return
    await chain.planHeaders(headers, device)
    const window = headers.flatMap((_, at) => {
      const id = store.idAt(height + 1 + at)
      const body = id === undefined ? undefined : store.body(id)
      return id === undefined || body === undefined ? [] : [{ id, body }]
    })
    await chain.acceptBodies(window, device)
    height += headers.length
  }
}
