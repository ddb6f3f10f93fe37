/** What keeps private files private and lets those read them who may, put together. */
import type { DeviceId, NetworkId, UserId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import type { Directory } from '../explorer/directory.ts'
import type { Publisher } from '../files/components.ts'
import type { FileSecrets } from '../files/secrets.ts'
import { createDevicesService, type DevicesService } from '../people/devices.ts'
import { createKeySharing } from '../people/key-sharing.ts'
import { createKeyring, type KeyringComponents } from '../people/keyring.ts'
import { createFileKeys, type FileKeys } from './file-keys.ts'
import { createFileSecrets, type Reading } from './file-secrets.ts'
import { createOpening } from './opening.ts'

export interface AccessComponents {
  readonly store: ChainStore
  readonly records: Publisher
  readonly directory: Directory
  readonly secrets: KeyringComponents['secrets']
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
  readonly reading: (keys: FileKeys) => Reading
}

export interface Access {
  readonly keys: FileKeys
  readonly secrets: FileSecrets
  readonly devices: DevicesService
  /** To be started in this order, when the chain is there. */
  readonly parts: readonly Startable[]
}

export function createAccess(
  components: AccessComponents,
  init: { readonly network: NetworkId },
): Access {
  const { store, records, directory, self, events, clock, logger } = components
  const user = (): UserId | undefined => self.user()
  const keyring = createKeyring({ store, events, secrets: components.secrets, user }, init)
  const keys = createFileKeys({ store, keyring, self, clock }, init)
  const sharing = createKeySharing({ store, records, keyring, self, events, clock, logger }, init)
  return {
    keys,
    secrets: createFileSecrets({ keys, reading: components.reading(keys), user }),
    devices: createDevicesService({ store, records, directory, sharing, user }),
    parts: [createOpening({ store, keys, events, clock, logger }), sharing],
  }
}
