import assert from 'node:assert/strict'
import {
  type Admission,
  admissionMessage,
  type InviteProof,
} from '../../../src/chain/admissions.ts'
import type { NetworkId, RecordId } from '../../../src/chain/ids.ts'
import { inclusionOf } from '../../../src/chain/mempool.ts'
import type { RecordBody, SignedRecord, Statement } from '../../../src/chain/record.ts'
import { isBackup, readDevice } from '../../../src/chain/state/devices.ts'
import { readInvite } from '../../../src/chain/state/invites.ts'
import { readReputation } from '../../../src/chain/state/reputation.ts'
import { readUser, readUserKeys } from '../../../src/chain/state/users.ts'
import { signEd25519 } from '../../../src/common/crypto.ts'
import { cidText, DAG_CBOR } from '../../../src/common/dag-cbor.ts'
import {
  device,
  deviceAdd,
  fileAdd,
  founded,
  join,
  keyPair,
  network,
  params,
  START,
  type TestDevice,
  type TestLedger,
  userCreate,
} from './network.ts'
import {
  type Answer,
  addDevice,
  byKit,
  claimsOf,
  deviceFor,
  invite,
  inviteCancel,
  invitedUser,
  proofOf,
  revokeDevice,
  throughLast,
  userKey,
  userOf,
} from './people.ts'

const closed = { ...params, admission: 'invite' } as const

/** An invite of the founder, in the chain of a network that admits nobody without. */
function withInvite(change: Partial<RecordBody<'invite'>> = {}): {
  admin: TestDevice
  chain: TestLedger
  invited: SignedRecord
  answer: Answer
} {
  const { admin, chain } = founded(closed)
  const invited = admin.say(invite('one', change))
  assert.equal(chain.outcome(invited), 'applied')
  return { admin, chain, invited, answer: { word: 'one', invite: invited.id, sponsor: admin } }
}

const fits = (chain: TestLedger, record: SignedRecord): string =>
  inclusionOf(chain.view, record, closed)

/** Neither for the mempool nor in a block. */
function refused(chain: TestLedger, record: SignedRecord, why: string): void {
  assert.equal(fits(chain, record), 'early', why)
  assert.throws(() => chain.block(record), { code: 'RECORD_NOT_INCLUDABLE' }, why)
}

function admitted(chain: TestLedger, record: SignedRecord): void {
  assert.equal(fits(chain, record), 'includable')
  assert.equal(chain.outcome(record), 'applied')
}

