import assert from 'node:assert/strict'
import {
  type Admission,
  admissionMessage,
  invitedMessage,
  RECOVERED_DOMAIN,
} from '../../../../src/chain/admissions.ts'
import { signRecord } from '../../../../src/chain/codec.ts'
import { type DeviceId, deviceIdOf, type UserId } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import type { SignedRecord, UnsignedRecord } from '../../../../src/chain/record.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { MAX_DEVICES_OF_USER } from '../../../../src/services/people/device-limit.ts'
import { createGate, type Gate } from '../../../../src/services/people/gate.ts'
import { createInviteBook } from '../../../../src/services/people/invite-book.ts'
import { createInvites } from '../../../../src/services/people/invites.ts'
import { createPairing } from '../../../../src/services/people/pairing.ts'
import {
  createPeopleIndex,
  type PeopleIndex,
} from '../../../../src/services/people/people-index.ts'
import {
  type ChainNode,
  createChainNode,
  handClock,
  seedOf,
  testParams,
} from '../../../helpers/chain-node.ts'

const params = testParams('ada')
const network = networkIdOf(params)
const keyOf = (name: string): Uint8Array => publicKeyOf('ed25519', seedOf(name))
const idOf = (name: string): DeviceId => deviceIdOf(keyOf(name))

describe('the number of devices of a user', () => {
  const clock = handClock(params.time + 1000)
  let ada: ChainNode
  let gate: Gate
  let index: PeopleIndex
  let user: UserId

  beforeEach(async () => {
    ada = createChainNode('ada', {
      params,
      clock,
      admits: (admission) => gate.limit.admits(admission),
    })
    const { store, events, device } = ada
    index = createPeopleIndex({ store, events })
    gate = createGate({ store, index, events, clock }, { params, device })
    await gate.start()
    await ada.join()
    clock.time += 5000
    await ada.mine()
    user = ada.chain.user ?? assert.fail('Ada is a user')
  })

  const addition = (name: string, by = 'ada'): SignedRecord => {
    const encryptionKey = publicKeyOf('x25519', seedOf(`${name} device encryption`))
    const admission: Admission = { network, user, device: idOf(name), encryptionKey }
    const signature =
      by === 'recovery'
        ? signEd25519(seedOf('ada recovery'), admissionMessage(admission, RECOVERED_DOMAIN))
        : signEd25519(seedOf(by), admissionMessage(admission))
    const proof =
      by === 'recovery'
        ? ({ type: 'recovery', signature } as const)
        : ({ type: 'device', device: keyOf(by), signature } as const)
    const unsigned = {
      network,
      user,
      type: 'device.add',
      device: idOf(name),
      sequence: 0,
      previous: null,
      seen: ada.store.tip().id,
      time: clock.now(),
      body: { name, encryptionKey, proof },
    } as UnsignedRecord
    return signRecord(unsigned, (message) => signEd25519(seedOf(name), message))
  }
  const take = async (record: SignedRecord): Promise<boolean> => {
    await ada.chain.acceptRecords([record.bytes], idOf('somebody'))
    return ada.store.hasRecord(record.id)
  }
  /** Fills it up; the thief's device, and what that lets in. */
  const fill = async (): Promise<SignedRecord> => {
    const stolen = addition('stolen')
    assert.ok(await take(stolen))
    for (let at = 2; at < MAX_DEVICES_OF_USER; at += 1) {
      assert.ok(await take(addition(`device ${at}`, 'stolen')), `device ${at}`)
    }
    return stolen
  }

  it('has a bound outside the chain: no further admission is kept, but one by the kit', async () => {
    const stolen = await fill()
    assert.equal(await take(addition('one more', 'stolen')), false)
    assert.equal(await take(addition('one more', 'ada')), false)
    assert.ok(await take(addition('came back', 'recovery')))
    // The same again, and another person's, are no further ones.
    assert.equal(gate.limit.hasRoom(user, idOf('device 5')), true)
    assert.equal(gate.limit.hasRoom(user), false)
    // With the stolen one goes what it let in and is in no block: there is room again.
    const body = {
      device: keyOf('stolen'),
      admission: stolen.id,
      through: { sequence: 0, record: stolen.id },
      reason: '',
    }
    await ada.publish({ type: 'device.revoke', body })
    assert.equal(gate.limit.hasRoom(user), true)
    assert.ok(await take(addition('the next one')))
  })

  it('nobody is vouched for beyond it, and no invite is made', async () => {
    const { store, events, chain, device } = ada
    const book = createInviteBook({ store, index, isProven: gate.isProven, clock })
    const addresses = () => [
      '/ip4/127.0.0.1/tcp/1/p2p/12D3KooWJWoaqZhDaoEFshF7Rh1bpY9ohihFhzcW6d69Lr2NASuq',
    ]
    const { limit } = gate
    const invites = createInvites(
      { store, index, book, limit, chain, clock, addresses },
      { network },
    )
    const invite = await ada.publish({
      type: 'invite',
      body: { key: keyOf('code'), role: 'member', ownDevice: true, expires: clock.now() + 60_000 },
    })
    const pairing = createPairing(
      {
        store,
        index,
        gate,
        book,
        signer: { device, sign: (message) => signEd25519(seedOf('ada'), message) },
        clock,
        accept: (record, from) => chain.acceptRecords([record], from),
        announce: () => {},
        addresses,
      },
      { params },
    )
    const sponsor = (name: string) => {
      const encryptionKey = publicKeyOf('x25519', seedOf(`${name} encryption`))
      const admission: Admission = { network, user, device: idOf(name), encryptionKey }
      const signature = signEd25519(seedOf('code'), invitedMessage(admission, invite.id))
      return pairing.sponsor(
        idOf('code'),
        { device: keyOf(name), encryptionKey, signature },
        events,
      )
    }
    assert.equal(typeof sponsor('phone'), 'object')
    await invites.create({ kind: 'device' })
    await fill()
    assert.equal(sponsor('phone'), 'TOO_MANY_DEVICES')
    for (const kind of ['device', 'backup-device'] as const) {
      await assert.rejects(invites.create({ kind }), { code: 'INVITE_DEVICES' })
    }
    await invites.create({ kind: 'member' })
  })
})
