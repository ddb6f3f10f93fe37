import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { systemClock } from '../../../src/common/clock.ts'
import { createPublicContent, type PublicContent } from '../../../src/node/public-content.ts'
import { dagBlocks } from '../../../src/storage/pins-walk.ts'
import { type FilesNode, streamOf, withAdaAndBob } from '../services/files/files-node.ts'

const MIB = 1024 * 1024
const signal = new AbortController().signal

describe('what anybody may read', () => {
  const contentOf = ({ node, store }: FilesNode, admission: 'open' | 'invite'): PublicContent => {
    const broker = { retrieve: () => Promise.reject(new Error('not here')) }
    const { events, store: chain } = node
    const clock = systemClock
    return createPublicContent(
      { store: chain, content: store, broker, events, clock },
      { admission },
    )
  }
  const mine = async (ada: FilesNode, clock: { time: number }): Promise<void> => {
    clock.time += 2000
    assert.ok(await ada.node.mine())
  }

  it('the chain of an open network, and nothing of one by invite', () =>
    withAdaAndBob(async (ada, _bob, clock) => {
      await mine(ada, clock)
      const { store } = ada.node
      const { id, header } = store.block(store.tip().id) ?? assert.fail('there is a tip')
      const record = store.projections.recentRecords({ limit: 1 })[0]?.record.id ?? ''
      for (const text of [id, header.records, record]) {
        const cid = CID.parse(text)
        assert.equal(await contentOf(ada, 'open').isPublic(cid), true, text)
        const closed = contentOf(ada, 'invite')
        assert.equal(await closed.isPublic(cid), false, text)
        await assert.rejects(closed.get(cid, { signal }))
      }
    }))

  it('a block of a public file as long as the file is there', () =>
    withAdaAndBob(async (ada, _bob, clock) => {
      const bytes = Buffer.alloc(3 * MIB, 'x')
      bytes.write('first')
      const about = { name: 'film.mp4', visibility: 'public' } as const
      const { file, root } = await ada.files.add(streamOf(bytes), about, { signal })
      await mine(ada, clock)
      const leaves: CID[] = []
      const read = (cid: CID): Promise<Uint8Array> => ada.store.bytes(cid)
      for await (const { cid } of dagBlocks(root, read)) leaves.push(cid)
      const leaf = leaves.at(-1) ?? assert.fail('it has leaves')
      const content = contentOf(ada, 'invite')
      assert.equal(await content.isPublic(leaf), true)
      assert.equal(await content.isPublic(leaf), true, 'remembered')
      await ada.files.remove(file, signal)
      await mine(ada, clock)
      assert.equal(await content.isPublic(leaf), false)
      assert.equal(await content.isPublic(CID.parse(root)), false)
    }))
})
