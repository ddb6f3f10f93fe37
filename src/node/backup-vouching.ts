/** For whom backups are encrypted: told to the user's other devices by one with the recovery kit, and found by them. */
import type { NetworkId } from '../chain/ids.ts'
import { readUserKeys } from '../chain/state/users.ts'
import type { Clock } from '../common/clock.ts'
import type { Events } from '../common/events.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import type { Owner, Vouched } from '../services/backup/standing.ts'
import type { ChainService } from '../services/chain/chain-service.ts'
import type { Signer } from '../services/chain/own-records.ts'
import type { NodeEvents } from '../services/events.ts'
import { findBackupKey } from '../services/people/backup-key.ts'
import { createBackupKeyNotice } from '../services/people/backup-key-notice.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import type { Keystore } from '../storage/keystore.ts'

export interface BackupVouching extends Startable {
  /** Undefined: no device with the recovery kit has said it yet. */
  vouched(): Promise<Vouched | undefined>
}

export function createBackupVouching(
  components: {
    readonly chain: ChainService
    readonly store: ChainStore
    readonly signer: Signer
    readonly keystore: Keystore
    readonly person: Owner['person']
    readonly events: Events<NodeEvents>
    readonly clock: Clock
    readonly logger: Logger
  },
  init: { readonly network: NetworkId; readonly hasBackups: boolean },
): BackupVouching {
  const { chain, store, signer, keystore, person } = components
  const notice = createBackupKeyNotice(
    {
      ...components,
      records: chain,
      self: { device: signer.device, user: () => chain.user },
      kit: () => keystore.get('recovery'),
      userKey: () =>
        chain.user === undefined ? undefined : readUserKeys(store.state, chain.user).at(-1),
    },
    init,
  )
  return {
    ...notice,
    vouched: async () => {
      const { user } = chain
      if (user === undefined) return undefined
      const people = store.projections.peopleRecords().map(({ record }) => record)
      const { userKeys } = await person()
      const found = await findBackupKey(people, { network: init.network, user }, userKeys)
      if (found === undefined) return undefined
      const { recipientOf } = await import('../services/backup/keys.ts')
      return { recipient: recipientOf(found.publicKey), root: found.root }
    },
  }
}
