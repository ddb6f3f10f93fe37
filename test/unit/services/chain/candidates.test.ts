import assert from 'node:assert/strict'
import type { RecordId } from '../../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../../src/chain/record.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { createCandidates } from '../../../../src/services/chain/candidates.ts'
import { createChainStore } from '../../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../../src/storage/database.ts'
import { device, fileAdd, userCreate, write, writer } from '../../storage/chain-model.ts'

describe('candidates for the next block', () => {
  it('own records first, then every device in turn, however many there are', () => {
    const store = createChainStore(
      openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db,
    )
    const writers = Array.from({ length: 10 }, (_, n) => writer(n + 1))
    const records = new Map<string, SignedRecord>()
    for (const by of writers) {
      const first = write(by, userCreate('x'))
      records.set(by.device, first)
      for (const record of [first, write(by, fileAdd('y'))]) {
        store.putRecord(record, { own: false, received: 1 })
      }
    }
    const [self] = writers
    assert.ok(self)
    const candidates = createCandidates(store, self.device, 3)
    const seen = new Set<string>()
    for (let look = 0; look < 4; look += 1) {
      const found = [...candidates.look()]
      assert.deepEqual(
        found.slice(0, 2).map(({ device, sequence }) => [device, sequence]),
        [
          [self.device, 0],
          [self.device, 1],
        ],
      )
      assert.ok(found.length <= 8)
      assert.equal(candidates.more, true)
      for (const { device } of found) seen.add(device)
    }
    assert.equal(seen.size, 10)
  })

  it('who stops early is given the same device first the next time', () => {
    const store = createChainStore(
      openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db,
    )
    const own = writer(99)
    for (const by of [1, 2, 3, 4].map(writer)) {
      store.putRecord(write(by, userCreate('x')), { own: false, received: 1 })
    }
    const candidates = createCandidates(store, own.device)
    const all = [...candidates.look()].map(({ device }) => device)
    assert.equal(candidates.more, false)
    for (const wanted of all) {
      let stopped: string | undefined
      for (const { device } of candidates.look()) {
        stopped = device
        if (device === wanted) break
      }
      assert.equal(stopped, wanted)
      const [next] = candidates.look()
      assert.equal(next?.device, wanted)
    }
  })

  it('of thousands of twins some are looked at, and what continues the chain is among them', () => {
    const store = createChainStore(
      openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db,
    )
    const by = writer(1)
    const admission = write(by, userCreate('x'))
    store.putRecord(admission, { own: false, received: 1 })
    store.transaction(() => {
      for (let at = 0; at < 3000; at += 1) {
        const twin = write(by, fileAdd(`twin ${at}`), { after: admission })
        store.putRecord(twin, { own: false, received: 1 })
      }
    })
    let looks = 0
    const record = (id: RecordId) => {
      looks += 1
      return store.record(id)
    }
    const counting = { ...store, record }
    const found = [...createCandidates(counting, device(99)).look()]
    assert.deepEqual(
      found.slice(0, 2).map(({ sequence }) => sequence),
      [0, 1],
    )
    assert.ok(found.length <= 100, `${found.length} records`)
    assert.ok(looks < 700, `${looks} records were read`)
  })
})
