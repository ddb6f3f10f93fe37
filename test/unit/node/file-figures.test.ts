import assert from 'node:assert/strict'
import { SEALED_KEY_BYTES } from '../../../src/chain/record-bodies.ts'
import { createEvents } from '../../../src/common/events.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createFileFigures } from '../../../src/node/file-figures.ts'
import type { NodeEvents } from '../../../src/services/events.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { createVirtualClock } from '../network/virtual-clock.ts'
import {
  contentOf,
  fileAdd,
  fileRemove,
  fileUpdate,
  userCreate,
  write,
  writer,
} from '../storage/chain-model.ts'

const MANY = 1000

/** A chain with files, and what is read of it for figures. */
function createWorld() {
  const db = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db
  const store = createChainStore(db)
  const by = writer(1)
  const events = createEvents<NodeEvents>((error) => {
    throw error
  })
  const clock = createVirtualClock()
  const reads = { marks: 0, files: 0 }
  const projections: Pick<typeof store.projections, 'fileMarks' | 'file' | 'countFiles'> = {
    countFiles: () => store.projections.countFiles(),
    fileMarks: (limit, after) => {
      reads.marks += 1
      return store.projections.fileMarks(limit, after)
    },
    file: (file) => {
      reads.files += 1
      return store.projections.file(file)
    },
  }
  const freed = new Set<string>()
  const pins = { isWhole: (root: string) => !freed.has(root) }
  const figures = createFileFigures({ store: { projections }, pins, events, clock })
  const put = (statement: Parameters<typeof write>[1]) => {
    const record = write(by, statement)
    store.putRecord(record, { own: false, received: 1 })
    return record
  }
  /** The figures now, however long it takes. */
  const ask = async () => {
    await clock.advance(2000)
    const asked = figures()
    await clock.advance(100)
    return asked
  }
  put(userCreate('x'))
  return { store, by, events, clock, reads, freed, figures, put, ask }
}

describe('figures of all files', () => {
  it('are read a page in each turn, once for all who ask, and anew after an own record', async () => {
    const { store, by, events, clock, reads, figures, put } = createWorld()
    store.transaction(() => {
      for (let at = 0; at < MANY; at += 1) put(fileAdd(`file ${at}`))
    })
    const asked = [figures(), figures()]
    assert.ok(reads.files < 200, 'the rest comes in later turns')
    await clock.advance(20)
    for (const answer of await Promise.all(asked)) {
      assert.deepEqual([answer.count, answer.local, answer.used], [MANY, MANY, 10 * MANY])
    }
    const { marks } = reads
    await figures()
    assert.equal(reads.marks, marks, 'they stand for a moment')
    put(fileAdd('one more'))
    events.emit('record:pending', { record: write(by, fileAdd('y')), own: true })
    const again = figures()
    await clock.advance(20)
    assert.equal((await again).count, MANY + 1)
  })

  it('an own record while they are read is in what is asked for after it', async () => {
    const { store, by, events, clock, figures, put } = createWorld()
    store.transaction(() => {
      for (let at = 0; at < MANY; at += 1) put(fileAdd(`file ${at}`))
    })
    const before = figures()
    put(fileAdd('one more'))
    events.emit('record:pending', { record: write(by, fileAdd('y')), own: true })
    const after = figures()
    await clock.advance(50)
    await before
    assert.equal((await after).count, MANY + 1)
    assert.equal((await figures()).count, MANY + 1)
  })

  it('no file is read again that shows what it showed; each change is seen', async () => {
    const { store, reads, freed, put, ask } = createWorld()
    const added = store.transaction(() =>
      Array.from({ length: MANY }, (_, at) => put(fileAdd(`file ${at}`))),
    )
    const id = (at: number) => added[at]?.identity ?? assert.fail()
    const first = await ask()
    assert.deepEqual([first.count, first.bytes], [MANY, 10 * MANY])
    reads.files = 0
    assert.deepEqual(await ask(), first)
    assert.equal(reads.files, 0)
    const large = fileUpdate(id(0), [id(0)], 'larger')
    put({ ...large, body: { ...large.body, size: 500, storedSize: 600 } } as typeof large)
    const updated = await ask()
    assert.equal(reads.files, 1)
    assert.deepEqual(
      [updated.count, updated.bytes, updated.used],
      [MANY, first.bytes + 490, first.used + 590],
    )
    put(fileRemove(id(1), [id(1)]))
    freed.add(contentOf('file 2').root)
    const { count, local, missing, bytes } = await ask()
    assert.deepEqual([count, local, missing, bytes], [MANY - 1, MANY - 2, 1, updated.bytes - 10])
    assert.equal(reads.files, 1)
  })

  it('a private file counts as it is stored until it is opened', async () => {
    const { store, put, ask } = createWorld()
    const { root, ...details } = contentOf('secret')
    const sealedKey = new Uint8Array(SEALED_KEY_BYTES)
    const record = put({
      type: 'file.add',
      body: {
        root,
        storedSize: 64,
        visibility: 'private',
        header: new Uint8Array(40),
        metadata: new Uint8Array(80),
        userKey: new Uint8Array(32),
        metadataKey: sealedKey,
        contentKey: sealedKey,
      },
    })
    assert.equal((await ask()).bytes, 64)
    const { name, folder, mediaType, size, sha256 } = details
    store.setDetails(record.id, { name, folder, mediaType, size, sha256 })
    assert.equal((await ask()).bytes, size)
  })
})
