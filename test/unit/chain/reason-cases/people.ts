/** One check for each reason code that is about people, devices and invites. */
import assert from 'node:assert/strict'
import { readDevice, readRevocation } from '../../../../src/chain/state/devices.ts'
import { readInvite } from '../../../../src/chain/state/invites.ts'
import { MAX_USER_KEYS, readUserKeys } from '../../../../src/chain/state/users.ts'
import {
  device,
  deviceAdd,
  fileAdd,
  founded,
  join,
  keyPair,
  type TestDevice,
  type TestLedger,
} from '../network.ts'
import {
  addDevice,
  byKit,
  deviceName,
  grant,
  holderAdd,
  invite,
  inviteCancel,
  invitedUser,
  keyCopy,
  legacyImport,
  privateAdd,
  revokeDevice,
  type Target,
  throughLast,
  userKey,
  userOf,
} from '../people.ts'

const named = (of: TestDevice): Target => ({ device: of, admission: of.previous ?? assert.fail() })

/** The founder with a phone; `target` is the phone. */
function withPhone(): {
  admin: TestDevice
  chain: TestLedger
  phone: TestDevice
  target: Target
} {
  const { admin, chain } = founded()
  const phone = addDevice(chain, admin, 'phone')
  return { admin, chain, phone, target: named(phone) }
}

