import assert from 'node:assert/strict'
import { unlink, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { encode as encodeNode, prepare } from '@ipld/dag-pb'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import type { ContentId, FileId } from '../../../src/chain/ids.ts'
import { DAG_PB } from '../../../src/common/dag-cbor.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import type { ContentBlockstore } from '../../../src/storage/blockstore.ts'
import { blockName, shardOf } from '../../../src/storage/blockstore-layout.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { createPins, LEASE_KEPT_MS, type PinBook } from '../../../src/storage/pins.ts'
import {
  GRACE_MS,
  type SweepResult,
  sweep,
  UNKNOWN_KEPT_MS,
} from '../../../src/storage/pins-sweep.ts'
import type { Database } from '../../../src/storage/sqlite.ts'
import { pattern, rawCid, type TestStore, withStore } from './blockstore-helpers.ts'

const signal = new AbortController().signal
const HOUR = 3_600_000

interface Bench extends TestStore {
  readonly db: Database
  pins: PinBook
  /** Time beyond the system's, milliseconds. */
  later: number
  sweep(): Promise<SweepResult>
  has(cid: CID): Promise<boolean>
}

function withPins(run: (bench: Bench) => Promise<void>): Promise<void> {
  return withStore(async (test) => {
    const time = { later: 0 }
    const now = (): number => Date.now() + time.later
    const { db } = openDatabase({ path: ':memory:', now, logger: silentLogger })
    const bench: Bench = {
      ...test,
      db,
      get later() {
        return time.later
      },
      set later(ms) {
        time.later = ms
      },
      pins: createPins({ db, store: test.store, now }),
      sweep: () => sweep({ pins: bench.pins, store: test.store, now }, signal),
      has: async (cid) => test.store.has(cid),
    }
    await run(bench)
    db.close()
  })
}

const leafOf = (n: number): Uint8Array => pattern(20, n)

function nodeOf(links: readonly CID[]): { cid: CID; bytes: Uint8Array } {
  const bytes = encodeNode(
    prepare({ Data: new Uint8Array(), Links: links.map((Hash) => ({ Name: '', Tsize: 1, Hash })) }),
  )
  return { cid: CID.createV1(DAG_PB, rawCid(bytes).multihash), bytes }
}

/** A tree over leaves: a root over nodes of two leaves each. Its blocks, the root last. */
function treeOf(leaves: readonly number[]): { root: ContentId; blocks: Map<CID, Uint8Array> } {
  const blocks = new Map<CID, Uint8Array>()
  const nodes: CID[] = []
  for (let at = 0; at < leaves.length; at += 2) {
    const cids = leaves.slice(at, at + 2).map((n) => {
      const cid = rawCid(leafOf(n))
      blocks.set(cid, leafOf(n))
      return cid
    })
    const node = nodeOf(cids)
    blocks.set(node.cid, node.bytes)
    nodes.push(node.cid)
  }
  const root = nodeOf(nodes)
  blocks.set(root.cid, root.bytes)
  return { root: root.cid.toString() as ContentId, blocks }
}

function pathOf({ dir }: TestStore, cid: CID): string {
  const name = blockName(cid)
  return join(dir, shardOf(name), `${name}.data`)
}

async function put(store: ContentBlockstore, blocks: Map<CID, Uint8Array>): Promise<void> {
  for (const [cid, bytes] of blocks) await store.put(cid, bytes)
}

describe('pins', () => {
  it('a block that two roots share stays while one of them is pinned, whatever the order', () =>
    withPins(async (bench) => {
      const a = treeOf([1, 2, 3])
      const b = treeOf([3, 4])
      await put(bench.store, a.blocks)
      await put(bench.store, b.blocks)
      await bench.pins.pin(a.root, signal)
      await bench.pins.pin(b.root, signal)
      bench.pins.unpin(a.root)
      await bench.pins.pin(a.root, signal)
      bench.pins.unpin(b.root)
      bench.later = 2 * HOUR
      await bench.sweep()
      for (const cid of a.blocks.keys()) assert.ok(await bench.has(cid))
      assert.equal(await bench.has(rawCid(leafOf(4))), false)
    }))

  it('after any operations a sweep leaves exactly the blocks of pinned roots', async function () {
    this.timeout(30_000)
    const trees = [[1, 2, 3, 4], [3, 4, 5], [5], [1, 6, 1, 6], [7, 8, 9]].map(treeOf)
    const tree = fc.nat(trees.length - 1)
    const operation = fc.oneof(
      fc.record({ do: fc.constant('add' as const), tree }),
      fc.record({ do: fc.constant('unpin' as const), tree }),
      fc.record({ do: fc.constant('drop' as const), tree }),
      fc.record({ do: fc.constant('sweep' as const), tree }),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 12 }), (operations) =>
        withPins(async (bench) => {
          const pinned = new Set<number>()
          for (const step of operations) {
            const chosen = trees[step.tree]
            assert.ok(chosen)
            if (step.do === 'add') {
              await put(bench.store, chosen.blocks)
              await bench.pins.pin(chosen.root, signal)
              pinned.add(step.tree)
            } else if (step.do === 'unpin') {
              bench.pins.unpin(chosen.root)
              pinned.delete(step.tree)
            } else if (step.do === 'drop') {
              await put(bench.store, chosen.blocks)
            } else {
              bench.later += 2 * HOUR
              await bench.sweep()
            }
          }
          bench.later += 2 * HOUR
          await bench.sweep()
          const left = new Set<string>()
          for await (const digest of bench.store.digests()) {
            left.add(Buffer.from(digest).toString('hex'))
          }
          const wanted = new Set(
            [...pinned].flatMap((index) =>
              [...(trees[index]?.blocks.keys() ?? [])].map((cid) =>
                Buffer.from(cid.multihash.digest).toString('hex'),
              ),
            ),
          )
          assert.deepEqual([...left].sort(), [...wanted].sort())
        }),
      ),
      { numRuns: 25 },
    )
  })

  it('CONTENT_MISSING: an incomplete root is not pinned', () =>
    withPins(async (bench) => {
      const { root, blocks } = treeOf([1, 2, 3])
      blocks.delete([...blocks.keys()][0] as CID)
      await put(bench.store, blocks)
      await assert.rejects(bench.pins.pin(root, signal), { code: 'CONTENT_MISSING' })
      assert.equal(bench.pins.isPinned(root), false)
      assert.deepEqual(bench.pins.leasedRoots(), [])
    }))

  it('what an add has put, or found there, stays while its lease lives', () =>
    withPins(async (bench) => {
      const old = treeOf([1, 2])
      await put(bench.store, old.blocks)
      bench.later = 2 * HOUR
      const lease = bench.pins.lease()
      // The store's clock is the system's: what the add finds there is as old as the lease is not.
      bench.later = 5 * HOUR
      const before = bench.pins.oldestOpenLease()
      assert.ok(before !== undefined)
      await bench.sweep()
      assert.equal(await bench.has(rawCid(leafOf(1))), false, 'older than the lease')
      bench.later = 0
      lease.release()
      const second = bench.pins.lease()
      await put(bench.store, old.blocks)
      bench.later = 5 * HOUR
      await bench.sweep()
      for (const cid of old.blocks.keys()) assert.ok(await bench.has(cid))
      second.release()
      second.release()
      await bench.sweep()
      for (const cid of old.blocks.keys()) assert.equal(await bench.has(cid), false)
    }))

  it('the grace period keeps what is young', () =>
    withPins(async (bench) => {
      const { blocks } = treeOf([1])
      await put(bench.store, blocks)
      bench.later = GRACE_MS - 10_000
      assert.equal((await bench.sweep()).blocks, 0)
      bench.later = GRACE_MS + 10_000
      assert.equal((await bench.sweep()).blocks, blocks.size)
    }))

  it('content that is older than the database stays for a month: the database may have been lost', () =>
    withPins(async (bench) => {
      const { blocks } = treeOf([1, 2])
      await put(bench.store, blocks)
      const old = Date.now() / 1000 - 100 * 24 * 3600
      for (const cid of blocks.keys()) await utimes(pathOf(bench, cid), old, old)
      bench.later = UNKNOWN_KEPT_MS - HOUR
      assert.equal((await bench.sweep()).blocks, 0)
      bench.later = UNKNOWN_KEPT_MS + HOUR
      assert.equal((await bench.sweep()).blocks, blocks.size)
    }))

  it('what a broken-off fetch has brought stays a week, also after a restart', () =>
    withPins(async (bench) => {
      const { root, blocks } = treeOf([1, 2, 3, 4])
      const missing = rawCid(leafOf(4))
      for (const [cid, bytes] of blocks) if (!cid.equals(missing)) await bench.store.put(cid, bytes)
      bench.pins.lease(root)
      bench.pins.lease()
      const now = (): number => Date.now() + bench.later
      bench.pins = createPins({ db: bench.db, store: bench.store, now })
      assert.equal(bench.pins.oldestOpenLease(), undefined)
      bench.later = 5 * HOUR
      assert.equal((await bench.sweep()).blocks, 0)
      bench.later = LEASE_KEPT_MS + HOUR
      assert.equal((await bench.sweep()).blocks, blocks.size - 1)
    }))

  it('deletes nothing while a node of a pinned root is missing', () =>
    withPins(async (bench) => {
      const a = treeOf([1, 2])
      const b = treeOf([3, 4])
      await put(bench.store, a.blocks)
      await put(bench.store, b.blocks)
      await bench.pins.pin(a.root, signal)
      const node = [...a.blocks.keys()].find((cid) => cid.code === DAG_PB)
      assert.ok(node)
      await unlink(pathOf(bench, node))
      bench.later = 2 * HOUR
      assert.deepEqual(await bench.sweep(), { blocks: 0, bytes: 0, incomplete: [a.root] })
      assert.ok(await bench.has(rawCid(leafOf(1))))
      await put(bench.store, a.blocks)
      assert.equal((await bench.sweep()).blocks, b.blocks.size)
    }))

  it('sweeps and adds of the same blocks at once lose nothing that is pinned', () =>
    withPins(async (bench) => {
      const trees = Array.from({ length: 20 }, (_, n) => treeOf([n, n + 1, n + 2, 99]))
      const old = Date.now() / 1000 - 2 * 3600
      bench.db.exec(`UPDATE content_book SET since = 0`)
      for (const each of trees) {
        await put(bench.store, each.blocks)
        for (const cid of each.blocks.keys()) await utimes(pathOf(bench, cid), old, old)
      }
      let sweeping = true
      const sweeps = (async () => {
        while (sweeping) await bench.sweep()
      })()
      await Promise.all(
        trees.map(async (each) => {
          const lease = bench.pins.lease()
          await put(bench.store, each.blocks)
          await bench.store.flush()
          bench.pins.pinFlushed(each.root)
          lease.release()
        }),
      )
      sweeping = false
      await sweeps
      for (const each of trees) await bench.pins.pin(each.root, signal)
    }))

  it('a tree that links to itself a billion times costs what it stores', () =>
    withPins(async (bench) => {
      let cid = rawCid(leafOf(1))
      await bench.store.put(cid, leafOf(1))
      for (let level = 0; level < 30; level += 1) {
        const node = nodeOf([cid, cid])
        await bench.store.put(node.cid, node.bytes)
        cid = node.cid
      }
      await bench.pins.pin(cid.toString() as ContentId, signal)
    }))

  it('one row for a root, however often its fetch is tried; the last holder ends it', () =>
    withPins(async ({ pins, db }) => {
      const { root } = treeOf([1])
      const rows = (): number | undefined =>
        db.prepare<{ n: number }>('SELECT count(*) AS n FROM leases').get()?.n
      for (let n = 0; n < 3; n += 1) pins.lease(root).suspend()
      assert.equal(rows(), 1)
      const [first, second] = [pins.lease(root), pins.lease(root)]
      first.release()
      assert.deepEqual(pins.leasedRoots(), [root])
      second.release()
      assert.equal(rows(), 0)
    }))

  it('remembers what the person wants of a file here', () =>
    withPins(async ({ pins }) => {
      const file = 'bafyfile' as FileId
      assert.equal(pins.choice(file), undefined)
      pins.setChoice(file, 'freed')
      pins.setChoice(file, 'kept')
      assert.equal(pins.choice(file), 'kept')
      pins.setChoice(file, undefined)
      assert.equal(pins.choice(file), undefined)
    }))
})
