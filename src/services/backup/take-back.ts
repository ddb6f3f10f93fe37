/** Takes what backups hold into the chain that runs here. */
import type { NetworkId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { findBackups } from './find.ts'
import type { BackupKey } from './keys.ts'
import type { Patience } from './looks.ts'
import { checkNotBehind, type Restored, type RestoreTarget, restoreBackups } from './restore.ts'
import { type Selection, selected } from './selection.ts'
import { createUnseen, missedOf } from './unseen.ts'

/** @throws BACKUP_BEHIND: it ends before what is here; BACKUP_NONE, what `findBackups` and `restoreBackups` throw */
export async function takeBack(
  components: {
    readonly destinations: readonly Destination[]
    readonly target: Omit<RestoreTarget, 'store'> & { readonly store: ChainStore }
    readonly clock: Clock
    readonly logger: Logger
  },
  init: {
    readonly network: NetworkId
    readonly key: BackupKey | undefined
    readonly selection: Selection
    /** At a start, which waits for nobody; who did not answer is remembered. */
    readonly patience?: Patience | undefined
  },
  signal: AbortSignal,
): Promise<Restored> {
  const { destinations, target, clock, logger } = components
  const unseen = createUnseen(target.store)
  const isHasty = init.patience !== undefined
  // Whatever goes wrong here: what they hold is taken in when they answer.
  if (isHasty) for (const each of destinations) unseen.add(each)
  const found = await findBackups(
    { destinations, logger },
    { opener: { key: init.key }, network: init.network, patience: init.patience },
    signal,
  )
  if (found === undefined) {
    for (const each of destinations) unseen.remove(each)
    throw backupError('BACKUP_NONE', { wanted: 'the newest' })
  }
  const backups = selected(found.backups, init.selection)
  checkNotBehind(backups, target.store.tip())
  const restored = await restoreBackups(
    { target, clock, logger },
    { backups, key: found.key },
    signal,
  )
  if (isHasty) {
    const problems = [...found.problems, ...restored.problems]
    const missed = missedOf(destinations, found.unseen, problems)
    for (const each of destinations) if (!missed.includes(each)) unseen.remove(each)
  }
  return restored
}
