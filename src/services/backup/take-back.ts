/** Takes what backups hold into the chain that runs here. */
import type { NetworkId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { findBackups } from './find.ts'
import type { BackupKey } from './keys.ts'
import { checkNotBehind, type Restored, type RestoreTarget, restoreBackups } from './restore.ts'
import { type Selection, selected } from './selection.ts'

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
  },
  signal: AbortSignal,
): Promise<Restored> {
  const { destinations, target, clock, logger } = components
  const found = await findBackups(
    { destinations, logger },
    { opener: { key: init.key }, network: init.network },
    signal,
  )
  if (found === undefined) throw backupError('BACKUP_NONE', { wanted: 'the newest' })
  const backups = selected(found.backups, init.selection)
  checkNotBehind(backups, target.store.tip())
  return restoreBackups({ target, clock, logger }, { backups, key: found.key }, signal)
}
