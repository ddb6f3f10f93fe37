import assert from 'node:assert/strict'
import { encode as encodeNode, prepare } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'
import type { ContentId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { sha256 } from '../../../src/common/crypto.ts'
import { DAG_PB, RAW } from '../../../src/common/dag-cbor.ts'
import { createEvents } from '../../../src/common/events.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createPublicBlocks } from '../../../src/node/public-blocks.ts'
import type { NodeEvents } from '../../../src/services/events.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { seedOf } from '../../helpers/chain-node.ts'
import { contentOf, userCreate, write, writer } from '../storage/chain-model.ts'

const FILES = 1000

describe('blocks below public files', () => {
  const cid = (codec: number, bytes: Uint8Array): CID =>
    CID.createV1(codec, create(0x12, sha256(bytes)))
  const leaf = (name: string): CID => cid(RAW, seedOf(name))

  const made = (maxBlocks?: number) => {
    const db = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db
    const store = createChainStore(db)
    const events = createEvents<NodeEvents>((error) => {
      throw error
    })
    const nodes = new Map<string, Uint8Array>()
    const by = writer(1)
    store.putRecord(write(by, userCreate('x')), { own: false, received: 1 })
    const add = (name: string, here = true): { root: ContentId; bring: () => void } => {
      const links = [1, 2, 3].map((at) => ({ Hash: leaf(`${name} ${at}`), Tsize: 1 }))
      const bytes = encodeNode(prepare({ Links: links }))
      const root = cid(DAG_PB, bytes).toString() as ContentId
      const bring = (): void => void nodes.set(root, bytes)
      if (here) bring()
      const record = write(by, { type: 'file.add', body: { ...contentOf(name), root } })
      store.putRecord(record, { own: false, received: 1 })
      events.emit('record:pending', { record, own: false })
      return { root, bring }
    }
    let reads = 0
    let lists = 0
    const read = async (wanted: CID): Promise<Uint8Array | undefined> => {
      reads += 1
      return nodes.get(wanted.toString())
    }
    const projections = {
      listFiles: (query: Parameters<typeof store.projections.listFiles>[0]) => {
        lists += 1
        return store.projections.listFiles(query)
      },
    }
    const blocks = createPublicBlocks(
      { store: { record: store.record, projections }, read, events, clock: systemClock },
      maxBlocks === undefined ? {} : { maxBlocks },
    )
    return { add, blocks, events, reads: () => reads, lists: () => lists }
  }

  it('invented CIDs cost one walk through everything, and then nothing', async () => {
    const { add, blocks, reads, lists } = made()
    const roots = Array.from({ length: FILES }, (_, at) => add(`file ${at}`).root)
    const asked = Array.from({ length: 20 }, (_, at) => blocks.rootsOf(leaf(`invented ${at}`)))
    for (const found of await Promise.all(asked)) assert.deepEqual(found, [])
    assert.equal(reads(), FILES)
    const before = lists()
    for (let at = 0; at < 1000; at += 1) await blocks.rootsOf(leaf(`invented again ${at}`))
    assert.equal(reads(), FILES)
    assert.equal(lists(), before)
    assert.deepEqual(await blocks.rootsOf(leaf('file 7 2')), [roots[7]])
  })

  it('what is added, and what comes later, is found by one more look', async () => {
    const { add, blocks, events, reads } = made()
    add('first')
    await blocks.rootsOf(leaf('invented'))
    const { root, bring } = add('second', false)
    assert.deepEqual(await blocks.rootsOf(leaf('second 1')), [])
    bring()
    events.emit('copy:verified', { version: root as never, root, size: 3 })
    assert.deepEqual(await blocks.rootsOf(leaf('second 1')), [root])
    assert.equal(reads(), 3)
  })

  it('keeps to its bound', async () => {
    const { add, blocks } = made(10)
    for (let at = 0; at < 10; at += 1) add(`file ${at}`)
    const found = await Promise.all(
      Array.from({ length: 10 }, (_, at) => blocks.rootsOf(leaf(`file ${at} 1`))),
    )
    assert.ok(found.filter((roots) => roots.length > 0).length <= 5)
  })
})
