import assert from 'node:assert/strict'
import {
  type Admission,
  admissionMessage,
  invitedMessage,
  sponsoredMessage,
} from '../../../../src/chain/admissions.ts'
import { signRecord } from '../../../../src/chain/codec.ts'
import { type DeviceId, deviceIdOf, type RecordId, type UserId } from '../../../../src/chain/ids.ts'
import { type NetworkParams, networkIdOf } from '../../../../src/chain/params.ts'
import type { SignedRecord, Statement, UnsignedRecord } from '../../../../src/chain/record.ts'
import { readDevice, revocationMessage } from '../../../../src/chain/state/devices.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { createGate, type Gate } from '../../../../src/services/people/gate.ts'
import { createPeopleIndex } from '../../../../src/services/people/people-index.ts'
import {
  type ChainNode,
  createChainNode,
  handClock,
  seedOf,
  testParams,
} from '../../../helpers/chain-node.ts'

const params: NetworkParams = { ...testParams('ada'), admission: 'invite' }
const network = networkIdOf(params)
const DAY_MS = 24 * 60 * 60_000

const keyOf = (name: string): Uint8Array => publicKeyOf('ed25519', seedOf(name))
const idOf = (name: string): DeviceId => deviceIdOf(keyOf(name))
const encryptionKeyOf = (name: string): Uint8Array =>
  publicKeyOf('x25519', seedOf(`${name} device encryption`))