export const peopleCases = {
  BACKUP_ROLE: () => {
    const { admin, chain } = founded()
    const invited = admin.say(invite('box', { role: 'backup' }))
    chain.block(invited)
    const box = device('box')
    const answer = { word: 'box', invite: invited.id, sponsor: admin }
    chain.block(box.say(invitedUser(box, 'box', answer)))
    const target = named(box)
    const file = admin.say(privateAdd('secret'))
    chain.block(file)
    for (const statement of [fileAdd('a'), userKey('a'), invite('a'), deviceName(target)]) {
      assert.equal(chain.outcome(box.say(statement)), 'BACKUP_ROLE')
    }
    assert.equal(chain.outcome(admin.say(grant(file.id, userOf(box)))), 'BACKUP_ROLE')
    assert.equal(chain.outcome(admin.say(holderAdd(file.id, target))), 'BACKUP_ROLE')
  },
  NOT_A_DEVICE: () => {
    const { admin, chain } = founded()
    const stranger = device('stranger')
    const file = admin.say(privateAdd('secret'))
    const other = admin.say(fileAdd('a'))
    chain.block(file, other)
    const target = { device: stranger, admission: other.id }
    const through = { sequence: 0, record: other.id }
    for (const statement of [
      deviceName(target),
      revokeDevice(target, through),
      revokeDevice(target, through, 'founder'),
      holderAdd(file.id, target),
    ]) {
      assert.equal(chain.outcome(admin.say(statement)), 'NOT_A_DEVICE')
    }
  },
  NOT_A_USER: () => {
    const { admin, chain } = founded()
    const file = admin.say(privateAdd('secret'))
    chain.block(file)
    assert.equal(chain.outcome(admin.say(grant(file.id, file.id))), 'NOT_A_USER')
    // A second device's admission makes no user.
    const phone = addDevice(chain, admin, 'phone')
    assert.equal(chain.outcome(admin.say(grant(file.id, named(phone).admission))), 'NOT_A_USER')
  },
  OTHER_USER: () => {
    const { chain, phone, target } = withPhone()
    const bob = join(chain, 'bob')
    const before = readDevice(chain.view, phone.id)
    assert.equal(chain.outcome(bob.say(deviceName(target, 'mine'))), 'OTHER_USER')
    for (const kit of [undefined, 'bob', 'founder']) {
      const statement = revokeDevice(target, throughLast(phone), kit)
      assert.equal(chain.outcome(bob.say(statement)), 'OTHER_USER')
    }
    assert.deepEqual(readDevice(chain.view, phone.id), before)
  },
  ALREADY_REVOKED: () => {
    const { admin, chain, phone, target } = withPhone()
    const file = phone.say(fileAdd('a'))
    chain.block(file)
    const last = throughLast(phone)
    // A thief is the first to revoke the stolen phone, so that it may go on for ever ...
    const forEver = { sequence: Number.MAX_SAFE_INTEGER, record: target.admission }
    assert.equal(chain.outcome(phone.say(revokeDevice(target, forEver))), 'applied')
    assert.equal(chain.outcome(phone.say(fileAdd('b'))), 'applied')
    // ... which does not help: the lower one counts, in whatever order they come.
    assert.equal(chain.outcome(admin.say(revokeDevice(target, last))), 'applied')
    assert.equal(readRevocation(chain.view, phone.id)?.sequence, last.sequence)
    for (const through of [last, forEver]) {
      assert.equal(chain.outcome(admin.say(revokeDevice(target, through))), 'ALREADY_REVOKED')
    }
    assert.throws(() => chain.block(phone.say(fileAdd('c'), {})), { code: 'RECORD_NOT_INCLUDABLE' })
    // The kit overrules; after it only itself, and only downwards: its signatures can be stated again by anybody
    // who has a device of the user.
    const later = throughLast(phone)
    assert.equal(chain.outcome(admin.say(revokeDevice(target, later, 'founder'))), 'applied')
    assert.equal(readRevocation(chain.view, phone.id)?.byRecovery, true)
    assert.equal(chain.outcome(admin.say(revokeDevice(target, last))), 'ALREADY_REVOKED')
    assert.equal(chain.outcome(admin.say(revokeDevice(target, last, 'founder'))), 'applied')
    const again = revokeDevice(target, later, 'founder')
    assert.equal(chain.outcome(admin.say(again)), 'ALREADY_REVOKED')
    assert.equal(readRevocation(chain.view, phone.id)?.sequence, last.sequence)
  },
  DEVICE_RECOVERED: () => {
    const { admin, chain, phone, target: stolen } = withPhone()
    const back = device('back')
    chain.block(back.say(byKit(back, userOf(admin), 'founder')))
    const target = named(back)
    // Whoever stole the phone cannot shut out what the kit brought back.
    const shutOut = revokeDevice(target, throughLast(back))
    assert.equal(chain.outcome(phone.say(shutOut)), 'DEVICE_RECOVERED')
    assert.equal(readDevice(chain.view, back.id)?.active, true)
    assert.equal(chain.outcome(back.say(revokeDevice(stolen, throughLast(phone)))), 'applied')
    // By itself it can be revoked, and by the kit.
    const byItself = revokeDevice(target, throughLast(back))
    assert.equal(chain.outcome(back.say(byItself)), 'applied')
    assert.equal(readDevice(chain.view, back.id)?.active, false)
  },
  RECOVERY_SIGNATURE: () => {
    const { admin, chain, phone, target } = withPhone()
    const through = throughLast(phone)
    assert.equal(
      chain.outcome(admin.say(revokeDevice(target, through, 'bob'))),
      'RECOVERY_SIGNATURE',
    )
    // The signature covers the device and the end of its line.
    const good = revokeDevice(target, through, 'founder')
    const moved = { ...good, body: { ...good.body, through: { ...through, sequence: 9 } } }
    assert.equal(chain.outcome(admin.say(moved)), 'RECOVERY_SIGNATURE')
    const other = { ...good, body: { ...good.body, device: admin.key, admission: userOf(admin) } }
    assert.equal(chain.outcome(admin.say(other)), 'RECOVERY_SIGNATURE')
    assert.equal(chain.outcome(admin.say(good)), 'applied')
  },
  KEY_KNOWN: () => {
    const { admin, chain } = founded()
    assert.equal(chain.outcome(admin.say(userKey('one'))), 'applied')
    assert.equal(chain.outcome(admin.say(userKey('one'))), 'KEY_KNOWN')
    const first = readUserKeys(chain.view, userOf(admin))[0] ?? assert.fail()
    const statement = userKey('two')
    const body = { ...statement.body, key: first }
    assert.equal(chain.outcome(admin.say({ ...statement, body } as never)), 'KEY_KNOWN')
    // Another user's key is no secret, and nobody can keep it from being stated first.
    const bob = join(chain, 'bob')
    assert.equal(chain.outcome(bob.say(userKey('one'))), 'applied')
  },
  AUTHOR_REVOKED: () => {
    const { admin, chain, phone, target } = withPhone()
    const late = phone.say(userKey('thief'))
    const own = userKey('owner')
    chain.block(admin.say(revokeDevice(target, throughLast(phone))), admin.say(own))
    // It finds its place, but what is sealed from now on is not sealed to its key.
    assert.equal(chain.outcome(late), 'AUTHOR_REVOKED')
    const keys = readUserKeys(chain.view, userOf(admin))
    assert.deepEqual(keys.at(-1), keyPair('user key owner').key)
    // Nor does a stolen device use up all keys that a user may have.
    const many = Array.from({ length: MAX_USER_KEYS + 1 }, (_, i) => admin.say(userKey(`k ${i}`)))
    chain.block(...many)
    const kept = readUserKeys(chain.view, userOf(admin))
    assert.equal(kept.length, 1 + MAX_USER_KEYS)
    assert.deepEqual([kept[0], kept.at(-1)], [keys[0], keyPair(`user key k ${MAX_USER_KEYS}`).key])
  },
  NOT_AN_INVITE: () => {
    const { admin, chain, admission } = founded()
    assert.equal(chain.outcome(admin.say(inviteCancel(admission.id))), 'NOT_AN_INVITE')
  },
  NOT_THE_ISSUER: () => {
    const { admin, chain } = founded()
    const [ann, bob] = [join(chain, 'ann'), join(chain, 'bob')]
    const [one, two] = [ann.say(invite('one')), ann.say(invite('two'))]
    chain.block(one, two)
    assert.equal(chain.outcome(bob.say(inviteCancel(one.id))), 'NOT_THE_ISSUER')
    assert.equal(readInvite(chain.view, one.id)?.used, false)
    // The issuer may, from any device, and so may an admin.
    const phone = addDevice(chain, ann, 'ann phone')
    assert.equal(chain.outcome(phone.say(inviteCancel(one.id))), 'applied')
    assert.equal(chain.outcome(admin.say(inviteCancel(two.id))), 'applied')
    assert.equal(readInvite(chain.view, two.id)?.used, true)
  },
} as const

