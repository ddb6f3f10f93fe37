import assert from 'node:assert/strict'
import { cp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { recoverUser } from '../../../src/node/joining.ts'
import { isCopy, recoverCopy } from '../../../src/node/joining-copy.ts'
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

describe('recovery in a copy of a data directory', function () {
  this.timeout(60_000)
  let people: PeopleNetwork
  let entropy: Uint8Array
  let user: string | null
  let lost: string
  let ben: CairnNode

  before(async () => {
    people = await createPeopleNetwork()
    const ada = await people.start('Ada')
    const { code } = await ada.invites.create({ kind: 'member' })
    await people.join('Ben', code)
    ben = await people.start('Ben')
    await settled(ada, ben)
    const source = (async function* () {
      yield Buffer.from('only for Ada')
    })()
    await ada.files.add(source, { name: 'a.txt' }, { signal: AbortSignal.timeout(WAIT_MS) })
    user = ada.identity.user
    lost = ada.identity.device
    await people.stop(ada)
    const path = join(people.dirOf('Ada'), 'keys')
    const { randomBytes } = systemClock
    entropy = openKeystore({ path, randomBytes, logger: silentLogger }).require('recovery')
  })
  after(() => people.end())

  const copied = async (name: string): Promise<string> => {
    const dataDir = people.dirOf(name)
    await cp(people.dirOf('Ada'), dataDir, { recursive: true })
    return dataDir
  }
  const recover = (dataDir: string, addresses: string[], secret = entropy) =>
    recoverCopy(
      {
        dataDir,
        entropy: secret,
        addresses,
        deviceName: 'new laptop',
        logger: silentLogger,
        aloneMs: 500,
      },
      AbortSignal.timeout(WAIT_MS),
    )
  const readsItsFile = async (node: CairnNode): Promise<void> => {
    await until(() => node.files.list({ limit: 9 }).items[0]?.name === 'a.txt', 'the name', WAIT_MS)
    const parts: Uint8Array[] = []
    const { file } = node.files.find('a.txt')
    for await (const part of node.files.read(file, {}, AbortSignal.timeout(WAIT_MS))) {
      parts.push(part)
    }
    assert.equal(Buffer.concat(parts).toString(), 'only for Ada')
  }

  it('the kit of somebody else changes nothing', async () => {
    const dataDir = await copied('not mine')
    await assert.rejects(recover(dataDir, [addressOf(ben)], seedOf('nobody')), {
      code: 'RECOVERY_OTHER',
    })
    const node = await people.start('not mine')
    assert.equal(node.identity.device, lost)
    await people.stop(node)
  })

  it('a member takes the new device in', async () => {
    const dataDir = await copied('with Ben')
    assert.equal(isCopy(dataDir), true)
    const joined = await recover(dataDir, [addressOf(ben)])
    assert.deepEqual([joined.user, joined.alone], [user, false])
    assert.notEqual(joined.device, lost)
    const node = await people.start('with Ben')
    await settled(ben, node)
    await readsItsFile(node)
    await people.stop(node)
  })

  it('killed between its way in and its first start, it is told to start', async () => {
    const dataDir = people.dirOf('empty')
    const how = { dataDir, entropy, deviceName: 'empty', logger: silentLogger }
    const signal = AbortSignal.timeout(WAIT_MS)
    const joined = await recoverUser({ ...how, addresses: [addressOf(ben)] }, signal)
    assert.equal(isCopy(dataDir), true)
    await assert.rejects(recover(dataDir, [addressOf(ben)]), {
      code: 'JOIN_DIRECTORY',
      message: /cairn start/,
    })
    const node = await people.start('empty')
    assert.equal(node.identity.device, joined.device)
    await settled(ben, node)
    await readsItsFile(node)
    // Whoever came back with the words has them.
    assert.equal(node.recovery.tested, true)
    await people.stop(node)
  })

  it('also without any other device, and after a kill between its steps', async () => {
    const dataDir = await copied('alone')
    await writeFile(join(dataDir, 'peers.json'), '[]')
    const first = await recover(dataDir, [])
    assert.deepEqual([first.user, first.alone], [user, true])
    assert.notEqual(first.device, lost)
    const node = await people.start('alone')
    assert.equal(node.identity.device, first.device)
    await until(() => !!node.members.devices().find(({ self, active }) => self && active), 'stands')
    await readsItsFile(node)
    await people.stop(node)

    const killed = await copied('killed')
    await writeFile(join(killed, 'peers.json'), '[]')
    // Where nobody answers and the signal ends it, as a kill does: half of it is done.
    const half = recoverCopy(
      {
        dataDir: killed,
        entropy,
        addresses: ['/ip4/127.0.0.1/tcp/1'],
        deviceName: 'x',
        logger: silentLogger,
      },
      AbortSignal.timeout(300),
    )
    await assert.rejects(half)
    await assert.rejects(people.start('killed'), { code: 'JOIN_UNFINISHED' })
    assert.equal((await recover(killed, [])).alone, true)
    const again = await people.start('killed')
    await readsItsFile(again)
  })
})
