import assert from 'node:assert/strict'
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { ContentId } from '../../../src/chain/ids.ts'
import { cidText, RAW } from '../../../src/common/dag-cbor.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { openSalvage } from '../../../src/storage/salvage.ts'
import { PAGE_BYTES } from '../../../src/storage/sqlite.ts'
import { createChainNode, handClock, seedOf } from '../../helpers/chain-node.ts'
import { temporaryDirectories } from './temporary.ts'

/** A database file with a chain of `blocks` blocks, closed. */
async function writeChain(path: string, blocks: number): Promise<void> {
  const clock = handClock(1_700_000_001_000)
  const { db } = openDatabase({ path, now: clock.now, logger: silentLogger })
  const ada = createChainNode('ada', { clock, store: createChainStore(db) })
  await ada.join()
  for (let height = 1; height <= blocks; height += 1) {
    clock.time += 2000
    const sha256 = seedOf(`file ${height}`)
    const root = cidText(RAW, sha256) as ContentId
    const name = `file ${height}.txt`
    const file = { root, storedSize: 5, size: 5, sha256, name, folder: [] }
    await ada.publish({
      type: 'file.add',
      body: { ...file, visibility: 'public', mediaType: 'text/plain' },
    })
    await ada.mine()
  }
  await ada.chain.stop()
  db.close()
}

describe('storage/salvage', () => {
  const directory = temporaryDirectories()

  it('gets blocks and records out of a whole file, and does not change it', async () => {
    const path = join(directory(), 'a.sqlite')
    await writeChain(path, 20)
    const before = readFileSync(path)
    const salvage = openSalvage(path)
    assert.equal([...salvage.blocks()].length, 20)
    assert.equal([...salvage.records()].length, 21)
    salvage.close()
    assert.deepEqual(readFileSync(path), before)
  })

  it('gets out what damaged pages leave, whichever they are', async () => {
    const path = join(directory(), 'a.sqlite')
    await writeChain(path, 60)
    const pages = statSync(path).size / PAGE_BYTES
    let most = 0
    for (let page = 1; page < pages; page += 1) {
      const damaged = join(directory(), 'damaged.sqlite')
      const bytes = readFileSync(path)
      bytes.fill(0xa5, page * PAGE_BYTES, (page + 1) * PAGE_BYTES)
      const file = openSync(damaged, 'w')
      writeSync(file, bytes)
      closeSync(file)
      const salvage = openSalvage(damaged)
      const records = [...salvage.records()].length
      assert.ok([...salvage.blocks()].length <= 60)
      salvage.close()
      most = Math.max(most, records)
    }
    assert.equal(most, 61)
  })

  it('gets nothing out of what is no database, and says so by giving nothing', () => {
    const path = join(directory(), 'a.sqlite')
    const file = openSync(path, 'w')
    writeSync(file, Buffer.alloc(10_000, 7))
    closeSync(file)
    const salvage = openSalvage(path)
    assert.deepEqual([...salvage.blocks()], [])
    assert.deepEqual([...salvage.records()], [])
    salvage.close()
  })
})
