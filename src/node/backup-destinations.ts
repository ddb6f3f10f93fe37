/** The destinations of the configuration, opened; what cannot be opened is a fault, and keeps no other from working. */
import type { Clock } from '../common/clock.ts'
import { CairnError, codeOf, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import type { Destination } from '../services/backup/destination.ts'
import { type CidKeeper, createCidFile } from '../services/backup/destinations/cids.ts'
import { createFolderDestination } from '../services/backup/destinations/folder.ts'
import type { DestinationPlan } from '../services/backup/from-environment.ts'
import { isBackupCid } from '../services/backup/ipfs-place.ts'
import { manifestNumber } from '../services/backup/manifest.ts'
import { createUnseen } from '../services/backup/unseen.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import type { BackupOptions } from './options.ts'

/** Where the CIDs of backups on IPFS are kept in the data directory. */
export const CID_FILE = 'backup-cids.json'

export interface OpenedDestinations {
  readonly destinations: readonly Destination[]
  /** Of the configuration, and of those that did not open. */
  readonly faults: readonly CairnError[]
  close(): Promise<void>
}

/**
 * @param dataDir - undefined: nothing is written, so no CID is kept there
 * @param listen - multiaddrs on which the nodes of a pinning service may come for what it is to keep
 */
export async function openDestinations(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  { plans, faults }: Pick<BackupOptions, 'plans' | 'faults'>,
  dataDir: string | undefined,
  listen: readonly string[] = [],
): Promise<OpenedDestinations> {
  const destinations: Destination[] = []
  const found = [...faults]
  const cidKeepers = dataDir === undefined ? [] : [cidKeeper({ clock, logger }, dataDir)]
  for (const plan of plans) {
    try {
      const opened = await plan.open({
        clock,
        logger,
        cidKeepers,
        isRestorePoint: (name) => manifestNumber(name) !== undefined,
        content: async () => {
          const { createContentProvider } = await import('../network/content-provider.ts')
          return createContentProvider({ clock, logger }, { listen })
        },
      })
      destinations.push(opened)
    } catch (error) {
      const fault =
        error instanceof CairnError ? error : new CairnError(codeOf(error), messageOf(error))
      found.push(fault)
    }
  }
  return {
    destinations,
    faults: found,
    close: async () => {
      await Promise.allSettled(destinations.map((each) => each.close()))
    },
  }
}

/** The backup on IPFS that is named by its CID; none, where it is named otherwise. @throws DESTINATION_SETTING */
export async function openByCid(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  fromCid: BackupOptions['fromCid'],
  id: string | undefined,
): Promise<readonly Destination[]> {
  if (id === undefined || fromCid === undefined || !isBackupCid(id)) return []
  const plan = await fromCid(id)
  return [await plan.open({ clock, logger, cidKeepers: [], isRestorePoint: () => false })]
}

/** Of what only a restore reads, that which the last one did not hear of. */
export async function openUnseen(
  components: {
    readonly clock: Clock
    readonly logger: Logger
    readonly store: Pick<ChainStore, 'meta' | 'setMeta'>
  },
  sources: readonly DestinationPlan[],
): Promise<readonly Destination[]> {
  const unseen = createUnseen(components.store)
  const plans = sources.filter(unseen.has)
  return (await openDestinations(components, { plans, faults: [] }, undefined)).destinations
}

/** Keeps CIDs in a file of the data directory, and says which of them brings everything back. */
function cidKeeper(
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
  dataDir: string,
): CidKeeper {
  const folder = createFolderDestination({ clock }, { path: dataDir })
  const file = createCidFile({ folder, file: CID_FILE })
  return {
    name: file.name,
    keep: async (stored, signal) => {
      await file.keep(stored, signal)
      const { name, cid, link } = stored
      if (manifestNumber(name) === undefined) return
      logger.info(`IPFS CID saved for automatic restoration. CID: ${cid} View at: ${link}`)
    },
  }
}
