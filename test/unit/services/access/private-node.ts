/** A device that keeps private files, without a network: chain, content and keys. Devices hand each other records. */
import type { CID } from 'multiformats/cid'
import { admissionMessage } from '../../../../src/chain/admissions.ts'
import { deviceKeyOf, type UserId } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { recoveryKeys } from '../../../../src/common/recovery-keys.ts'
import { createFileKeys, type FileKeys } from '../../../../src/services/access/file-keys.ts'
import { createFileSecrets } from '../../../../src/services/access/file-secrets.ts'
import { createKeyCopies, type KeyCopies } from '../../../../src/services/access/key-copies.ts'
import { createOpening, type Opening } from '../../../../src/services/access/opening.ts'
import { sealKey, sealPurposes } from '../../../../src/services/access/seals.ts'
import { createDirectory } from '../../../../src/services/explorer/directory.ts'
import {
  createFilesService,
  type FilesService,
} from '../../../../src/services/files/files-service.ts'
import {
  createDevicesService,
  type DevicesService,
} from '../../../../src/services/people/devices.ts'
import { createKeySharing, type KeySharing } from '../../../../src/services/people/key-sharing.ts'
import { createKeyring, type Keyring } from '../../../../src/services/people/keyring.ts'
import { createChainStore } from '../../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../../src/storage/database.ts'
import { createPins } from '../../../../src/storage/pins.ts'
import {
  type ChainNode,
  createChainNode,
  type handClock,
  seedOf,
} from '../../../helpers/chain-node.ts'
import { openStore, type TestStore } from '../../storage/blockstore-helpers.ts'

export interface PrivateNode extends ChainNode {
  readonly content: TestStore['store']
  readonly keyring: Keyring
  readonly keys: FileKeys
  readonly copies: KeyCopies
  readonly opening: Opening
  readonly sharing: KeySharing
  readonly devices: DevicesService
  readonly files: FilesService
  /** Publishes `user.create`, the user's secret sealed to the recovery kit. */
  joinAsUser(): Promise<UserId>
  /** Publishes `device.add` to `user`, countersigned by the device of the test named `sponsor`. */
  joinAsDevice(user: UserId, sponsor: string): Promise<void>
  /** Gives all its records to others. */
  tell(...others: PrivateNode[]): Promise<void>
}

export interface PrivateNodeInit {
  readonly dir: string
  readonly clock: ReturnType<typeof handClock>
  /** The user's first secret: where the user was made. */
  readonly userSecret?: Uint8Array
  /** The kit's 32 bytes. */
  readonly kit?: Uint8Array
}

export async function createPrivateNode(name: string, init: PrivateNodeInit): Promise<PrivateNode> {
  const { clock } = init
  const { db } = openDatabase({ path: ':memory:', now: clock.now, logger: silentLogger })
  const store = createChainStore(db)
  const node = createChainNode(name, { clock, store })
  const { events, chain, device } = node
  const network = networkIdOf(node.params)
  const user = (): UserId | undefined => chain.user
  const deviceSecret = seedOf(`${name} device encryption`)
  const kit = init.kit === undefined ? undefined : recoveryKeys(init.kit)
  const keyring = createKeyring(
    {
      store,
      events,
      secrets: { device: deviceSecret, user: init.userSecret, recovery: kit?.encryption },
      user,
    },
    { network },
  )
  const self = { device, user }
  const copies = createKeyCopies({ store, events })
  const keys = createFileKeys({ store, keyring, copies, self, clock }, { network })
  const opening = createOpening({ store, keys, events, clock, logger: silentLogger })
  const sharing = createKeySharing(
    { store, records: chain, keyring, self, events, clock, logger: silentLogger },
    { network },
  )
  const directory = createDirectory({ projections: store.projections, events })
  const test = await openStore(`${init.dir}/${name}`)
  const pins = createPins({ db, store: test.store, now: clock.now })
  const denied = async (): Promise<never> => {
    throw Object.assign(new Error('nobody releases keys here'), { code: 'ACCESS_DENIED' })
  }
  const files = createFilesService({
    store,
    records: chain,
    secrets: createFileSecrets({
      keys,
      reading: { requestAccess: denied, contentKey: denied },
      user,
    }),
    content: test.store,
    pins,
    directory,
    self,
    events,
    clock,
    logger: silentLogger,
  })
  const made: PrivateNode = {
    ...node,
    content: test.store,
    keyring,
    keys,
    copies,
    opening,
    sharing,
    devices: createDevicesService({ store, records: chain, directory, sharing, user, device }),
    files,
    joinAsUser: async () => {
      const secret = init.userSecret ?? seedOf(`${name} user`)
      const userKey = publicKeyOf('x25519', secret)
      const founder = publicKeyOf('ed25519', seedOf(name))
      const isFounder = founder.every((byte, at) => node.params.founder[at] === byte)
      const to = kit === undefined ? undefined : publicKeyOf('x25519', kit.encryption)
      const recovery =
        to === undefined
          ? {}
          : {
              recovery: {
                to,
                sealed: await sealKey(to, secret, sealPurposes(network).userKey(userKey)),
              },
            }
      const record = await chain.publish({
        type: 'user.create',
        body: {
          name,
          deviceName: `${name}'s laptop`,
          encryptionKey: publicKeyOf('x25519', deviceSecret),
          userKey,
          recoveryKey: publicKeyOf('ed25519', kit?.signing ?? seedOf(`${name} recovery`)),
          restoreKey: publicKeyOf('ed25519', seedOf(`${name} restore`)),
          ...recovery,
          proof: { type: isFounder ? 'founder' : 'open' },
        },
      })
      return record.id
    },
    joinAsDevice: async (of, sponsor) => {
      const encryptionKey = publicKeyOf('x25519', deviceSecret)
      const message = admissionMessage({ network, user: of, device, encryptionKey })
      const key = publicKeyOf('ed25519', seedOf(sponsor))
      const signature = signEd25519(seedOf(sponsor), message)
      await chain.publish({
        type: 'device.add',
        user: of,
        body: { name, encryptionKey, proof: { type: 'device', device: key, signature } },
      })
    },
    tell: async (...others) => {
      const all = store.projections.recentRecords({ limit: 1000 }).map(({ record }) => record)
      const ordered = all.sort((a, b) => a.sequence - b.sequence).map(({ bytes }) => bytes)
      for (const other of others) await other.chain.acceptRecords(ordered, device)
    },
  }
  await chain.start()
  return made
}

/** Hands blocks of content from one store to another. */
export async function copyContent(
  from: PrivateNode,
  to: PrivateNode,
  cids: readonly CID[],
): Promise<void> {
  for (const cid of cids) await to.content.put(cid, await from.content.bytes(cid))
}

export function keyOf(device: Parameters<typeof deviceKeyOf>[0]): Uint8Array {
  const key = deviceKeyOf(device)
  if (key === undefined) throw new Error('no device')
  return key
}
