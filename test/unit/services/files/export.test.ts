import assert from 'node:assert/strict'
import { encode as encodeNode, prepare } from '@ipld/dag-pb'
import { MemoryBlockstore } from 'blockstore-core'
import fc from 'fast-check'
import { UnixFS } from 'ipfs-unixfs'
import { importFile } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { trickle } from 'ipfs-unixfs-importer/layout'
import { CID } from 'multiformats/cid'
import { DAG_PB } from '../../../../src/common/dag-cbor.ts'
import { createGetBlock, type GetBlock } from '../../../../src/services/files/blocks.ts'
import { readContent } from '../../../../src/services/files/export.ts'
import { importContent } from '../../../../src/services/files/import.ts'
import { pattern, rawCid, withStore } from '../../storage/blockstore-helpers.ts'

const signal = new AbortController().signal

/** Blocks in memory, and which were asked for. */
function memory(): { blocks: Map<string, Uint8Array>; get: GetBlock; asked: string[] } {
  const blocks = new Map<string, Uint8Array>()
  const asked: string[] = []
  return {
    blocks,
    asked,
    get: async (cid) => {
      asked.push(cid.toString())
      const bytes = blocks.get(cid.toString())
      assert.ok(bytes, 'the block is there')
      return bytes
    },
  }
}

async function imported(bytes: Uint8Array, leafBytes: number, nodeLinks = 3) {
  const store = memory()
  const sink = {
    putVerified: async (cid: CID, block: Uint8Array): Promise<void> => {
      store.blocks.set(cid.toString(), block.slice())
    },
  }
  const source = (async function* () {
    yield bytes
  })()
  const { root } = await importContent(sink, source, { signal, leafBytes, nodeLinks })
  return { root, store }
}

async function read(get: GetBlock, root: string, range: Parameters<typeof readContent>[2]) {
  const parts: Uint8Array[] = []
  for await (const part of readContent(get, root, range, signal)) parts.push(part)
  return Buffer.concat(parts)
}

describe('reading of content', () => {
  it('any range equals the slice', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(200),
        fc.integer({ min: 1, max: 12 }),
        fc.nat(250),
        fc.nat(250),
        async (size, leafBytes, offset, length) => {
          fc.pre(offset <= size)
          const bytes = pattern(size)
          const { root, store } = await imported(bytes, leafBytes)
          assert.deepEqual(
            await read(store.get, root, { size, offset, length }),
            Buffer.from(bytes.subarray(offset, offset + length)),
          )
        },
      ),
      { numRuns: 200 },
    )
  })

  it('reads other layouts: leaves with their bytes in dag-pb, trickle trees', async () => {
    const bytes = pattern(2000)
    for (const layout of [undefined, trickle({ maxChildrenPerNode: 3 })]) {
      const blockstore = new MemoryBlockstore()
      const { cid } = await importFile({ content: bytes }, blockstore, {
        profile: 'unixfs-v0-2015',
        chunker: fixedSize({ chunkSize: 100 }),
        ...(layout === undefined ? {} : { layout }),
      })
      const get: GetBlock = async (of) => {
        const parts: Uint8Array[] = []
        for await (const part of blockstore.get(of)) parts.push(part)
        return Buffer.concat(parts)
      }
      const root = cid.toString()
      assert.deepEqual(await read(get, root, { size: 2000 }), Buffer.from(bytes))
      assert.deepEqual(
        await read(get, root, { size: 2000, offset: 950, length: 120 }),
        Buffer.from(bytes.subarray(950, 1070)),
      )
    }
  })

  it('asks only for the blocks that a range needs', async () => {
    const { root, store } = await imported(pattern(90), 10)
    await read(store.get, root, { size: 90, offset: 41, length: 5 })
    assert.equal(store.asked.length, 3, 'root, one node, one leaf')
  })

  it('runs no more than a few blocks ahead of a slow reader', async () => {
    const { root, store } = await imported(pattern(1000), 10, 1000)
    const reading = readContent(store.get, root, { size: 1000 }, signal)
    await reading.next()
    assert.ok(store.asked.length <= 6, `${store.asked.length} blocks`)
    await reading.return(undefined)
  })

  it('RANGE_OUTSIDE: a range that begins beyond the end', async () => {
    const { root, store } = await imported(pattern(10), 10)
    await assert.rejects(read(store.get, root, { size: 10, offset: 11 }), { code: 'RANGE_OUTSIDE' })
    assert.equal((await read(store.get, root, { size: 10, offset: 10 })).length, 0)
  })

  it('CONTENT_MALFORMED: trees that lie about their sizes, or are no file', async () => {
    const leaf = pattern(10)
    const child = rawCid(leaf)
    const bad: readonly [string, UnixFS, number, number][] = [
      ['a leaf shorter than said', new UnixFS({ type: 'file', blockSizes: [20n] }), 1, 20],
      ['another size than the record', new UnixFS({ type: 'file', blockSizes: [10n] }), 1, 11],
      ['more sizes than links', new UnixFS({ type: 'file', blockSizes: [10n, 10n] }), 1, 20],
      ['a folder', new UnixFS({ type: 'directory' }), 0, 0],
    ]
    for (const [what, unixfs, links, size] of bad) {
      const store = memory()
      const Links = Array.from({ length: links }, () => ({ Name: '', Tsize: 10, Hash: child }))
      const node = encodeNode(prepare({ Data: unixfs.marshal(), Links }))
      const root = CID.createV1(DAG_PB, rawCid(node).multihash).toString()
      store.blocks.set(root, node).set(child.toString(), leaf)
      await assert.rejects(read(store.get, root, { size }), { code: 'CONTENT_MALFORMED' }, what)
    }
    const store = memory()
    const junk = CID.createV1(DAG_PB, child.multihash).toString()
    store.blocks.set(junk, leaf)
    await assert.rejects(read(store.get, junk, { size: 10 }), { code: 'CONTENT_MALFORMED' })
  })
})

describe('blocks from here or from elsewhere', () => {
  const bytes = pattern(500)
  const cid = rawCid(bytes)

  it('fetches what is missing, stores it, and does not ask again', () =>
    withStore(async ({ store }) => {
      await assert.rejects(createGetBlock(store)(cid, signal), { code: 'CONTENT_MISSING' })
      let fetches = 0
      const get = createGetBlock(store, async () => {
        fetches += 1
        return bytes
      })
      assert.deepEqual(Buffer.from(await get(cid, signal)), Buffer.from(bytes))
      await get(cid, signal)
      assert.equal(fetches, 1)
    }))

  it('CONTENT_MISMATCH: other bytes than asked for are not stored', () =>
    withStore(async ({ store }) => {
      const get = createGetBlock(store, async () => pattern(500, 9))
      await assert.rejects(get(cid, signal), { code: 'CONTENT_MISMATCH' })
      assert.equal(await store.has(cid), false)
    }))
})
