/** Keys of the user that stood in a backup which answered after the restore: passed on to this device, as a restore does. */
import type { NetworkId } from '../chain/ids.ts'
import { MAX_SEALS } from '../chain/record-bodies.ts'
import { equalBytes } from '../common/bytes.ts'
import { publicKeyOf } from '../common/crypto.ts'
import { backupError } from '../services/backup/errors.ts'
import type { Person } from '../services/backup/person.ts'
import { copiesOf } from '../services/backup/readmission.ts'
import type { Owner } from '../services/backup/standing.ts'
import type { ChainService } from '../services/chain/chain-service.ts'
import type { Keystore } from '../storage/keystore.ts'

export interface LateKeysComponents {
  readonly chain: Pick<ChainService, 'publish' | 'user'>
  readonly keystore: Pick<Keystore, 'require'>
  /** What is known here. */
  readonly person: Owner['person']
}

/** Publishes what is missing here; nothing when the backup is of somebody else. @throws BACKUP_NOT_READY */
export function createLateKeys(
  { chain, keystore, person }: LateKeysComponents,
  { network }: { readonly network: NetworkId },
): (late: Person) => Promise<void> {
  return async (late) => {
    // Before it is admitted this device states nothing: it is tried again.
    if (chain.user === undefined) throw backupError('BACKUP_NOT_READY')
    if (chain.user !== late.user) return
    const { userKeys } = await person()
    const isKnown = (secret: Uint8Array): boolean =>
      userKeys.some((known) => equalBytes(known, secret))
    const missing = late.userKeys.filter((secret) => !isKnown(secret))
    const to = publicKeyOf('x25519', keystore.require('device-encryption'))
    for (let at = 0; at < missing.length; at += MAX_SEALS) {
      const copies = await copiesOf(missing.slice(at, at + MAX_SEALS), { network, to })
      await chain.publish({ type: 'key.copy', body: { copies } })
    }
  }
}
