import assert from 'node:assert/strict'
import type { RecordId } from '../../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../../src/chain/record.ts'
import { createEvents } from '../../../../src/common/events.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import type { NodeEvents } from '../../../../src/services/events.ts'
import { createRecordCounts } from '../../../../src/services/explorer/record-counts.ts'
import { createChainStore } from '../../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../../src/storage/database.ts'
import { testParams } from '../../../helpers/chain-node.ts'
import { createVirtualClock } from '../../network/virtual-clock.ts'
import { fileAdd, userCreate, type Writer, write, writer } from '../../storage/chain-model.ts'

describe('how many records there are', () => {
  const made = () => {
    const db = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db
    const store = createChainStore(db)
    const params = testParams()
    const events = createEvents<NodeEvents>((error) => {
      throw error
    })
    const clock = createVirtualClock()
    let looks = 0
    const counting = {
      state: store.state,
      record: (id: RecordId) => {
        looks += 1
        return store.record(id)
      },
      recordCount: () => store.recordCount(),
      pendingCount: () => store.pendingCount(),
      pendingPlaces: store.pendingPlaces,
    }
    const counts = createRecordCounts({ store: counting, events, clock }, { params })
    const add = (record: SignedRecord): void => {
      store.putRecord(record, { own: false, received: 1 })
      events.emit('record:pending', { record, own: false })
    }
    const flood = (by: Writer, count: number): void =>
      store.transaction(() => {
        for (let at = 0; at < count; at += 1) add(write(by, fileAdd(`${at}`)))
      })
    return { counts, clock, add, flood, looks: () => looks }
  }

  it('few that are pending: at once, and each new one by itself', () => {
    const { counts, add, looks } = made()
    const by = writer(1)
    add(write(by, userCreate('x')))
    assert.equal(counts.get().waiting, 1)
    const before = looks()
    for (let at = 0; at < 10; at += 1) {
      add(write(by, fileAdd(`${at}`)))
      assert.equal(counts.get().waiting, at + 2)
    }
    assert.equal(looks(), before, 'nothing that is known is read again')
  })

  it('a flood: a slice in each turn, right in the end, with what came meanwhile before and behind', async () => {
    const { counts, clock, add, flood, looks } = made()
    const [first, middle, last] = [writer(1), writer(2), writer(3)]
    for (const by of [first, middle, last]) add(write(by, userCreate('x')))
    flood(middle, 2000)
    counts.get()
    assert.ok(looks() <= 256, `${looks()} records in one turn`)
    add(write(first, fileAdd('before')))
    add(write(last, fileAdd('behind')))
    const ready = counts.ready()
    await clock.advance(10)
    await ready
    assert.equal(counts.get().waiting, 2005)
    assert.ok(looks() <= 2100, `${looks()} records`)
  })
})
