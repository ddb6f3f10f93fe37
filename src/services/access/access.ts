/** What keeps private files private and lets those read them who may, put together. */
import type { NetworkId, UserId } from '../../chain/ids.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { FileSecrets } from '../files/secrets.ts'
import { createDevicesService, type DevicesService } from '../people/devices.ts'
import { createKeySharing } from '../people/key-sharing.ts'
import { createKeyring, type KeyringComponents } from '../people/keyring.ts'
import { createFileKeys, type FileKeys } from './file-keys.ts'
import { createFileSecrets } from './file-secrets.ts'
import { createKeyCopies } from './key-copies.ts'
import { createKeyExchange, type KeyExchange, type KeyExchangeComponents } from './key-exchange.ts'
import { createOpening } from './opening.ts'

export interface AccessComponents
  extends Omit<KeyExchangeComponents, 'keys' | 'copies' | 'secret'> {
  /** X25519 secrets that are on this device. */
  readonly secrets: KeyringComponents['secrets']
}

export interface Access extends Pick<KeyExchange, 'grants' | 'holders' | 'keyHolder'> {
  readonly keys: FileKeys
  readonly secrets: FileSecrets
  readonly devices: DevicesService
  /** X25519 secrets of the user's keys that are here. */
  userSecrets(): Promise<readonly Uint8Array[]>
  /** To be started in this order, when the chain is there. */
  readonly parts: readonly Startable[]
}

export function createAccess(
  components: AccessComponents,
  init: { readonly network: NetworkId },
): Access {
  const { store, records, directory, secrets, self, events, clock, logger } = components
  const user = (): UserId | undefined => self.user()
  const keyring = createKeyring({ store, events, secrets, user }, init)
  const copies = createKeyCopies({ store, events })
  const keys = createFileKeys({ store, keyring, copies, self, clock }, init)
  const sharing = createKeySharing({ store, records, keyring, self, events, clock, logger }, init)
  const exchange = createKeyExchange({ ...components, keys, copies, secret: secrets.device }, init)
  return {
    keys,
    grants: exchange.grants,
    holders: exchange.holders,
    keyHolder: exchange.keyHolder,
    secrets: createFileSecrets({ keys, reading: exchange.reading, user }),
    userSecrets: async () => (await keyring.all()).map(({ secret }) => secret),
    devices: createDevicesService({
      store,
      records,
      directory,
      sharing,
      user,
      device: self.device,
    }),
    parts: [createOpening({ store, keys, events, clock, logger }), sharing, ...exchange.parts],
  }
}