describe('admissions', () => {
  it('founder: only the founder’s device, who becomes an admin', () => {
    const { admin, chain } = founded(closed)
    assert.equal(readUser(chain.view, userOf(admin))?.role, 'admin')
    refused(chain, device('liar').say(userCreate('liar', { type: 'founder' })), 'not the founder')
  })

  it('open: where the network is', () => {
    const open = founded().chain
    const bob = join(open, 'bob')
    assert.equal(readUser(open.view, userOf(bob))?.role, 'member')
    refused(founded(closed).chain, device('bob').say(userCreate('bob')), 'the network is closed')
  })

  it('invite: a new user, in the role of the invite; once', () => {
    for (const role of ['member', 'backup', 'admin'] as const) {
      const { chain, answer, invited } = withInvite({ role })
      const [ann, bob] = [device('ann'), device('bob')]
      const second = bob.say(invitedUser(bob, 'bob', answer))
      admitted(chain, ann.say(invitedUser(ann, 'ann', answer)))
      assert.equal(readUser(chain.view, userOf(ann))?.role, role)
      assert.equal(readInvite(chain.view, invited.id)?.used, true)
      const state = readDevice(chain.view, ann.id) ?? assert.fail()
      assert.equal(isBackup(chain.view, ann.id, state), role === 'backup')
      refused(chain, second, 'used')
    }
  })

  it('invite: in an open network too, where it gives the role', () => {
    const { admin, chain } = founded()
    const invited = admin.say(invite('one', { role: 'admin' }))
    chain.block(invited)
    const ann = device('ann')
    const answer = { word: 'one', invite: invited.id, sponsor: admin }
    chain.block(ann.say(invitedUser(ann, 'ann', answer)))
    assert.equal(readUser(chain.view, userOf(ann))?.role, 'admin')
  })

  it('invite: another device of the one who invited, also one that only stores', () => {
    for (const role of ['member', 'backup'] as const) {
      const { admin, chain, answer } = withInvite({ ownDevice: true, role })
      const box = device('box')
      const user = userOf(admin)
      admitted(chain, box.say(deviceFor(box, user, (admission) => proofOf(admission, answer))))
      const state = readDevice(chain.view, box.id) ?? assert.fail()
      assert.equal(state.user, user)
      assert.equal(isBackup(chain.view, box.id, state), role === 'backup')
      assert.equal(
        chain.outcome(box.say(fileAdd('a'))),
        role === 'backup' ? 'BACKUP_ROLE' : 'applied',
      )
      assert.equal(chain.outcome(admin.say(fileAdd('a'))), 'applied', 'the user is what it was')
    }
  })

  it('invite: any member’s device may answer it', () => {
    const { admin, chain, answer, invited } = withInvite()
    const ann = device('ann')
    admitted(chain, ann.say(invitedUser(ann, 'ann', answer)))
    const next = admin.say(invite('two'))
    chain.block(next)
    const bob = device('bob')
    admitted(
      chain,
      bob.say(invitedUser(bob, 'bob', { word: 'two', invite: next.id, sponsor: ann })),
    )
    assert.equal(readInvite(chain.view, invited.id)?.issuer, userOf(admin))
  })

  it('invite: expires by the time of the sponsor, not of the block', () => {
    const expires = START + 1
    const { chain, answer } = withInvite({ expires })
    for (let blocks = 0; blocks < 5; blocks++) chain.block()
    const ann = device('ann')
    refused(chain, ann.say(invitedUser(ann, 'ann', { ...answer, time: expires + 1 }), {}), 'late')
    admitted(chain, ann.say(invitedUser(ann, 'ann', { ...answer, time: expires })))
  })

  it('invite: not when cancelled, rejected, still pending or none at all', () => {
    const { admin, chain, answer, invited } = withInvite()
    chain.block(admin.say(inviteCancel(invited.id)))
    const ann = device('ann')
    refused(chain, ann.say(invitedUser(ann, 'ann', answer), {}), 'cancelled')
    const file = admin.say(fileAdd('a'))
    chain.block(file)
    const none = { ...answer, invite: file.id }
    refused(chain, ann.say(invitedUser(ann, 'ann', none), {}), 'no invite')

    const second = withInvite()
    admitted(second.chain, ann.say(invitedUser(ann, 'ann', second.answer)))
    const tooMuch = ann.say(invite('two', { role: 'admin' }))
    assert.equal(second.chain.outcome(tooMuch), 'NOT_AN_ADMIN')
    const bob = device('bob')
    const rejected = { word: 'two', invite: tooMuch.id, sponsor: ann }
    refused(second.chain, bob.say(invitedUser(bob, 'bob', rejected), {}), 'the invite was rejected')

    const pending = ann.say(invite('three'))
    const early = bob.say(
      invitedUser(bob, 'bob', { ...rejected, word: 'three', invite: pending.id }),
    )
    refused(second.chain, early, 'the invite is not in the chain')
    second.chain.block(pending, early)
    assert.notEqual(readUser(second.chain.view, userOf(bob)), undefined)
  })

  it('invite: of the wrong kind, or another user’s', () => {
    const member = withInvite()
    const box = device('box')
    const forDevice = deviceFor(box, userOf(member.admin), (made) => proofOf(made, member.answer))
    refused(member.chain, box.say(forDevice), 'an invite of a new user')

    const own = withInvite({ ownDevice: true })
    const ann = device('ann')
    refused(own.chain, ann.say(invitedUser(ann, 'ann', own.answer), {}), 'an invite of a device')
    const next = own.admin.say(invite('two'))
    const answer = { word: 'two', invite: next.id, sponsor: own.admin }
    own.chain.block(next, ann.say(invitedUser(ann, 'ann', answer)))
    const thief = device('thief')
    const stolen = deviceFor(thief, userOf(ann), (made) => proofOf(made, own.answer))
    refused(own.chain, thief.say(stolen), 'not the user who invited')
  })

  it('invite: a sponsor that is a stranger, revoked, or only stores', () => {
    const { admin, chain, answer } = withInvite()
    const phone = addDevice(chain, admin, 'phone')
    const target = { device: phone, admission: phone.previous ?? assert.fail() }
    const backup = admin.say(invite('box', { role: 'backup' }))
    chain.block(backup)
    const box = device('box')
    const asBackup = { word: 'box', invite: backup.id, sponsor: admin }
    chain.block(box.say(invitedUser(box, 'box', asBackup)))
    const ann = device('ann')
    const by = (sponsor: TestDevice): SignedRecord =>
      ann.say(invitedUser(ann, 'ann', { ...answer, sponsor }), {})
    assert.equal(fits(chain, by(phone)), 'includable')
    chain.block(admin.say(revokeDevice(target, throughLast(phone))))
    refused(chain, by(phone), 'revoked')
    refused(chain, by(box), 'a backup device')
    refused(chain, by(ann), 'itself')
    refused(chain, by(device('stranger')), 'a stranger')
    admitted(chain, by(admin))
  })

  it('invite: every claim is signed by both', () => {
    const { admin, chain, answer } = withInvite()
    const ann = device('ann')
    const good = claimsOf(ann, userCreate('ann'))
    const { key: other } = keyPair('another')
    const keys = good.userKeys ?? assert.fail()
    const altered: Admission[] = [
      { ...good, network: cidText(DAG_CBOR, new Uint8Array(32)) as NetworkId },
      { ...good, device: device('another').id },
      { ...good, encryptionKey: other },
      { ...good, user: userOf(admin) },
      { ...good, userKeys: { ...keys, userKey: other } },
      { ...good, userKeys: { ...keys, recoveryKey: other } },
      { ...good, userKeys: { ...keys, restoreKey: other } },
    ]
    const say = (proof: InviteProof): SignedRecord => ann.say(userCreate('ann', proof), {})
    const fine = proofOf(good, answer)
    for (const claims of altered) {
      const { signature, countersignature } = proofOf(claims, answer)
      refused(chain, say({ ...fine, signature }), 'the invite signed other claims')
      refused(chain, say({ ...fine, countersignature }), 'the sponsor signed other claims')
    }
    // Of another invite, another time, by another key, each other's.
    const elsewhere = proofOf(good, { ...answer, invite: admin.previous as RecordId, word: 'two' })
    const later = proofOf(good, { ...answer, time: START + 1 })
    for (const wrong of [
      { signature: elsewhere.signature },
      { time: START + 1 },
      { countersignature: later.countersignature },
      { sponsor: admin.key, countersignature: fine.signature },
      { signature: fine.countersignature },
      { signature: new Uint8Array(64) },
    ]) {
      refused(chain, say({ ...fine, ...wrong }), Object.keys(wrong).join())
    }
    // Asked again, the answer is the same; and names are not claimed.
    const forged = say({ ...fine, signature: new Uint8Array(64) })
    refused(chain, forged, 'again')
    const renamed = userCreate('Ann B.', fine)
    const body = { ...userCreate('ann', fine).body, name: 'Ann B.' }
    admitted(chain, ann.say({ ...renamed, body } as never))
  })

  it('device: by an active device of the same user, over these claims', () => {
    const { admin, chain } = founded()
    const [bob, phone] = [join(chain, 'bob'), addDevice(chain, admin, 'phone')]
    const target = { device: phone, admission: phone.previous ?? assert.fail() }
    const tablet = device('tablet')
    const user = userOf(admin)
    const sponsored = (by: TestDevice, change: Partial<Admission> = {}): SignedRecord =>
      tablet.say(
        deviceFor(tablet, user, (claims) => ({
          type: 'device',
          device: by.key,
          signature: signEd25519(by.seed, admissionMessage({ ...claims, ...change })),
        })),
        {},
      )
    refused(chain, sponsored(bob), 'another user’s device')
    refused(chain, sponsored(tablet), 'itself')
    refused(chain, sponsored(phone, { device: bob.id }), 'for another device')
    refused(chain, sponsored(phone, { user: userOf(bob) }), 'for another user')
    refused(chain, sponsored(phone, { encryptionKey: bob.key }), 'for another key')
    const pending = sponsored(phone)
    assert.equal(fits(chain, pending), 'includable')
    chain.block(admin.say(revokeDevice(target, throughLast(phone))))
    refused(chain, pending, 'the sponsor was revoked')
    const good = sponsored(admin)
    admitted(chain, good)
    assert.equal(fits(chain, good), 'confirmed')
    assert.throws(() => chain.block(good), { code: 'RECORD_NOT_INCLUDABLE' })
    // A revoked device does not come back by another proof.
    const again = phone.say(deviceAdd(admin, phone), { sequence: 0, previous: null })
    assert.throws(() => chain.block(again), { code: 'RECORD_NOT_INCLUDABLE' })
  })

  it('device: a backup device adds none', () => {
    const { admin, chain, answer } = withInvite({ ownDevice: true, role: 'backup' })
    const box = device('box')
    chain.block(box.say(deviceFor(box, userOf(admin), (claims) => proofOf(claims, answer))))
    const tablet = device('tablet')
    refused(chain, tablet.say(deviceAdd(box, tablet)), 'a backup device')
    assert.throws(() => chain.outcome(tablet.say(fileAdd('a'))))
  })

  it('recovery and restore: each by its own key and domain, for this user', () => {
    const { admin, chain } = founded(closed)
    const user = userOf(admin)
    const [one, two] = [device('one'), device('two')]
    const claims = (kit: string, says: 'recovery' | 'restore', as = says): SignedRecord => {
      const statement = byKit(one, user, kit, says)
      const { body } = statement as { body: RecordBody<'device.add'> }
      if (!('signature' in body.proof)) assert.fail()
      const proof = { type: as, signature: body.proof.signature }
      return one.say({ ...statement, body: { ...body, proof } } as never, {})
    }
    refused(chain, claims('bob', 'recovery'), 'another kit')
    refused(chain, claims('bob', 'restore'), 'another backup')
    // The same key, so that only the domain tells them apart.
    refused(chain, claims('founder', 'restore', 'recovery'), 'the other domain')
    refused(chain, claims('founder', 'recovery', 'restore'), 'the other domain')
    const recovered = one.say(byKit(one, user, 'founder'))
    admitted(chain, recovered)
    admitted(chain, two.say(byKit(two, user, 'founder', 'restore')))
    // Only the kit makes a device that others cannot shut out.
    const revoke = (of: TestDevice): string => {
      const target = { device: of, admission: of.previous ?? assert.fail() }
      return chain.outcome(admin.say(revokeDevice(target, throughLast(of))))
    }
    assert.deepEqual([revoke(one), revoke(two)], ['DEVICE_RECOVERED', 'applied'])
    const thief = device('thief')
    const copied = { ...byKit(thief, user, 'nobody'), body: recovered.body } as Statement
    refused(chain, thief.say(copied), 'a signature for another device')
  })

  it('reputation starts at 1.0 where people are invited, at 0.1 where anybody comes', () => {
    const { admin, chain } = founded(closed)
    const user = userOf(admin)
    assert.equal(readReputation(chain.view, closed, user), 1_000)
    assert.equal(readReputation(chain.view, { ...closed, admission: 'open' }, user), 100)
  })

  it('user keys stand in the order of the chain, those of concurrent devices too', () => {
    const { admin, chain } = founded()
    const phone = addDevice(chain, admin, 'phone')
    const keys = [phone.say(userKey('b')), admin.say(userKey('a')), phone.say(userKey('c'))]
    chain.block(...keys)
    const [first, ...later] = readUserKeys(chain.view, userOf(admin))
    assert.deepEqual(first, keyPair('founder other').key)
    assert.deepEqual(
      later,
      ['b', 'a', 'c'].map((word) => keyPair(`user key ${word}`).key),
    )
    assert.equal(network, keys[0]?.network)
  })
})
