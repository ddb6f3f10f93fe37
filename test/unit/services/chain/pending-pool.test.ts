import assert from 'node:assert/strict'
import { createEvents } from '../../../../src/common/events.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import type { OwnRecords } from '../../../../src/services/chain/own-records.ts'
import {
  type Added,
  createPendingPool,
  type PendingPool,
} from '../../../../src/services/chain/pending-pool.ts'
import type { NodeEvents } from '../../../../src/services/events.ts'
import { type ChainStore, createChainStore } from '../../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../../src/storage/database.ts'
import { handClock } from '../../../helpers/chain-node.ts'
import {
  blockOn,
  fileAdd,
  switchTo,
  userCreate,
  type Writer,
  write,
  writer,
} from '../../storage/chain-model.ts'

describe('pending pool', () => {
  const clock = handClock(1_000)
  const self = writer(1)
  let store: ChainStore
  let pool: PendingPool

  beforeEach(() => {
    clock.time += 1000
    store = createChainStore(
      openDatabase({ path: ':memory:', now: clock.now, logger: silentLogger }).db,
    )
    const genesis = blockOn(undefined, [])
    store.begin(genesis.block, genesis.effect, 1n)
    const events = createEvents<NodeEvents>((error) => {
      throw error
    })
    const own: Pick<OwnRecords, 'adopted'> = { adopted: () => {} }
    pool = createPendingPool(
      { store, own: own as OwnRecords, clock, events },
      { device: self.device, maxForeign: 2000, maxOfDevice: 100 },
    )
  })

  const written = (by: Writer, count: number) =>
    Array.from({ length: count }, (_, at) =>
      write(by, by.last === undefined ? userCreate('x') : fileAdd(`${at}`)),
    )

  it('one device has its share and no more; own records have no bound', () => {
    const many = written(writer(2), 150)
    const counts = ({ accepted, gap }: Added) => [accepted, gap]
    assert.deepEqual(counts(pool.add(many)), [100, false])
    assert.deepEqual(counts(pool.add(many)), [0, false])
    assert.equal(pool.add(written(writer(3), 5)).accepted, 5)
    assert.equal(pool.add(written({ ...self }, 150)).accepted, 150)
    const heads = store.deviceHeads().map(({ sequence }) => sequence)
    assert.deepEqual(heads.sort(), [149, 4, 99].sort())
  })

  it('a share is free again when records were confirmed', () => {
    const by = writer(2)
    const many = written(by, 150)
    pool.add(many)
    const genesis = blockOn(undefined, [])
    switchTo(store, blockOn(genesis, many.slice(0, 60)))
    assert.equal(pool.add(many).accepted, 50)
  })

  it('a full pool takes new records: the oldest leave, and what stays is without a gap', () => {
    const flood = Array.from({ length: 25 }, (_, at) => written(writer(10 + at), 100))
    for (const records of flood) {
      clock.time += 1
      assert.equal(pool.add(records).accepted, 100)
      assert.ok(store.foreignCount() <= 2000)
    }
    const honest = written(writer(5), 3)
    assert.equal(pool.add(honest).accepted, 3)
    for (const { id } of honest) assert.ok(store.hasRecord(id))
    const [first] = flood.flat().slice(99)
    assert.ok(first && !store.hasRecord(first.id), 'the first ones left')
    for (const { record } of store.pending(10_000)) {
      assert.ok(record.previous === null || store.hasRecord(record.previous))
    }
  })
})
