import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { DeviceId, RecordId } from '../../../src/chain/ids.ts'
import { inclusionOf, selectRecords } from '../../../src/chain/mempool.ts'
import { type BlockEffect, evaluateBlock } from '../../../src/chain/outcome.ts'
import type { RecordType, SignedRecord, Statement } from '../../../src/chain/record.ts'
import { readDevice } from '../../../src/chain/state/devices.ts'
import { readRecordState } from '../../../src/chain/state/records.ts'
import { applyChanges } from '../../../src/chain/view.ts'
import {
  access,
  contextAt,
  device,
  deviceAdd,
  fileAdd,
  fileRemove,
  fileUpdate,
  genesis,
  ledger,
  params,
  START,
  type TestDevice,
  type TestLedger,
  userCreate,
  vote,
} from './network.ts'
import {
  accessUnder,
  deviceName,
  grant,
  holderAdd,
  holderRemove,
  invite,
  inviteCancel,
  keyCopy,
  legacyImport,
  privateAdd,
  privateContent,
  release,
  revoke,
  userKey,
  userOf,
} from './people.ts'

type Action = [who: number, kind: number, target: number]

interface World {
  readonly admin: TestDevice
  readonly devices: TestDevice[]
  /** In the order of their making: everything that a record names comes before it. */
  readonly records: SignedRecord[]
}

/** Four devices of three users write what `actions` say; a target is any record made before. */
function world(actions: readonly Action[]): World {
  const admin = device('founder')
  const phone = device('phone')
  const others = [device('ann'), device('bob')]
  const records = [
    admin.say(userCreate('founder', { type: 'founder' })),
    phone.say(deviceAdd(admin, phone)),
    ...others.map((other, i) => other.say(userCreate(`member ${i}`))),
  ]
  const devices = [admin, phone, ...others]
  for (const [i, [who, kind, target]] of actions.entries()) {
    const author = devices[who % devices.length] ?? admin
    // An access is judged by the moment at which it is evaluated, so what names one hangs on the order.
    const lasting = records.filter(({ type }) => type !== 'access' && type !== 'release')
    const named = lasting[target % lasting.length] ?? assert.fail()
    const file = 'file' in named.body ? named.body.file : named.identity
    const someone = devices[target % devices.length] ?? admin
    const other = { device: someone, admission: admissionOf(someone, records) }
    const statements = [
      fileAdd(`file ${i}`),
      fileUpdate(file, [named.identity], `file ${i}`),
      fileUpdate(file, [named.identity, named.identity], `file ${i}`),
      fileRemove(file, [named.identity]),
      vote(named.identity, i % 2 === 0 ? 'authentic' : 'suspicious'),
      access(named.identity),
      privateAdd(`secret ${i}`),
      { type: 'file.update', body: { ...privateContent(`${i}`), file, parents: [named.identity] } },
      deviceName(other, `name ${i}`),
      userKey(`${i}`),
      keyCopy(named.identity),
      invite(`${i}`, { role: i % 3 === 0 ? 'admin' : 'member' }),
      inviteCancel(named.identity),
      grant(file, userOf(someone), i % 2 === 0 ? { downloads: i % 4 } : {}),
      grant(file, userOf(someone), { expires: START + i }),
      revoke(named.identity),
      accessUnder(named.identity, lastOf('grant', records)),
      accessUnder(file, named.identity),
      release(lastOf('access', records) ?? named.identity, lastOf('holder.add', records)),
      holderAdd(file, other, named.identity),
      holderRemove(file, someone, named.identity),
      legacyImport(named.identity),
    ] satisfies Statement[]
    records.push(author.say(statements[kind % statements.length] ?? assert.fail()))
  }
  return { admin, devices, records }
}

const admissionOf = ({ id }: TestDevice, records: readonly SignedRecord[]): RecordId =>
  records.find(({ device: of }) => of === id)?.id ?? assert.fail()

const lastOf = (type: RecordType, records: readonly SignedRecord[]): RecordId | undefined =>
  records.findLast((record) => record.type === type)?.identity

/** Puts all records into blocks as `schedule` says: for each block, how many of which device's next ones. */
function mine(made: World, schedule: readonly (readonly [number, number][])[]): TestLedger {
  const chain = ledger(made.admin)
  const lines = new Map<DeviceId, SignedRecord[]>(
    made.devices.map(({ id }) => [id, made.records.filter((record) => record.device === id)]),
  )
  const mineSome = (turns: readonly (readonly [number, number])[]): void => {
    const before = new Map(chain.state)
    const effect = chain.block(...take(turns))
    undone(before, chain, effect)
  }
  const take = (turns: readonly (readonly [number, number])[]): SignedRecord[] =>
    turns.flatMap(([who, count]) => {
      const author = made.devices[who % made.devices.length] ?? made.admin
      return lines.get(author.id)?.splice(0, count) ?? []
    })
  // The admissions first: whether those can be included is another question than what records name.
  mineSome(made.devices.map((_, i) => [i, 1] as const))
  for (const turns of schedule) mineSome(turns)
  mineSome(made.devices.map((_, i) => [made.devices.length - 1 - i, made.records.length] as const))
  return chain
}