/** Who may pass on what is sealed, or say what was imported. */
export function ownersOnly(): void {
  const { admin, chain } = founded()
  const bob = join(chain, 'bob')
  const file = admin.say(privateAdd('secret'))
  chain.block(file)
  assert.equal(chain.outcome(bob.say(keyCopy(file.id))), 'NOT_THE_OWNER')
  assert.equal(chain.outcome(bob.say(legacyImport(file.id))), 'NOT_THE_OWNER')
  assert.equal(chain.outcome(admin.say(keyCopy(userOf(bob)))), 'NOT_A_VERSION')
  assert.equal(chain.outcome(admin.say(legacyImport(userOf(bob)))), 'NOT_A_VERSION')
  assert.equal(chain.outcome(admin.say(keyCopy(file.id))), 'applied')
  assert.equal(chain.outcome(admin.say(legacyImport(file.id))), 'applied')
  assert.equal(chain.outcome(bob.say(keyCopy())), 'applied')
}

/** Admins alone invite admins, and never for a device. */
export function adminsOnly(): void {
  const { admin, chain } = founded()
  const bob = join(chain, 'bob')
  assert.equal(chain.outcome(bob.say(invite('x', { role: 'admin' }))), 'NOT_AN_ADMIN')
  const own = invite('x', { role: 'admin', ownDevice: true })
  assert.equal(chain.outcome(admin.say(own)), 'NOT_AN_ADMIN')
  assert.equal(chain.outcome(admin.say(invite('x', { role: 'admin' }))), 'applied')
  const phone = device('bob phone')
  chain.block(phone.say(deviceAdd(bob, phone)))
  assert.equal(chain.outcome(phone.say(invite('y', { role: 'admin' }))), 'NOT_AN_ADMIN')
}
