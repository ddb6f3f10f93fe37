import assert from 'node:assert/strict'
import { isBetter } from '../../../src/chain/fork-choice.ts'
import type { BlockId } from '../../../src/chain/ids.ts'
import { inclusionOf, selectRecords } from '../../../src/chain/mempool.ts'
import { createMapView, createOverlay } from '../../../src/chain/view.ts'
import { cidText, DAG_CBOR } from '../../../src/common/dag-cbor.ts'
import {
  device,
  deviceAdd,
  envelopeOf,
  fileAdd,
  founded,
  ledger,
  network,
  params,
  userCreate,
} from './network.ts'
import { byKit } from './people.ts'

describe('pending records', () => {
  it('are includable, early, confirmed or stranded', () => {
    const { admin, chain } = founded()
    const first = admin.say(fileAdd('first'))
    const second = admin.say(fileAdd('second'))
    const twin = admin.say(fileAdd('twin'), { sequence: 1, previous: first.previous })
    const of = (record: typeof first): string => inclusionOf(chain.view, record)
    assert.deepEqual([first, twin, second].map(of), ['includable', 'includable', 'early'])
    chain.block(first)
    assert.deepEqual([first, twin, second].map(of), ['confirmed', 'stranded', 'includable'])
    const afterTwin = admin.say(fileAdd('after twin'), { sequence: 2, previous: twin.id })
    assert.equal(of(afterTwin), 'stranded')
  })

  it('an admission is early until what it rests on is there', () => {
    const { admin, chain } = founded()
    const [phone, tablet] = [device('phone'), device('tablet')]
    const added = phone.say(deviceAdd(admin, phone))
    const next = tablet.say(deviceAdd(phone, tablet))
    assert.equal(inclusionOf(chain.view, next), 'early')
    assert.equal(inclusionOf(chain.view, added), 'includable')
    const liar = device('liar').say(userCreate('liar', { type: 'founder' }))
    assert.equal(inclusionOf(chain.view, liar, params), 'early')
  })

  it('a record that was signed again is confirmed with the other one', () => {
    const { admin, chain } = founded()
    const phone = device('phone')
    const added = phone.say(deviceAdd(admin, phone))
    chain.block(added)
    const good = admin.say(fileAdd('good'), { sequence: 1 })
    const lost = admin.say(fileAdd('lost'), { sequence: 1 })
    chain.block(good)
    assert.equal(inclusionOf(chain.view, lost), 'stranded')
    const body = lost.type === 'file.add' ? lost.body : assert.fail()
    const again = phone.say({ type: 'file.add', body }, { replaces: envelopeOf(lost, admin) })
    chain.block(again)
    assert.equal(inclusionOf(chain.view, lost), 'confirmed')
    assert.equal(inclusionOf(chain.view, again), 'confirmed')
  })

  it('one body takes a chain of admissions, whatever order they were offered in', () => {
    const { admin, admission } = founded()
    const [phone, tablet] = [device('phone'), device('tablet')]
    const added = phone.say(deviceAdd(admin, phone))
    const next = tablet.say(deviceAdd(phone, tablet))
    const last = tablet.say(fileAdd('a'))
    const chain = ledger(admin)
    const selected = selectRecords(chain.view, params, [last, next, added, admission])
    assert.deepEqual(
      selected.map(({ id }) => id),
      [admission, added, next, last].map(({ id }) => id),
    )
    chain.block(...selected)
  })

  it('one body takes whatever an admission in it opens the way for: devices, kits, long lines', () => {
    const { admin, admission } = founded()
    const user = admin.user ?? assert.fail()
    const back = device('back')
    const devices = [admin, back]
    const records = [admission, back.say(byKit(back, user, 'founder'))]
    for (let i = 0; i < 100; i++) {
      const added = device(`added ${i}`)
      records.push(added.say(deviceAdd(devices.at(-1) ?? admin, added)))
      devices.push(added)
    }
    for (const each of devices) {
      for (let i = 0; i < 3; i++) records.push(each.say(fileAdd(`file ${i}`)))
    }
    const chain = ledger(admin)
    const selected = selectRecords(chain.view, params, records.toReversed())
    assert.equal(selected.length, records.length)
    assert.equal(new Set(selected).size, records.length)
    chain.block(...selected)
  })

  it('a body keeps to its size, and leaves other networks and unknown devices out', () => {
    const { admin, chain } = founded()
    const files = Array.from({ length: 100 }, (_, i) => admin.say(fileAdd(`file ${i}`)))
    const maxBytes = 10_000
    const selected = selectRecords(chain.view, params, files, { maxBytes })
    const size = selected.reduce((sum, { bytes }) => sum + bytes.length, 0)
    assert.ok(size <= maxBytes && size > maxBytes - 1_000)
    assert.deepEqual(selected, files.slice(0, selected.length))
    const other = { ...params, time: params.time + 1 }
    assert.deepEqual(selectRecords(chain.view, other, files), [])
    assert.equal(files[0]?.network, network)
  })
})

describe('fork choice', () => {
  const id = (fill: number): BlockId => cidText(DAG_CBOR, new Uint8Array(32).fill(fill)) as BlockId

  it('more work wins, then the lower digest; the text of an id has another order', () => {
    // In base32 the digit 2 stands for 26 but sorts before every letter.
    const [low, high] = [id(0x01), id(0xd1)]
    assert.ok(isBetter({ id: high, chainwork: 2n }, { id: low, chainwork: 1n }))
    assert.ok(!isBetter({ id: low, chainwork: 1n }, { id: high, chainwork: 2n }))
    assert.ok(isBetter({ id: low, chainwork: 1n }, { id: high, chainwork: 1n }))
    assert.ok(!isBetter({ id: high, chainwork: 1n }, { id: low, chainwork: 1n }))
    assert.ok(!isBetter({ id: low, chainwork: 1n }, { id: low, chainwork: 1n }))
  })
})

describe('a view with changes on top', () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

  it('shows its changes, lists in byte order, and tells only what differs in the end', () => {
    const base = new Map([
      ['a/1', bytes(1)],
      ['a/3', bytes(3)],
      ['b/x/1', bytes(4)],
      ['b/x/2', bytes(5)],
    ])
    const overlay = createOverlay(createMapView(base))
    overlay.put('a/2', bytes(2))
    overlay.put('a/1', bytes(9))
    overlay.put('a/1', bytes(1))
    overlay.delete('a/3')
    overlay.put('new', bytes(1))
    overlay.delete('new')
    overlay.put('b/x/0', bytes(6))
    overlay.delete('b/x/2')
    const keys = (prefix: string): string[] => [...overlay.list(prefix)].map(([key]) => key)
    assert.deepEqual(keys('a/'), ['a/1', 'a/2'])
    assert.deepEqual(keys('b/x/'), ['b/x/0', 'b/x/1'])
    assert.deepEqual(keys('b/'), ['b/x/0', 'b/x/1'])
    assert.deepEqual(overlay.changes(), [
      { key: 'a/2', before: undefined, after: bytes(2) },
      { key: 'a/3', before: bytes(3), after: undefined },
      { key: 'b/x/0', before: undefined, after: bytes(6) },
      { key: 'b/x/2', before: bytes(5), after: undefined },
    ])
    assert.equal(base.size, 4)
  })
})
