/** Properties of grants and releases, and of revocations, in whatever order blocks bring them. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { RecordId } from '../../../src/chain/ids.ts'
import { inclusionOf, selectRecords } from '../../../src/chain/mempool.ts'
import { composeBlock, evaluateBlock } from '../../../src/chain/outcome.ts'
import type { RecordOf, SignedRecord, Statement } from '../../../src/chain/record.ts'
import { listDevices, readRevocation } from '../../../src/chain/state/devices.ts'
import { readAllowed, readGrant, readReleased } from '../../../src/chain/state/grants.ts'
import { readRecordState } from '../../../src/chain/state/records.ts'
import { applyChanges } from '../../../src/chain/view.ts'
import {
  contextAt,
  device,
  deviceAdd,
  fileAdd,
  founded,
  ledger,
  params,
  type TestDevice,
  type TestLedger,
  userCreate,
} from './network.ts'
import {
  accessUnder,
  byKit,
  grant,
  holderAdd,
  holderRemove,
  privateAdd,
  release,
  revoke,
  revokeDevice,
  userKey,
  userOf,
} from './people.ts'

type Action = readonly [who: number, kind: number, target: number]
const actions = (kinds: number, minLength: number, maxLength: number): fc.Arbitrary<Action[]> =>
  fc.array(fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: kinds - 1 }), fc.nat({ max: 60 })), {
    minLength,
    maxLength,
  })
const order = fc.array(fc.nat({ max: 3 }), { maxLength: 60 })

interface World {
  readonly admissions: SignedRecord[]
  readonly records: SignedRecord[]
  readonly devices: TestDevice[]
}

const pick = <T>(items: readonly T[], at: number): T =>
  items[at % items.length] ?? assert.fail('nothing to choose from')

/** The owner's two devices and two members, around one private file. */
function readers(todo: readonly Action[]): World & { file: SignedRecord } {
  const { admin, admission } = founded()
  const [phone, bob, carl] = [device('phone'), device('bob'), device('carl')]
  const admissions = [
    admission,
    phone.say(deviceAdd(admin, phone)),
    bob.say(userCreate('bob')),
    carl.say(userCreate('carl')),
  ]
  const file = admin.say(privateAdd('secret'))
  const records = [file]
  const owners = [admin, phone]
  const members = [bob, carl]
  const ids = (type: SignedRecord['type']): RecordId[] =>
    records.filter((record) => record.type === type).map(({ id }) => id)
  for (const [who, kind, target] of todo) {
    const someone = pick(members, target)
    const [grants, asked, named] = [ids('grant'), ids('access'), ids('holder.add')]
    const limits = [{}, { downloads: 1 }, { downloads: 2 }]
    if (kind <= 1) {
      const statement = grant(file.id, userOf(someone), pick(limits, who))
      records.push(pick(owners, who).say(statement))
    } else if (kind <= 4 && grants.length > 0) {
      records.push(pick(members, who).say(accessUnder(file.id, pick(grants, target))))
    } else if (kind === 5 && grants.length > 0) {
      records.push(pick(owners, who).say(revoke(pick(grants, target))))
    } else if (kind <= 7 && asked.length > 0) {
      const by = pick([...owners, ...members], who)
      const holder = by.user === admin.user || named.length === 0 ? undefined : named.at(-1)
      records.push(by.say(release(pick(asked, target), holder)))
    } else if (kind === 8) {
      const of = { device: someone, admission: userOf(someone) }
      records.push(pick(owners, who).say(holderAdd(file.id, of, file.id)))
    } else if (named.length > 0) {
      records.push(pick(owners, who).say(holderRemove(file.id, someone, pick(named, target))))
    }
  }
  return { admissions, records, devices: [admin, phone, bob, carl], file }
}

/** One record to a block, of the device that is next; then the rest. Each block can be taken back. */
function mine(made: World, turns: readonly number[]): TestLedger {
  const chain = ledger(pick(made.devices, 0))
  chain.block(...made.admissions)
  const lines = made.devices.map(({ id }) => made.records.filter((record) => record.device === id))
  const block = (records: readonly SignedRecord[]): void => {
    const before = new Map(chain.state)
    const { changes } = chain.block(...records)
    const copy = new Map(chain.state)
    applyChanges(copy, changes, 'undo')
    assert.deepEqual(copy, before)
  }
  for (const turn of turns) block(pick(lines, turn).splice(0, 1))
  block(lines.reverse().flat())
  return chain
}

