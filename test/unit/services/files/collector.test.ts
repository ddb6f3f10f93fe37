import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import type { ContentId } from '../../../../src/chain/ids.ts'
import {
  isRemovalDeep,
  REMOVAL_BLOCKS,
  REMOVAL_MS,
} from '../../../../src/services/files/removals.ts'
import {
  type FilesNode,
  START,
  streamOf,
  type TestClock,
  textOf,
  withAdaAndBob,
} from './files-node.ts'

const { signal } = new AbortController()
const visibility = 'public' as const
const HOUR = 3_600_000

/** Content's times are the system's: the chain's clock of these tests begins there. */
function fromNow(clock: TestClock): void {
  clock.time = Date.now()
}

async function countOf(node: FilesNode): Promise<number> {
  let count = 0
  for await (const _ of node.store.digests()) count += 1
  return count
}

/** Mines blocks with a vote of Bob's in each, so that there is something to mine. */
async function grow(ada: FilesNode, bob: FilesNode, clock: TestClock, blocks: number) {
  const { file } = await ada.files.add(
    streamOf('anchor'),
    { name: 'anchor', visibility },
    { signal },
  )
  await ada.tell(bob)
  for (let n = 0; n < blocks; n += 1) {
    clock.time += 2000
    await bob.votes.cast(file, { verdict: 'authentic', comment: `${n}` }, signal)
    const record = bob.node.store.newestOf(bob.node.device)?.record
    assert.ok(record)
    await ada.node.chain.acceptRecords([record.bytes], bob.node.device)
    assert.ok(await ada.node.mine())
  }
}

describe('collector', () => {
  it('a removal is deep after 100 blocks and 7 days, not before', () => {
    const removal = { height: 10, time: START }
    const at = (blocks: number, ms: number) =>
      isRemovalDeep(removal, { height: 10 + blocks, time: START + ms })
    assert.equal(at(REMOVAL_BLOCKS, REMOVAL_MS), true)
    assert.equal(at(REMOVAL_BLOCKS - 1, 10 * REMOVAL_MS), false)
    assert.equal(at(10 * REMOVAL_BLOCKS, REMOVAL_MS - 1), false)
  })

  it('frees the bytes of a removed file when the removal is deep, and no others', async function () {
    this.timeout(60_000)
    await withAdaAndBob(async (ada, bob, clock) => {
      fromNow(clock)
      const gone = await ada.files.add(streamOf('old'), { name: 'gone', visibility }, { signal })
      await ada.files.update(gone.file, streamOf('older shared'), {}, { signal })
      const shared = await ada.files.add(
        streamOf('older shared'),
        { name: 'stays', visibility },
        { signal },
      )
      await ada.files.remove(gone.file, signal)
      await ada.node.mine()
      const pinned = (): number => ada.pins.pinned(10).length
      clock.time += 2 * REMOVAL_MS
      assert.equal((await ada.collector.collect(signal)).unpinned, 0, 'a week, but no blocks')
      assert.equal(pinned(), 2)
      await grow(ada, bob, clock, REMOVAL_BLOCKS)
      const result = await ada.collector.collect(signal)
      assert.deepEqual([result.unpinned, result.blocks, result.bytes], [1, 1, 3])
      assert.ok(ada.pins.isPinned(shared.root as ContentId))
      assert.equal(ada.pins.isPinned(gone.root as ContentId), false)
    })
  })

  it('STORAGE_FULL: what the add left goes at once, and nothing else', () =>
    withAdaAndBob(async (ada, _bob, clock) => {
      clock.time = Date.now() - 5000
      await ada.collector.start()
      const kept = await ada.files.add(streamOf('kept'), { name: 'kept', visibility }, { signal })
      const { publisher } = ada
      const full = Object.assign(new Error('full'), { code: 'STORAGE_FULL' })
      ada.publisher = { publish: () => Promise.reject(full) }
      const blocks = await countOf(ada)
      clock.time = Date.now() + 5000
      const running = ada.pins.lease()
      clock.time += 5000
      await assert.rejects(
        ada.files.add(streamOf('of no use'), { name: 'x', visibility }, { signal }),
        { code: 'STORAGE_FULL' },
      )
      await ada.collector.collect(signal)
      assert.equal(await countOf(ada), blocks)
      running.release()
      ada.publisher = publisher
      assert.equal(await textOf(ada.files.read(kept.file, {}, signal)), 'kept')
      await ada.collector.stop()
    }))

  it('frees what was let go, and what an add left that ended between pin and record', () =>
    withAdaAndBob(async (ada, _bob, clock) => {
      fromNow(clock)
      const freed = await ada.files.add(
        streamOf('freed'),
        { name: 'freed', visibility },
        { signal },
      )
      const kept = await ada.files.add(streamOf('kept'), { name: 'kept', visibility }, { signal })
      await ada.files.free(freed.file, signal, { force: true })
      const orphan = await ada.files.add(streamOf('orphan'), { name: 'o', visibility }, { signal })
      ada.pins.unpin(orphan.root as ContentId)
      const stray = 'bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e' as ContentId
      await ada.store.put(CID.parse(stray), Buffer.from('hello world'))
      ada.pins.pinFlushed(stray)
      assert.deepEqual((await ada.collector.collect(signal)).blocks, 0, 'all of it is young')
      clock.time += 2 * HOUR
      const result = await ada.collector.collect(signal)
      assert.deepEqual([result.unpinned, result.blocks], [1, 3])
      assert.deepEqual(
        ada.pins.pinned(10).map(({ root }) => root),
        [kept.root],
      )
    }))

  it('runs by itself once an hour, and ends', () =>
    withAdaAndBob(async (ada, _bob, clock) => {
      fromNow(clock)
      const added = await ada.files.add(streamOf('x'), { name: 'x', visibility }, { signal })
      await ada.files.free(added.file, signal, { force: true })
      await ada.collector.start()
      await ada.collector.start()
      clock.time += 2 * HOUR
      await ada.collector.collect(signal)
      assert.equal(await ada.store.has(CID.parse(added.root)), false)
      await ada.collector.stop()
      await ada.collector.stop()
    }))
})
