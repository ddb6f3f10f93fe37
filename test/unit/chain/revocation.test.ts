import assert from 'node:assert/strict'
import { inclusionOf, selectRecords } from '../../../src/chain/mempool.ts'
import { composeBlock, evaluateBlock } from '../../../src/chain/outcome.ts'
import { readDevice, readRevocation } from '../../../src/chain/state/devices.ts'
import { readFile } from '../../../src/chain/state/files.ts'
import { readReleased } from '../../../src/chain/state/grants.ts'
import { MARK } from '../../../src/chain/state/value.ts'
import {
  contextAt,
  device,
  deviceAdd,
  envelopeOf,
  fileAdd,
  founded,
  ledger,
  params,
  type TestDevice,
  type TestLedger,
} from './network.ts'
import {
  addDevice,
  byKit,
  deviceName,
  release,
  revokeDevice,
  type Target,
  throughLast,
  userOf,
} from './people.ts'
import { shared } from './reason-cases/access.ts'

function withPhone(): {
  admin: TestDevice
  chain: TestLedger
  phone: TestDevice
  target: Target
} {
  const { admin, chain } = founded()
  const phone = addDevice(chain, admin, 'phone')
  return { admin, chain, phone, target: { device: phone, admission: phone.previous as never } }
}

const through = ({ sequence, id }: { sequence: number; id: never }) => ({ sequence, record: id })

describe('revocation', () => {
  it('what the device said up to `through` still finds its place; what it said after is stranded', () => {
    const { admin, chain, phone, target } = withPhone()
    const [one, two, three] = ['one', 'two', 'three'].map((name) => phone.say(fileAdd(name)))
    assert.ok(one !== undefined && two !== undefined && three !== undefined)
    const twin = phone.say(fileAdd('twin'), { sequence: two.sequence, previous: one.id })
    chain.block(admin.say(revokeDevice(target, through(two as never))))
    assert.equal(readDevice(chain.view, phone.id)?.active, false)
    const of = (record: typeof one): string => inclusionOf(chain.view, record)
    assert.deepEqual([one, two, three].map(of), ['includable', 'early', 'early'])
    chain.block(one)
    // At `through` only the record that it names; another one at its place is stranded.
    assert.deepEqual([two, twin, three].map(of), ['includable', 'stranded', 'early'])
    chain.block(two)
    assert.equal(of(three), 'stranded')
    assert.throws(() => chain.block(three), { code: 'RECORD_NOT_INCLUDABLE' })
    assert.notEqual(readFile(chain.view, two.id), undefined)
    // Another device of the user states it again.
    const body = three.type === 'file.add' ? three.body : assert.fail()
    const again = admin.say({ type: 'file.add', body }, { replaces: envelopeOf(three, phone) })
    assert.equal(chain.outcome(again), 'applied')
    assert.equal(of(three), 'confirmed')
  })

  it('a revoked device seals nothing, and nothing that it countersigned gets in', () => {
    const { admin, chain, phone, target } = withPhone()
    const tablet = device('tablet')
    const added = tablet.say(deviceAdd(phone, tablet))
    const byPhone = contextAt(chain.height + 1, phone.id)
    evaluateBlock(chain.view, byPhone, [])
    // In the very block of its revocation it may: it is active after the parent.
    const revocation = admin.say(revokeDevice(target, throughLast(phone)))
    evaluateBlock(chain.view, byPhone, [revocation])
    chain.block(revocation)
    const next = contextAt(chain.height + 1, phone.id)
    assert.throws(() => evaluateBlock(chain.view, next, []), { code: 'MINER_NOT_ACTIVE' })
    assert.equal(inclusionOf(chain.view, added), 'early')
  })

  it('the kit overrules a thief: what was shut out comes in, and what went on is cut', () => {
    const { admin, chain, phone, target } = withPhone()
    const files = ['one', 'two'].map((name) => phone.say(fileAdd(name)))
    const [one, two] = files
    assert.ok(one !== undefined && two !== undefined)
    // The thief has the founder's first device, and shuts out the phone at its admission.
    const early = { sequence: 0, record: target.admission }
    chain.block(admin.say(revokeDevice(target, early)))
    assert.equal(inclusionOf(chain.view, one), 'stranded')
    const back = device('back')
    chain.block(back.say(byKit(back, userOf(admin), 'founder')))
    chain.block(back.say(revokeDevice(target, through(two as never), 'founder')))
    chain.block(...files)
    assert.notEqual(readFile(chain.view, two.id), undefined)
    assert.equal(readDevice(chain.view, phone.id)?.active, false)
    assert.equal(readRevocation(chain.view, phone.id)?.byRecovery, true)
  })

  it('of several the lowest `through` counts, whatever the order', () => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ]) {
      const { admin, chain, phone, target } = withPhone()
      const files = ['one', 'two', 'three'].map((name) => phone.say(fileAdd(name)))
      const wanted = files[0] ?? assert.fail()
      for (const at of order) {
        chain.block(admin.say(revokeDevice(target, through((files[at] ?? wanted) as never))))
      }
      const { sequence, record } = readRevocation(chain.view, phone.id) ?? assert.fail()
      assert.deepEqual([sequence, record], [wanted.sequence, wanted.id])
    }
  })

  it('waits for the admission of the device; so does a name', () => {
    const { admin, chain } = founded()
    const phone = device('phone')
    const added = phone.say(deviceAdd(admin, phone))
    const target = { device: phone, admission: added.id }
    const file = phone.say(fileAdd('a'))
    assert.equal(chain.outcome(admin.say(deviceName(target, 'mine'))), 'waiting')
    assert.equal(chain.outcome(admin.say(revokeDevice(target, through(added as never)))), 'waiting')
    const { late } = chain.block(added)
    assert.deepEqual(
      late.map(({ outcome }) => outcome),
      ['applied', 'applied'],
    )
    const { name, active } = readDevice(chain.view, phone.id) ?? assert.fail()
    assert.deepEqual([name, active], ['mine', false])
    assert.equal(inclusionOf(chain.view, file), 'stranded')
  })

  it('a release of a device that was revoked meanwhile counts: the key left', () => {
    const { owner, bob, chain, file, grants } = shared()
    const phone = addDevice(chain, owner, 'phone')
    const target = { device: phone, admission: phone.previous ?? assert.fail() }
    const id = grants({ downloads: 1 })
    const asked = bob.say({ type: 'access', body: { version: file.id, grant: id } })
    chain.block(asked)
    const released = phone.say(release(asked.id))
    chain.block(owner.say(revokeDevice(target, throughLast(phone))))
    assert.equal(chain.outcome(released), 'applied')
    assert.equal(readReleased(chain.view, id), 1)
  })
})