describe('who may read', () => {
  it('is what grants say in whatever order, and a count is the number of accesses that were served', () => {
    let allowed = 0
    const check = (made: World & { file: SignedRecord }, { view }: TestLedger): void => {
      const served = new Map<RecordId, Set<RecordId>>()
      for (const record of made.records) {
        const { outcome } = readRecordState(view, record.id) ?? assert.fail('it is included')
        assert.notEqual(outcome, 'waiting')
        if (record.type === 'access') {
          const under = readAllowed(view, record.id)
          assert.equal(under !== undefined, outcome === 'applied')
          if (under === undefined) continue
          allowed += 1
          assert.equal(under, record.body.grant)
          assert.equal(readGrant(view, under)?.user, record.user, 'nobody reads on another’s grant')
        }
        if (record.type === 'release' && outcome === 'applied') {
          const under = readAllowed(view, record.body.access) ?? assert.fail('it is allowed')
          served.set(under, (served.get(under) ?? new Set()).add(record.body.access))
        }
      }
      for (const { id, type } of made.records) {
        if (type === 'grant') assert.equal(readReleased(view, id), served.get(id)?.size ?? 0)
      }
    }
    fc.assert(
      fc.property(actions(10, 10, 40), order, order, (todo, one, other) => {
        const made = readers(todo)
        const chains = [mine(made, one), mine(made, other)]
        for (const chain of chains) check(made, chain)
        // What people state about the file hangs on no order; what is allowed does, and what is given out.
        for (const { id, type } of made.records) {
          if (type === 'access' || type === 'release') continue
          const [a, b] = chains.map(({ view }) => readRecordState(view, id))
          assert.deepEqual([a?.outcome, a?.code], [b?.outcome, b?.code])
        }
      }),
      { numRuns: 60 },
    )
    assert.ok(allowed > 100, `the cases are worth something: ${allowed}`)
  })
})

/** Three devices of one user, and what the kit brought back; each may shut out the others. */
function thieves(todo: readonly Action[]): World {
  const { admin, admission } = founded()
  const [phone, tablet, back] = [device('phone'), device('tablet'), device('back')]
  const bob = device('bob')
  const admissions = [
    admission,
    bob.say(userCreate('bob')),
    phone.say(deviceAdd(admin, phone)),
    tablet.say(deviceAdd(phone, tablet)),
    back.say(byKit(back, userOf(admin), 'founder')),
  ]
  const devices = [admin, phone, tablet, back]
  const records: SignedRecord[] = []
  for (const [i, [who, kind, target]] of todo.entries()) {
    const author = pick(devices, who)
    const of = pick(devices, target)
    const line = [...admissions, ...records].filter((record) => record.device === of.id)
    const end = pick(line, target)
    const through = { sequence: end.sequence, record: end.id }
    const first = { device: of, admission: line[0]?.id ?? assert.fail() }
    const added = device(`added ${i}`)
    const statements: Statement[] = [
      fileAdd(`file ${i}`),
      userKey(`${i}`),
      revokeDevice(first, through),
      revokeDevice(first, through, kind === 3 ? 'founder' : 'bob'),
    ]
    const statement = statements[kind]
    records.push(
      statement === undefined ? added.say(deviceAdd(author, added)) : author.say(statement),
    )
  }
  return { admissions, records, devices: [bob, ...devices] }
}

describe('revocations', () => {
  it('whatever is offered, each block is good, can be taken back, and leaves only what cannot enter', () => {
    const mixed = fc.tuple(actions(5, 1, 30), fc.array(fc.nat({ max: 99 }), { minLength: 1 }))
    fc.assert(
      fc.property(mixed, fc.integer({ min: 3_000, max: 30_000 }), ([todo, at], maxBytes) => {
        const made = thieves(todo)
        const chain = ledger(pick(made.devices, 0))
        chain.block(...made.admissions)
        const rest = new Set(
          made.records
            .map((record, i) => ({ record, at: at[i % at.length] ?? 0 }))
            .sort((a, b) => a.at - b.at)
            .map(({ record }) => record),
        )
        for (;;) {
          const selected = selectRecords(chain.view, params, rest, { maxBytes })
          if (selected.length === 0) break
          const context = contextAt(chain.height + 1, pick(made.devices, 0).id)
          const composed = composeBlock(chain.view, context, selected)
          assert.notEqual(composed.records.length, 0, 'what comes first can enter')
          assert.deepEqual(evaluateBlock(chain.view, context, composed.records), composed.effect)
          const before = new Map(chain.state)
          const { changes } = chain.block(...composed.records)
          const copy = new Map(chain.state)
          applyChanges(copy, changes, 'undo')
          assert.deepEqual(copy, before)
          for (const record of composed.records) rest.delete(record)
        }
        for (const record of rest) {
          assert.match(inclusionOf(chain.view, record, params), /^(stranded|early)$/)
        }
        for (const { id, device: state } of listDevices(chain.view)) {
          const revocation = readRevocation(chain.view, id)
          assert.equal(state.active, revocation === undefined)
        }
        // What the kit brought back is out only by itself or by the kit.
        const back = made.devices[4] ?? assert.fail()
        const revocation = readRevocation(chain.view, back.id)
        const byOthers = made.records.filter(
          (record): record is RecordOf<'device.revoke'> =>
            record.type === 'device.revoke' &&
            record.body.recovery === undefined &&
            record.device !== back.id &&
            record.body.device === back.key,
        )
        for (const { id } of byOthers) {
          assert.notEqual(readRecordState(chain.view, id)?.outcome, 'applied')
        }
        if (revocation?.byRecovery === false) {
          const own = made.records.some(
            (record) => record.type === 'device.revoke' && record.device === back.id,
          )
          assert.ok(own)
        }
      }),
      { numRuns: 60 },
    )
  })
})