describe('gate', () => {
  let clock: ReturnType<typeof handClock>
  let ada: ChainNode
  let gate: Gate
  let changes = 0

  const gateOf = async (node: ChainNode, kept = node.store.projections): Promise<Gate> => {
    const { store, events } = node
    const record = store.record
    const index = createPeopleIndex({ store: { record, projections: kept }, events })
    const made = createGate({ store, index, events, clock }, { params, device: node.device })
    made.onChange(() => {
      changes += 1
    })
    await made.start()
    return made
  }
  beforeEach(async () => {
    clock = handClock(params.time + 1000)
    ada = createChainNode('ada', { params, clock })
    await ada.join()
    await mine(ada)
    gate = await gateOf(ada)
    changes = 0
  })
  const mine = async (node: ChainNode): Promise<void> => {
    clock.time += 5000
    assert.ok(await node.mine())
  }

  /** Gives all blocks of one to another. */
  const copy = async (from: ChainNode, to: ChainNode): Promise<void> => {
    for (let height = 1; height <= from.store.tip().height; height += 1) {
      const id = from.store.idAt(height)
      const header = id && from.store.headerBytes(id)
      const body = id && from.store.body(id)
      assert.ok(header && body)
      await to.chain.acceptBlock(header, body, from.device)
    }
  }

  const signed = (name: string, parts: Partial<UnsignedRecord>): SignedRecord => {
    const unsigned = {
      network,
      device: idOf(name),
      sequence: 0,
      previous: null,
      seen: ada.store.tip().id,
      time: clock.now(),
      ...parts,
    } as UnsignedRecord
    return signRecord(unsigned, (message) => signEd25519(seedOf(name), message))
  }
  const take = (record: SignedRecord): Promise<unknown> =>
    ada.chain.acceptRecords([record.bytes], idOf('somebody'))

  const userOf = (node: ChainNode): UserId => {
    assert.ok(node.chain.user)
    return node.chain.user
  }
  /** `device.add` for Ada's user, countersigned by the device `by`. */
  const addition = (name: string, by = 'ada', signer = by): SignedRecord => {
    const user = userOf(ada)
    const encryptionKey = encryptionKeyOf(name)
    const message = admissionMessage({ network, user, device: idOf(name), encryptionKey })
    const signature = signEd25519(seedOf(signer), message)
    const proof = { type: 'device', device: keyOf(by), signature } as const
    return signed(name, { type: 'device.add', user, body: { name, encryptionKey, proof } })
  }
  const invite = (
    name: string,
    expires: number,
    role: 'member' | 'backup' = 'member',
  ): Statement => ({
    type: 'invite',
    body: { key: keyOf(name), role, ownDevice: false, expires },
  })
  /** `user.create` under an invite, vouched for by the device `by`. */
  const person = (
    name: string,
    under: { id: RecordId; by: string; sponsor?: string },
  ): SignedRecord => {
    const device = idOf(name)
    const encryptionKey = encryptionKeyOf(name)
    const userKey = publicKeyOf('x25519', seedOf(`${name} user`))
    const recoveryKey = keyOf(`${name} recovery`)
    const userKeys = { userKey, recoveryKey, restoreKey: userKey }
    const admission: Admission = { network, user: null, device, encryptionKey, userKeys }
    const time = clock.now()
    const sponsor = under.sponsor ?? 'ada'
    const proof = {
      type: 'invite',
      invite: under.id,
      signature: signEd25519(seedOf(under.by), invitedMessage(admission, under.id)),
      sponsor: keyOf(sponsor),
      time,
      countersignature: signEd25519(seedOf(sponsor), sponsoredMessage(admission, under.id, time)),
    } as const
    const body = { name, deviceName: name, encryptionKey, ...userKeys, proof }
    return signed(name, { type: 'user.create', user: null, body })
  }
  const revocation = (
    by: { name: string; sequence: number; previous: RecordId; user: UserId },
    of: { name: string; admission: RecordId; sequence?: number },
    recovery?: Uint8Array,
  ): SignedRecord => {
    const about = {
      device: keyOf(of.name),
      admission: of.admission,
      through: { sequence: of.sequence ?? 0, record: of.admission },
    }
    const signature = recovery && signEd25519(recovery, revocationMessage(network, about))
    return signed(by.name, {
      type: 'device.revoke',
      user: by.user,
      sequence: by.sequence,
      previous: by.previous,
      body: { ...about, reason: 'lost', ...(signature && { recovery: signature }) },
    })
  }

  it('lets in the founder and devices of the chain, and nobody else', async () => {
    await take(addition('phone'))
    await mine(ada)
    for (const name of ['ada', 'phone']) assert.ok(gate.admit(idOf(name)), name)
    assert.equal(gate.admit(idOf('stranger')), false)
    assert.equal(gate.admit(idOf('stranger'), true), false)
  })

  it('lets in who is pending, when the proof holds', async () => {
    await take(addition('phone'))
    assert.ok(gate.isMember(idOf('phone')))
    assert.equal(gate.userOf(idOf('phone')), userOf(ada))
    await take(addition('forged', 'ada', 'mallory'))
    assert.equal(gate.admit(idOf('forged')), false)
    await take(addition('vouched by a stranger', 'mallory'))
    assert.equal(gate.admit(idOf('vouched by a stranger')), false)
  })

  it('counts on pending records that a pending one rests on', async () => {
    const { identity } = await ada.publish(invite('code', clock.now() + DAY_MS))
    await take(person('ben', { id: identity, by: 'code' }))
    assert.ok(gate.isMember(idOf('ben')))
    await take(addition('phone'))
    const second = await ada.publish(invite('code 2', clock.now() + DAY_MS))
    await take(person('cleo', { id: second.identity, by: 'code 2', sponsor: 'phone' }))
    assert.ok(gate.isMember(idOf('cleo')))
    await take(person('eve', { id: second.identity, by: 'another code' }))
    assert.equal(gate.admit(idOf('eve')), false)
    await take(person('mallory', { id: second.identity, by: 'code 2', sponsor: 'mallory' }))
    assert.equal(gate.admit(idOf('mallory')), false)
  })

  it('keys of invites and recovery keys may pair, no more', async () => {
    const expires = clock.now() + DAY_MS
    await ada.publish(invite('code', expires))
    for (const name of ['code', 'ada recovery']) {
      assert.ok(gate.admit(idOf(name)), name)
      assert.ok(gate.allows(idOf(name), 'pair'))
      assert.equal(gate.allows(idOf(name), 'member'), false)
      assert.equal(gate.isMember(idOf(name)), false)
    }
    clock.time = expires + 6 * DAY_MS
    assert.ok(gate.admit(idOf('code')), 'it is told that it is too late')
    clock.time = expires + 8 * DAY_MS
    assert.equal(gate.admit(idOf('code')), false)
    assert.equal(gate.admit(idOf('another code')), false)
  })

  const revoked = async (of: SignedRecord): Promise<void> => {
    const last = ada.store.newestOf(ada.device)?.record
    assert.ok(last)
    const { id: previous, sequence } = last
    const by = { name: 'ada', sequence: sequence + 1, previous, user: userOf(ada) }
    await take(revocation(by, { name: 'phone', admission: of.id }))
  }

  it('a revoked device is out as soon as it is said, also a pending one', async () => {
    const phone = addition('phone')
    await take(phone)
    changes = 0
    await revoked(phone)
    assert.equal(gate.admit(idOf('phone')), false)
    assert.equal(gate.admit(idOf('phone'), true), false)
    assert.ok(gate.isRevoked(idOf('phone')))
    assert.ok(changes > 0, 'whoever is connected is looked at again')
  })

  it('and stays out when another branch becomes the best, and after a restart', async () => {
    const phone = addition('phone')
    await take(phone)
    await mine(ada)
    const other = createChainNode('ada', { params, clock })
    await copy(ada, other)
    await revoked(phone)
    await mine(ada)
    assert.equal(readDevice(ada.store.state, idOf('phone'))?.active, false)
    // Without the revocation, and longer.
    for (const expires of [1, 2]) {
      await other.publish(invite(`other ${expires}`, clock.now() + expires))
      await mine(other)
    }
    await copy(other, ada)
    assert.equal(ada.store.tip().id, other.store.tip().id)
    assert.equal(readDevice(ada.store.state, idOf('phone'))?.active, true)
    assert.equal(gate.admit(idOf('phone')), false)
    await gate.stop()
    // The record may have been evicted.
    const { projections } = ada.store
    const kept = { ...projections, peopleRecords: () => [] }
    assert.equal((await gateOf(ada, kept)).admit(idOf('phone')), false)
  })

  it('is out also when only a branch that lost says so', async () => {
    const phone = addition('phone')
    const tablet = addition('tablet')
    await take(phone)
    await take(tablet)
    await mine(ada)
    const other = createChainNode('ada', { params, clock })
    await copy(ada, other)
    // Not this device's own: that it would say again.
    const by = { name: 'tablet', sequence: 1, previous: tablet.id, user: userOf(ada) }
    const revoke = revocation(by, { name: 'phone', admission: phone.id })
    await other.chain.acceptRecords([revoke.bytes], ada.device)
    await mine(other)
    for (const expires of [1, 2]) {
      await ada.publish(invite(`here ${expires}`, clock.now() + expires))
      await mine(ada)
    }
    const { id } = ada.store.tip()
    assert.ok(gate.admit(idOf('phone')))
    await copy(other, ada)
    assert.equal(ada.store.tip().id, id)
    assert.equal(gate.admit(idOf('phone')), false)
  })

  it('another person, or a device that is out, shuts nobody out', async () => {
    const phone = addition('phone')
    const { identity } = await ada.publish(invite('code', clock.now() + DAY_MS))
    const ben = person('ben', { id: identity, by: 'code' })
    await take(phone)
    await take(ben)
    const byBen = { name: 'ben', sequence: 1, previous: ben.id, user: ben.id }
    await take(revocation(byBen, { name: 'phone', admission: phone.id }))
    assert.ok(gate.isMember(idOf('phone')))
    await revoked(phone)
    await mine(ada)
    const byPhone = { name: 'phone', sequence: 1, previous: phone.id, user: userOf(ada) }
    await take(revocation(byPhone, { name: 'ada', admission: userOf(ada) }))
    assert.ok(gate.isMember(idOf('ada')))
  })

  it('the recovery key shuts out whom it names', async () => {
    const phone = addition('phone')
    await take(phone)
    const { identity } = await ada.publish(invite('code', clock.now() + DAY_MS))
    const ben = person('ben', { id: identity, by: 'code' })
    await take(ben)
    const by = { name: 'phone', sequence: 1, previous: phone.id, user: userOf(ada) }
    const admission = userOf(ada)
    await take(revocation(by, { name: 'ada', admission }, seedOf('ben recovery')))
    assert.equal(gate.isRevoked(idOf('ada')), false)
    const again = { ...by, sequence: 2, previous: (await newest('phone')).id }
    await take(revocation(again, { name: 'ada', admission }, seedOf('ada recovery')))
    assert.ok(gate.isRevoked(idOf('ada')))
  })
  const newest = async (name: string): Promise<SignedRecord> => {
    const record = ada.store.newestOf(idOf(name))?.record
    assert.ok(record)
    return record
  }

  it('a node without a chain lets in whom it dials, until it has one', async () => {
    const fresh = createChainNode('phone', { params, clock })
    const its = await gateOf(fresh)
    assert.equal(its.admit(idOf('member')), false)
    assert.ok(its.admit(idOf('member'), true))
    assert.ok(its.isMember(idOf('member')))
    await take(addition('phone'))
    await mine(ada)
    await copy(ada, fresh)
    assert.equal(its.admit(idOf('member'), true), false)
    assert.ok(its.admit(ada.device))
  })

  it('in an open network everybody is let in who is not revoked', async () => {
    const open: NetworkParams = { ...testParams('ada'), admission: 'open' }
    const node = createChainNode('ada', { params: open, clock })
    const { store, events } = node
    const index = createPeopleIndex({ store, events })
    const its = createGate({ store, index, events, clock }, { params: open, device: node.device })
    await its.start()
    assert.ok(its.isMember(idOf('anybody')))
  })
})
