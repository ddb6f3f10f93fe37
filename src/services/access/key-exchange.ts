/** How private files reach those who may read them, put together: grants, key holders, giving and taking of keys. */
import type { DeviceId, NetworkId, UserId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { KeyHolder } from '../../network/key-release/server.ts'
import type { ContentBlockstore } from '../../storage/blockstore.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import type { Directory } from '../explorer/directory.ts'
import type { Publisher } from '../files/components.ts'
import type { Gate } from '../people/gate.ts'
import type { FileKeys } from './file-keys.ts'
import { createGrants, type GrantsService } from './grants.ts'
import { createHolders, type HoldersService } from './holders.ts'
import { createKeyCheck } from './key-check.ts'
import type { KeyCopies } from './key-copies.ts'
import { createReading, type ReadingComponents, type ReadingService } from './reading.ts'
import type { ReleaseHold } from './release-hold.ts'
import { createReleasing } from './releasing.ts'
import { openKey, sealKey, sealPurposes } from './seals.ts'
import { createSupply } from './supply.ts'
import { createSupplying } from './supplying.ts'

export interface KeyExchangeComponents {
  readonly store: ChainStore
  readonly records: Publisher
  readonly keys: FileKeys
  readonly copies: KeyCopies
  /** X25519 secret of this device. */
  readonly secret: Uint8Array
  readonly people: Pick<Gate, 'userOf' | 'isRevoked'>
  readonly directory: Directory
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  readonly content: Pick<ContentBlockstore, 'bytes' | 'putVerified'>
  readonly ask: ReadingComponents['ask']
  readonly connected: ReadingComponents['connected']
  /** Until when no key leaves. */
  readonly hold?: Pick<ReleaseHold, 'ready'>
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export interface KeyExchange {
  readonly grants: GrantsService
  readonly holders: HoldersService
  readonly reading: ReadingService
  /** Answers readers; give it to the network. */
  readonly keyHolder: KeyHolder
  /** To be started when the chain is there. */
  readonly parts: readonly Startable[]
}

export function createKeyExchange(
  components: KeyExchangeComponents,
  init: { readonly network: NetworkId },
): KeyExchange {
  const { store, records, keys, copies, secret, people, directory, self, events, clock, logger } =
    components
  const { content, ask, connected } = components
  const purposes = sealPurposes(init.network)
  const supply = createSupply({ store, keys, copies, purposes, clock })
  return {
    grants: createGrants({ store, records, directory, keys, purposes, self, clock }),
    holders: createHolders({ store, records, directory, supply, self }),
    reading: createReading({
      store,
      records,
      people,
      directory,
      self,
      ask,
      connected,
      open: (sealed, access) => openKey(secret, sealed, purposes.release(access)),
      fits: createKeyCheck({ content, keys }),
      events,
      clock,
      logger,
    }),
    keyHolder: createReleasing({
      store,
      records,
      keys,
      seal: (key, to, access) => sealKey(to, key, purposes.release(access)),
      people,
      events,
      clock,
      ...(components.hold === undefined ? {} : { hold: components.hold }),
      device: self.device,
    }),
    parts: [createSupplying({ store, records, supply, self, events, clock, logger })],
  }
}
