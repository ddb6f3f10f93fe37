import assert from 'node:assert/strict'
import { join } from 'node:path'
import {
  admissionMessage,
  RECOVERED_DOMAIN,
  RESTORED_DOMAIN,
} from '../../../src/chain/admissions.ts'
import { signRecord } from '../../../src/chain/codec.ts'
import { deviceIdOf, type NetworkId, type UserId } from '../../../src/chain/ids.ts'
import type { SignedRecord, UnsignedRecord } from '../../../src/chain/record.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { publicKeyOf, signEd25519 } from '../../../src/common/crypto.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { pairWithMember } from '../../../src/network/pair/client.ts'
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

describe('a device that was restored', function () {
  this.timeout(60_000)
  let people: PeopleNetwork
  let ada: CairnNode
  let restoreKey: Uint8Array
  const seed = seedOf('restored')
  const device = deviceIdOf(publicKeyOf('ed25519', seed))

  beforeEach(async () => {
    people = await createPeopleNetwork()
    ada = await people.start('Ada')
    await settled(ada)
    restoreKey = openKeystore({
      path: join(people.dirOf('Ada'), 'keys'),
      randomBytes: systemClock.randomBytes,
      logger: silentLogger,
    }).require('restore')
  })
  afterEach(() => people.end())

  const admission = (type: 'restore' | 'recovery'): SignedRecord => {
    const network = ada.identity.network as NetworkId
    const user = ada.identity.user as UserId
    const encryptionKey = publicKeyOf('x25519', seedOf('restored encryption'))
    const domain = type === 'restore' ? RESTORED_DOMAIN : RECOVERED_DOMAIN
    const message = admissionMessage({ network, user, device, encryptionKey }, domain)
    const signature = signEd25519(restoreKey, message)
    return signRecord(
      {
        type: 'device.add',
        network,
        user,
        device,
        sequence: 0,
        previous: null,
        seen: ada.chain.summary().tip,
        time: Date.now(),
        body: { name: 'host', encryptionKey, proof: { type, signature } },
      } as UnsignedRecord,
      (bytes) => signEd25519(seed, bytes),
    )
  }
  const handIn = (keySeed: Uint8Array, record: SignedRecord, ms = WAIT_MS) => {
    const whys: string[] = []
    const paired = pairWithMember(
      { keySeed, clock: systemClock, logger: silentLogger },
      {
        addresses: [addressOf(ada)],
        onWait: (failures) => void whys.push(...failures.map(({ why }) => why)),
      },
      (member) => member.admission(record.bytes),
      AbortSignal.timeout(ms),
    )
    return paired.catch((error: unknown) => {
      throw whys.length > 0 ? new Error(whys.join()) : error
    })
  }
  const isIn = (): boolean => ada.members.devices().some((one) => one.device === device)

  it('is let in with the restore key, without anybody', async () => {
    const { addresses } = await handIn(restoreKey, admission('restore'))
    assert.ok(addresses.length > 0)
    await until(isIn, 'Ada has the device', WAIT_MS)
  })

  it('is not let in when the restore key speaks as the recovery key', async () => {
    await assert.rejects(handIn(restoreKey, admission('recovery'), 2000), /NOT_VALID/)
    assert.equal(isIn(), false)
  })

  it('is not let in with any other key', async () => {
    await assert.rejects(handIn(seedOf('somebody'), admission('restore'), 2000), /UNREACHABLE/)
    assert.equal(isIn(), false)
  })
})
