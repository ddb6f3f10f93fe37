import assert from 'node:assert/strict'
import { createEvents } from '../../../src/common/events.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createFileFigures } from '../../../src/node/file-figures.ts'
import type { NodeEvents } from '../../../src/services/events.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { FileQuery } from '../../../src/storage/projections.ts'
import { createVirtualClock } from '../network/virtual-clock.ts'
import { fileAdd, userCreate, write, writer } from '../storage/chain-model.ts'

describe('figures of all files', () => {
  it('are read a page in each turn, once for all who ask, and anew after an own record', async () => {
    const db = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db
    const store = createChainStore(db)
    const by = writer(1)
    const put = (name: string) =>
      store.putRecord(write(by, fileAdd(name)), { own: false, received: 1 })
    store.transaction(() => {
      store.putRecord(write(by, userCreate('x')), { own: false, received: 1 })
      for (let at = 0; at < 1000; at += 1) put(`file ${at}`)
    })
    const events = createEvents<NodeEvents>((error) => {
      throw error
    })
    const clock = createVirtualClock()
    const pages: number[] = []
    const projections = {
      ...store.projections,
      listFiles: (query: FileQuery) => {
        const found = store.projections.listFiles(query)
        pages.push(found.length)
        return found
      },
    }
    const pins = { isWhole: () => true }
    const figures = createFileFigures({ store: { projections }, pins, events, clock })
    const asked = [figures(), figures()]
    assert.deepEqual(pages, [200], 'the rest comes in later turns')
    await clock.advance(20)
    for (const answer of await Promise.all(asked)) {
      assert.deepEqual([answer.count, answer.local, answer.used], [1000, 1000, 10_000])
    }
    const once = pages.length
    await figures()
    assert.equal(pages.length, once, 'they stand for a moment')
    put('one more')
    events.emit('record:pending', { record: write(by, fileAdd('y')), own: true })
    const again = figures()
    await clock.advance(20)
    assert.equal((await again).count, 1001)
  })
})
