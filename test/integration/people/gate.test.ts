import assert from 'node:assert/strict'
import { join } from 'node:path'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import type { DeviceId, NetworkId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { decodeInvite } from '../../../src/common/invite-code.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createHost, type Host } from '../../../src/network/host.ts'
import { createSyncProtocol } from '../../../src/network/sync/protocol.ts'
import { topicsOf } from '../../../src/network/topics.ts'
import { createTransfer } from '../../../src/network/transfer/transfer.ts'
import { recoverUser } from '../../../src/node/joining.ts'
import type { CairnNode } from '../../../src/node/node.ts'
import { openKeystore } from '../../../src/storage/keystore.ts'
import { seedOf } from '../../helpers/chain-node.ts'
import { until } from '../network/nodes.ts'
import {
  addressOf,
  createPeopleNetwork,
  type PeopleNetwork,
  settled,
  WAIT_MS,
} from './network-of-people.ts'

describe('the gate', function () {
  this.timeout(60_000)
  let people: PeopleNetwork
  let ada: CairnNode
  const hosts: Host[] = []

  beforeEach(async () => {
    people = await createPeopleNetwork()
    ada = await people.start('Ada')
    await settled(ada)
  })
  afterEach(async () => {
    await Promise.all(hosts.splice(0).map((host) => host.stop()))
    await people.end()
  })

  const secretOf = (name: string, key: 'device' | 'recovery'): Uint8Array =>
    openKeystore({
      path: join(people.dirOf(name), 'keys'),
      randomBytes: systemClock.randomBytes,
      logger: silentLogger,
    }).require(key)

  /** A host that keeps no rule, with a key of its own choice. */
  const hostWith = async (keySeed: Uint8Array): Promise<Host> => {
    const decisions = { admit: () => true }
    const network = ada.identity.network as NetworkId
    const host = await createHost(
      { keySeed, decisions, logger: silentLogger },
      { network, listen: [] },
    )
    hosts.push(host)
    await host.start()
    return host
  }
  /** Whether the target lets it stay connected: a refusal comes after the handshake. */
  const staysConnected = async (host: Host, target: CairnNode): Promise<boolean> => {
    const { libp2p } = host
    try {
      await libp2p.dial(multiaddr(addressOf(target)))
    } catch {
      return false
    }
    const peer = peerIdFromString(target.identity.device)
    await new Promise((resolve) => setTimeout(resolve, 300))
    return libp2p.getConnections(peer).some(({ status }) => status === 'open')
  }
  const addDevice = async (name: string): Promise<CairnNode> => {
    const { code } = await ada.invites.create({ kind: 'device' })
    await people.join(name, code)
    return people.start(name)
  }
  const addPerson = async (name: string): Promise<CairnNode> => {
    const { code } = await ada.invites.create({ kind: 'member' })
    await people.join(name, code)
    return people.start(name)
  }
  const isConnected = (node: CairnNode, device: string): boolean =>
    node.peers.list().some((peer) => peer.device === device && peer.connected)

  it('a stranger is refused at the handshake', async () => {
    const stranger = await hostWith(seedOf('a stranger'))
    assert.equal(await staysConnected(stranger, ada), false)
  })

  it('the key of an invite may pair, and sync, transfer, bitswap and gossip give it nothing', async () => {
    const source = (async function* () {
      yield Buffer.from('for members')
    })()
    const signal = AbortSignal.timeout(WAIT_MS)
    const about = { name: 'a.txt', visibility: 'public' } as const
    const { file } = await ada.files.add(source, about, { signal })
    const root = CID.parse(ada.files.info(file).root)
    const { code } = await ada.invites.create({ kind: 'member' })
    const guest = await hostWith(decodeInvite(code).secret)
    const { libp2p } = guest
    const heard: string[] = []
    for (const topic of Object.values(topicsOf(ada.identity.network as NetworkId))) {
      libp2p.services.pubsub.subscribe(topic)
    }
    libp2p.services.pubsub.addEventListener(
      'message',
      ({ detail }) => void heard.push(detail.topic),
    )
    assert.equal(await staysConnected(guest, ada), true)

    const components = { libp2p, clock: systemClock, logger: silentLogger }
    const sync = createSyncProtocol(components, { idleMs: 2000 })
    await assert.rejects(sync.peer(ada.identity.device as DeviceId).status(signal), {
      code: 'SYNC_STREAM',
    })
    const transfer = createTransfer({ ...components, blockstore: nothing() }, {})
    await transfer.start()
    await assert.rejects(transfer.fetchDag(root, { signal: AbortSignal.timeout(2000) }))
    await transfer.stop()

    const connection = libp2p.getConnections()[0]
    assert.ok(connection)
    for (const protocol of ['/ipfs/bitswap/1.2.0', '/meshsub/1.1.0', '/cairn/sync/1.0.0']) {
      const stream = await connection.newStream(protocol, { signal })
      const ended = new Promise<void>((resolve) => {
        stream.addEventListener('close', () => resolve())
      })
      if (stream.status === 'open') await ended
      assert.notEqual(stream.status, 'open', protocol)
    }
    // What Ada says now goes to nobody.
    await ada.invites.create({ kind: 'member' })
    assert.deepEqual(heard, [])
    const subscribers = libp2p.services.pubsub.getPeers().map(String)
    assert.equal(
      ada.peers.list().some(({ device }) => device === guest.device),
      false,
    )
    assert.equal(
      connection.streams.some(({ direction, protocol }) => {
        return direction === 'inbound' && protocol.startsWith('/meshsub')
      }),
      false,
      `no gossip stream from Ada, gossip peers of the guest: ${subscribers}`,
    )
  })

  it('a revoked device is cut off at once by all, and stays out', async () => {
    const phone = await addDevice('phone')
    const ben = await addPerson('Ben')
    await settled(ada, phone, ben)
    const lost = phone.identity.device
    await until(() => isConnected(ben, lost), 'Ben knows the phone', WAIT_MS)
    const began = performance.now()
    await ada.devices.revoke(lost, { reason: 'lost' })
    assert.equal(isConnected(ada, lost), false)
    await until(() => !isConnected(ben, lost), 'Ben has cut it off', 2000)
    const alone = (): boolean => phone.peers.list().every(({ connected }) => !connected)
    await until(alone, 'no connection of the phone stands', 2000)
    assert.ok(performance.now() - began < 2000)
    // It dials again, is shown the revocation, and says so.
    const told = async (): Promise<boolean> => (await phone.status()).revoked !== null
    for (const end = performance.now() + WAIT_MS; !(await told()); ) {
      assert.ok(performance.now() < end, 'the phone is told')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const { revoked, alarms } = await phone.status()
    assert.deepEqual(revoked?.by, { device: ada.identity.device, name: "Ada's device" })
    assert.equal(revoked.reason, 'lost')
    assert.ok(alarms.some(({ code }) => code === 'DEVICE_OUT'))
    assert.ok(
      (await phone.check({ deep: false }, AbortSignal.timeout(WAIT_MS))).some(
        ({ name }) => name === 'membership',
      ),
    )
    await until(alone, 'and no connection stands', WAIT_MS)
    await people.stop(phone)
    const again = await hostWith(secretOf('phone', 'device'))
    assert.equal(await staysConnected(again, ada), false)
    assert.equal(await staysConnected(again, ben), false)
  })

  it('also when the revocation only waits, and after a restart', async () => {
    const phone = await addDevice('phone')
    await settled(ada, phone)
    const lost = phone.identity.device
    const dataDir = people.dirOf('Ada')
    await people.stop(phone)
    const revoked = ada.devices.revoke(lost, { reason: 'lost' })
    await revoked
    await people.stop(ada)
    const started = await people.start('Ada', { dataDir })
    const again = await hostWith(secretOf('phone', 'device'))
    assert.equal(await staysConnected(again, started), false)
  })

  it('the recovery kit brings a person back, from any member', async () => {
    const ben = await addPerson('Ben')
    await settled(ada, ben)
    const entropy = secretOf('Ada', 'recovery')
    const user = ada.identity.user
    await people.stop(ada)
    const joined = await recoverUser(
      {
        dataDir: people.dirOf('new laptop'),
        entropy,
        addresses: [addressOf(ben)],
        deviceName: 'new laptop',
        logger: silentLogger,
      },
      AbortSignal.timeout(WAIT_MS),
    )
    assert.equal(joined.user, user)
    const laptop = await people.start('new laptop')
    await settled(ben, laptop)
    assert.equal(laptop.identity.user, user)
    assert.deepEqual(secretOf('new laptop', 'recovery'), entropy)
  })

  it('a kit that is nobody’s gets no answer', async () => {
    const asked = recoverUser(
      {
        dataDir: people.dirOf('nobody'),
        entropy: seedOf('made up'),
        addresses: [addressOf(ada)],
        deviceName: 'nobody',
        logger: silentLogger,
      },
      AbortSignal.timeout(1500),
    )
    await assert.rejects(asked, { name: 'TimeoutError' })
  })
})

function nothing() {
  return {
    get: (): Uint8Array[] => {
      throw new Error('it is not here')
    },
    has: async () => false,
    put: async (cid: CID) => cid,
  }
}