describe('a body in which a revocation shuts out what comes after', () => {
  it('leaves that out, and what rests on it, and keeps the rest', () => {
    const { admin, chain, phone, target } = withPhone()
    const tablet = device('tablet')
    const revocation = admin.say(revokeDevice(target, throughLast(phone)))
    const lost = [phone.say(fileAdd('one')), phone.say(fileAdd('two'))]
    const sponsored = tablet.say(deviceAdd(phone, tablet))
    const after = [sponsored, tablet.say(fileAdd('three'))]
    const kept = admin.say(fileAdd('four'))
    const offered = [revocation, kept, ...lost, ...after]
    const selected = selectRecords(chain.view, params, offered)
    assert.equal(selected.length, offered.length, 'none of them is known to be shut out yet')
    const context = contextAt(chain.height + 1, admin.id)
    assert.throws(() => evaluateBlock(chain.view, context, selected), {
      code: 'RECORD_NOT_INCLUDABLE',
    })
    const { records, effect } = composeBlock(chain.view, context, selected)
    assert.deepEqual(records, [revocation, kept])
    assert.deepEqual(evaluateBlock(chain.view, context, records), effect, 'and so is the block')
  })

  it('also by one that was left over from an earlier block, and goes first', () => {
    const { admin, chain } = founded()
    const phone = device('phone')
    const added = phone.say(deviceAdd(admin, phone))
    const revocation = admin.say(
      revokeDevice({ device: phone, admission: added.id }, through(added as never)),
    )
    assert.equal(chain.outcome(revocation), 'waiting')
    // As where more waited for the admission than one block evaluates.
    const waiting = [...chain.state].filter(([key]) => key.startsWith('waiting/'))
    assert.equal(waiting.length, 1)
    for (const [key] of waiting) chain.state.delete(key)
    chain.block(added)
    for (const [key, value] of waiting) chain.state.set(key, value)
    chain.state.set(`due/${added.id}`, MARK)
    const [lost, kept] = [phone.say(fileAdd('lost')), admin.say(fileAdd('kept'))]
    const context = contextAt(chain.height + 1, admin.id)
    const selected = selectRecords(chain.view, params, [lost, kept])
    assert.equal(selected.length, 2)
    const { records, effect } = composeBlock(chain.view, context, selected)
    assert.deepEqual(records, [kept])
    assert.deepEqual(effect.late, [{ record: revocation.id, outcome: 'applied' }])
    assert.deepEqual(evaluateBlock(chain.view, context, records), effect)
  })

  it('composes what evaluates where nothing is left out', () => {
    const { admin, admission } = founded()
    const records = [admission, admin.say(fileAdd('a'))]
    const { view } = ledger(admin)
    const context = contextAt(1, admin.id)
    const composed = composeBlock(view, context, records)
    assert.deepEqual(composed, { effect: evaluateBlock(view, context, records), records })
  })
})