/** Taking the changes back gives the state before, key by key. */
function undone(before: Map<string, Uint8Array>, chain: TestLedger, effect: BlockEffect): void {
  const copy = new Map(chain.state)
  applyChanges(copy, effect.changes, 'undo')
  assert.deepEqual(copy, before)
  const keys = effect.changes.map(({ key }) => key)
  assert.deepEqual(keys, [...new Set(keys)].sort(), 'one change for each key, in byte order')
}

const actions = fc.array(
  fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 21 }), fc.nat({ max: 60 })) as fc.Arbitrary<Action>,
  { minLength: 1, maxLength: 40 },
)
const schedule = fc.array(
  fc.array(fc.tuple(fc.nat({ max: 3 }), fc.integer({ min: 1, max: 6 })), { maxLength: 5 }),
  { maxLength: 12 },
)

describe('the rules', () => {
  it('what becomes of a record does not hang on the order in which blocks bring the records', () => {
    fc.assert(
      fc.property(actions, schedule, schedule, (todo, one, other) => {
        const made = world(todo)
        const chains = [mine(made, one), mine(made, other)]
        for (const { id, type } of made.records) {
          const [a, b] = chains.map(({ view }) => readRecordState(view, id))
          assert.ok(a !== undefined && b !== undefined, 'every record is included')
          assert.notEqual(a.outcome, 'waiting', 'every reference is resolved')
          if (type === 'access' || type === 'release') continue
          assert.deepEqual([a.outcome, a.code], [b.outcome, b.code])
        }
        for (const { state } of chains) {
          assert.ok(![...state.keys()].some((key) => /^(waiting|due)\//.test(key)))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('what is selected can be included, whatever was offered in whatever order', () => {
    const mixed = fc.tuple(actions, fc.array(fc.nat()), fc.integer({ min: 1_200, max: 20_000 }))
    fc.assert(
      fc.property(mixed, ([todo, order, maxBytes]) => {
        const made = world(todo)
        // Two records at one sequence, records of a device that nobody knows, of another network's line.
        const twice = [made.admin, ...made.devices].map((author) =>
          author.say(fileAdd('twice'), {
            sequence: 1,
            previous: made.records.find(({ device: of }) => of === author.id)?.id ?? null,
          }),
        )
        const stranger = device('stranger')
        const unknown = stranger.say(fileAdd('x'), {
          user: made.admin.user ?? null,
          sequence: 1,
          previous: genesis.id as never,
        })
        const offered = [...made.records, ...twice, unknown]
          .map((record, i) => ({ record, at: order[i % Math.max(1, order.length)] ?? i }))
          .sort((a, b) => a.at - b.at)
          .map(({ record }) => record)

        const chain = ledger(made.admin)
        const rest = new Set(offered)
        for (let blocks = 0; blocks < 200; blocks++) {
          const selected = selectRecords(chain.view, params, rest, { maxBytes })
          if (selected.length === 0) break
          assert.ok(selected.reduce((sum, { bytes }) => sum + bytes.length, 0) <= maxBytes)
          for (const record of selected) rest.delete(record)
          const miner = readDevice(chain.view, made.admin.id) ?? selected.find(isFirst(made))
          if (miner === undefined) return
          chain.block(...selected)
        }
        // What is left is stranded, or stands on what is; nothing that fits is left behind.
        for (const record of rest) {
          const state = inclusionOf(chain.view, record, params)
          const fits = record.bytes.length + 14 <= maxBytes
          if (fits) assert.ok(state === 'stranded' || state === 'early', state)
        }
        for (const { device: of, sequence } of [...twice].slice(0, 1)) {
          assert.ok((readDevice(chain.view, of)?.sequence ?? sequence) >= 0)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('evaluation does not change the view, and is the same each time', () => {
    fc.assert(
      fc.property(actions, (todo) => {
        const made = world(todo)
        const chain = ledger(made.admin)
        const evaluate = (): BlockEffect =>
          evaluateBlock(chain.view, contextAt(1, made.admin.id), made.records)
        const first = evaluate()
        assert.equal(chain.state.size, 0)
        assert.deepEqual(evaluate(), first)
      }),
      { numRuns: 30 },
    )
  })
})

const isFirst =
  (made: World) =>
  (record: SignedRecord): boolean =>
    record.device === made.admin.id && record.sequence === 0
