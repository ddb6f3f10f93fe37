/**
 * What happens before a node starts in a directory of no network: it is made from backups, where there are any.
 *
 * No new network is founded while it is not known whether there is one to come back to.
 */
import { type Clock, systemClock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { readPeersFile } from '../network/peers-file.ts'
import type { Destination } from '../services/backup/destination.ts'
import { boundedCalls } from '../services/backup/destination-calls.ts'
import type { DestinationPlan } from '../services/backup/from-environment.ts'
import { isBackupCid } from '../services/backup/ipfs-place.ts'
import { type BackupKey, backupKeyOfKit } from '../services/backup/keys.ts'
import { openAnySlot } from '../services/backup/slots.ts'
import { openDataDirectory } from '../storage/data-directory.ts'
import { openKeystore } from '../storage/keystore.ts'
import { openDestinations } from './backup-destinations.ts'
import type { BackupOptions, BackupSecrets } from './options.ts'
import { type RestoredDirectory, type RestoreOptions, restoreDirectory } from './restoring.ts'

export interface RestoreFirstOptions
  extends Pick<
    RestoreOptions,
    | 'dataDir'
    | 'logger'
    | 'clock'
    | 'deviceName'
    | 'selection'
    | 'replace'
    | 'allowRollback'
    | 'inHaste'
  > {
  readonly backups: BackupOptions
  /** What names the network, where something does. */
  readonly peersFile?: string | undefined
}

/**
 * @returns undefined: there is nothing to restore
 * @throws PEERS_FILE, PEERS_FILE_READ, DESTINATION_VARIABLE, DESTINATION_SETTING when a destination is configured by half, what
 *   `restoreDirectory` throws
 */
export async function restoreFirst(
  options: RestoreFirstOptions,
  signal: AbortSignal,
): Promise<RestoredDirectory | undefined> {
  const { backups, clock = systemClock } = options
  const logger = options.logger.child('backup')
  const { peersFile } = options
  const wanted = peersFile === undefined ? undefined : await readPeersFile(peersFile, signal)
  const plans = [...backups.plans, ...(await sourcesOf(options))]
  const opened = await openDestinations({ clock, logger }, { ...backups, plans }, undefined)
  try {
    const { destinations, faults } = opened
    const [fault] = faults
    // One that cannot be asked may be the one that has the backups.
    if (fault !== undefined && backups.newNetwork !== true) throw fault
    logger.info('Looking for a backup to restore', {
      destinations: destinations.map(({ name }) => name).join(', '),
    })
    const restore = async (secrets: BackupSecrets): Promise<RestoredDirectory | undefined> => {
      const key = await keyOf(secrets, { destinations, clock }, signal)
      const restored = await restoreDirectory(
        {
          ...options,
          destinations,
          ...secrets,
          key,
          wanted: wanted?.network,
          newNetwork: backups.newNetwork ?? false,
        },
        signal,
      )
      keep(options.dataDir, { secrets, key, restored: restored !== undefined, clock, logger })
      if (restored === undefined) {
        logger.info('No backup at any destination: a new network may begin here')
      }
      return restored
    }
    let secrets = backups.given
    for (let wrong = false; ; wrong = true) {
      try {
        return await restore(secrets)
      } catch (error) {
        const code = codeOf(error)
        const isAsked = code === 'BACKUP_KEY_MISSING' || (wrong && code === 'BACKUP_PASSPHRASE')
        const answer = isAsked ? await backups.ask?.(wrong) : undefined
        if (answer === undefined) throw error
        secrets = answer
      }
    }
  } finally {
    await opened.close()
  }
}

/** What is looked at beside the destinations: the backup whose CID somebody names, else the one of the configuration. */
async function sourcesOf({
  backups,
  selection,
}: RestoreFirstOptions): Promise<readonly DestinationPlan[]> {
  const { sources = [], fromCid } = backups
  const id = selection?.id
  return id !== undefined && isBackupCid(id) && fromCid !== undefined
    ? [await fromCid(id)]
    : sources
}

/** The key of these secrets; undefined: only a look at all backups tells what is wrong. */
async function keyOf(
  { kit, passphrase }: BackupSecrets,
  { destinations, clock }: { destinations: readonly Destination[]; clock: Clock },
  signal: AbortSignal,
): Promise<BackupKey | undefined> {
  if (kit !== undefined) return backupKeyOfKit(kit)
  if (passphrase === undefined) return undefined
  const bounded = destinations.map((each) => boundedCalls(each, clock))
  return (await openAnySlot(bounded, passphrase, signal)).key
}

/**
 * Keeps what opens the backups: after a restore without the kit the key itself. A kit that was given where there was
 * nothing to restore becomes the kit of the new user: the next disk is made from it.
 */
function keep(
  dataDir: string,
  {
    secrets,
    key,
    restored,
    clock,
    logger,
  }: {
    secrets: BackupSecrets
    key: BackupKey | undefined
    restored: boolean
    clock: Clock
    logger: Logger
  },
): void {
  const { kit } = secrets
  if (restored ? kit !== undefined || key === undefined : kit === undefined) return
  const directory = openDataDirectory(dataDir)
  try {
    const keystore = openKeystore({ path: directory.keys, randomBytes: clock.randomBytes, logger })
    if (restored && key !== undefined) keystore.put('backup', key.secret)
    const isFirst = !keystore.complete().includes('device')
    if (!restored && kit !== undefined && isFirst) keystore.put('recovery', kit)
  } finally {
    directory.release()
  }
}
