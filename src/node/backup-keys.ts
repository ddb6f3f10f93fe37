/** Where the key of the backups is: in the recovery kit, by itself, or at a destination under a passphrase. */
import type { Clock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import type { Destination } from '../services/backup/destination.ts'
import type { BackupKey } from '../services/backup/keys.ts'
import type { Keystore } from '../storage/keystore.ts'

/** Milliseconds that the start looks for the key, where it is at a destination alone. */
const KEY_MS = 10_000

export interface BackupKeys {
  /** The key that is on this device. */
  here(): Promise<BackupKey | undefined>
  /** That, or what the passphrase of the configuration opens at a destination; kept then. */
  from(destinations: readonly Destination[], signal: AbortSignal): Promise<BackupKey | undefined>
}

export function createBackupKeys(
  components: {
    readonly keystore: Keystore
    readonly clock: Clock
    readonly logger: Logger
  },
  { passphrase }: { readonly passphrase: string | undefined },
): BackupKeys {
  const { keystore, clock } = components
  const logger = components.logger.child('backup')

  const here = async (): Promise<BackupKey | undefined> => {
    const { backupKeyOf, backupKeyOfKit } = await import('../services/backup/keys.ts')
    const kit = keystore.get('recovery')
    if (kit !== undefined) return backupKeyOfKit(kit)
    const secret = keystore.get('backup')
    return secret === undefined ? undefined : backupKeyOf(secret)
  }

  return {
    here,
    from: async (destinations, signal) => {
      const found = await here()
      if (found !== undefined || passphrase === undefined) return found
      const { openAnySlot } = await import('../services/backup/slots.ts')
      const { boundedCalls } = await import('../services/backup/destination-calls.ts')
      const limit = AbortSignal.any([signal, AbortSignal.timeout(KEY_MS)])
      try {
        const bounded = destinations.map((each) => boundedCalls(each, clock))
        const { key, failures } = await openAnySlot(bounded, passphrase, limit)
        if (key !== undefined) keystore.put('backup', key.secret)
        for (const { error } of failures) {
          logger.debug('No key by the passphrase', { code: codeOf(error) })
        }
        return key
      } catch (error) {
        logger.debug('No key by the passphrase', { code: codeOf(error) })
        return undefined
      }
    },
  }
}
