/** The services about people, their devices and keys, joined to each other. */
import type { UserId } from '../chain/ids.ts'
import type { Events } from '../common/events.ts'
import type { Network } from '../network/network.ts'
import { type Access, createAccess } from '../services/access/access.ts'
import { createReleaseHold, type ReleaseHold } from '../services/access/release-hold.ts'
import type { ChainService } from '../services/chain/chain-service.ts'
import type { NodeEvents } from '../services/events.ts'
import { createDirectory, type Directory } from '../services/explorer/directory.ts'
import { createPeople, type People } from '../services/people/people.ts'
import { createRecoveryKit, type RecoveryKit } from '../services/people/recovery-kit.ts'
import type { Ground } from './ground.ts'

export interface PeopleServices {
  readonly people: People
  readonly directory: Directory
  readonly self: { readonly device: Ground['identity']['device']; user(): UserId | undefined }
  readonly access: Access
  readonly recovery: RecoveryKit
  /** Keeps keys here until this device knows what it gave out. */
  readonly hold: ReleaseHold
  /** Devices that are connected now. */
  connected(): ReadonlySet<string>
}

/** @param network - asked for when it is there: it is made with these services */
export function createPeopleServices(
  ground: Ground,
  components: {
    readonly chain: ChainService
    readonly events: Events<NodeEvents>
    readonly network: () => Network
  },
): PeopleServices {
  const { store, content, identity: keys, params, clock, logger } = ground
  const { chain, events, network } = components
  const directory = createDirectory({ projections: store.projections, events })
  const people = createPeople(
    {
      store,
      events,
      chain,
      signer: keys.signer,
      clock,
      logger,
      directory,
      announce: (record) => void network().gossip.publishRecord(record),
      addresses: () => network().peers.exportPeers().bootstrap,
    },
    { params },
  )
  const connected = (): ReadonlySet<string> => new Set<string>(network().peers.connected())
  const self = { device: keys.device, user: () => chain.user }
  const hold = createReleaseHold({
    events,
    clock,
    userOf: people.gate.userOf,
    signedBefore: () => store.ownNewest(keys.device) !== undefined,
    known: () =>
      network()
        .peers.list()
        .flatMap(({ device }) => device ?? []),
  })
  const access = createAccess(
    {
      store,
      records: chain,
      directory,
      secrets: keys.secrets,
      people: people.gate,
      self,
      content,
      ask: (device, record, signal) => network().askKey(device, record, signal),
      connected,
      hold,
      events,
      clock,
      logger,
    },
    { network: ground.network },
  )
  const recovery = createRecoveryKit({
    store,
    secret: keys.recoverySecret,
    user: () => chain.user,
    events,
  })
  return { people, directory, self, access, recovery, hold, connected }
}
