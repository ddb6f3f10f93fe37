import assert from 'node:assert/strict'
import { join } from 'node:path'
import { deviceKeyOf } from '../../../src/chain/ids.ts'
import { readFile, readVersion } from '../../../src/chain/state/files.ts'
import { isIncluded, readRecordState } from '../../../src/chain/state/records.ts'
import { encode, linkTo } from '../../../src/common/dag-cbor.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { type ChainStore, createChainStore } from '../../../src/storage/chain-store.ts'
import { checksumOf } from '../../../src/storage/checksum.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { damagedRows } from '../../../src/storage/row-check.ts'
import { decodeUndo, encodeUndo } from '../../../src/storage/undo.ts'
import {
  blockOn,
  contentOf,
  envelopeOf,
  fileAdd,
  fileUpdate,
  replacedBy,
  switchTo,
  userCreate,
  write,
  writer,
} from './chain-model.ts'
import { dumpChain } from './dump.ts'
import { temporaryDirectories } from './temporary.ts'

const a = writer(1)
const user = write(a, userCreate('Ann'))
const early = write(a, fileAdd('one'))
const late = write(a, fileAdd('two'))
const lost = write(writer(2), userCreate('Ben'))
const genesis = blockOn(undefined, [])
const one = blockOn(genesis, [user, early], {}, [{}, { outcome: 'waiting' }])
const values = { [`record/${lost.id}`]: replacedBy(late.id) }
const two = blockOn(one, [late], values, [], [{ record: early.id, outcome: 'applied' }])

describe('storage/stored-state', () => {
  const temporary = temporaryDirectories()
  const open = (path: string) => openDatabase({ path, now: () => 0, logger: silentLogger }).db
  const fill = (store: ChainStore): void => switchTo(store, two)

  it('what became of records is read from their table; only replaced ones have a row of their own', () => {
    const db = open(':memory:')
    const store = createChainStore(db)
    fill(store)
    const keys = db.prepare<{ key: string }>('SELECT key FROM state').all()
    assert.deepEqual(keys, [{ __proto__: null, key: `record/${lost.id}` }])
    const by = { by: late.id, outcome: 'applied', height: 2, index: 0 }
    assert.deepEqual(readRecordState(store.state, lost.id), by)
    assert.equal(isIncluded(store.state, lost.id), false)
    const state = { outcome: 'applied', height: 1, index: 1 }
    assert.deepEqual(readRecordState(store.state, early.id), state)
    const before = { chain: dumpChain(db), digest: store.stateDigest() }
    switchTo(store, blockOn(two, [lost]))
    assert.deepEqual(readRecordState(store.state, lost.id), by)
    assert.equal(isIncluded(store.state, lost.id), true)
    store.disconnect(store.tip())
    assert.deepEqual({ chain: dumpChain(db), digest: store.stateDigest() }, before)
    store.disconnect(store.tip())
    assert.deepEqual(readRecordState(store.state, early.id), { ...state, outcome: 'waiting' })
    assert.equal(readRecordState(store.state, late.id), undefined)
    assert.equal(readRecordState(store.state, lost.id), undefined)
    db.close()
  })

  it('files and versions are read from their records until something changes them', () => {
    const db = open(':memory:')
    const store = createChainStore(db)
    const own = db.prepare<{ key: string }>("SELECT key FROM state WHERE key NOT LIKE 'record/%'")
    const rows = () => own.all().map(({ key }) => key)
    const by = writer(4)
    const person = write(by, userCreate('Dan'))
    const [file, other] = [write(by, fileAdd('file')), write(by, fileAdd('other'))]
    const [fileId, otherId] = [file.identity, other.identity]
    const refused = write(by, fileAdd('refused'))
    const no = { outcome: 'rejected', code: 'NOT_THE_OWNER' } as const
    const base = blockOn(genesis, [person, file, other, refused], {}, [{}, {}, {}, no])
    switchTo(store, base)
    assert.deepEqual(rows(), [])
    assert.deepEqual(readFile(store.state, fileId), { owner: person.id, heads: [fileId] })
    const { root, size } = contentOf('other')
    const version = { file: otherId, owner: person.id, root, size, removed: false }
    assert.deepEqual(readVersion(store.state, otherId), version)
    assert.equal(readFile(store.state, person.identity), undefined)
    assert.equal(readFile(store.state, refused.identity), undefined)
    const listed = [...store.state.list('file/')].map(([key]) => key)
    assert.deepEqual(listed, [`file/${fileId}`, `file/${otherId}`].sort())
    const before = { chain: dumpChain(db), digest: store.stateDigest() }

    const update = write(by, fileUpdate(fileId, [fileId], 'file'))
    const changed = encode([linkTo(person.id), [linkTo(update.identity)]])
    const removed = encode([linkTo(otherId), linkTo(person.id), linkTo(root), size, true])
    const values = { [`file/${fileId}`]: changed, [`version/${otherId}`]: removed }
    switchTo(store, blockOn(base, [update], values))
    assert.deepEqual(rows(), Object.keys(values))
    assert.deepEqual(readFile(store.state, fileId)?.heads, [update.identity])
    assert.deepEqual(readVersion(store.state, otherId), { ...version, removed: true })
    assert.equal(readVersion(store.state, update.identity)?.file, fileId)
    const keys = [...store.state.list('version/')].map(([key]) => key)
    assert.deepEqual(keys, [fileId, otherId, update.identity].map((id) => `version/${id}`).sort())
    store.disconnect(store.tip())
    assert.deepEqual({ chain: dumpChain(db), digest: store.stateDigest() }, before)
    store.disconnect(store.tip())
    assert.equal(readFile(store.state, fileId), undefined)
    assert.equal(readVersion(store.state, otherId), undefined)
    assert.equal(readVersion(store.state, fileId), undefined)
    assert.equal(readVersion(store.state, update.identity), undefined)

    // Signed again: its record has another id, so that what it made has to stand by itself.
    const twin = writer(4)
    write(twin, userCreate('Dan'))
    const lostKey = deviceKeyOf(by.device) ?? assert.fail()
    const again = write(twin, fileAdd('file'), { replaces: envelopeOf(file, lostKey) })
    assert.equal(again.identity, fileId)
    assert.notEqual(again.id, fileId)
    const carried = blockOn(genesis, [person, again])
    switchTo(store, carried)
    assert.deepEqual(rows(), [`file/${fileId}`, `version/${fileId}`])
    assert.deepEqual(readFile(store.state, fileId), { owner: person.id, heads: [fileId] })
    assert.deepEqual(
      [...store.state.list('')].map(([key]) => key),
      [...carried.state.keys()].sort(),
    )
    switchTo(store, base)
    assert.deepEqual({ chain: dumpChain(db), digest: store.stateDigest() }, before)
    db.close()
  })

  it('lists them in their order among the others, over pages', () => {
    const db = open(':memory:')
    const store = createChainStore(db)
    const many = [write(writer(3), userCreate('Cy'))]
    const by = writer(3)
    write(by, userCreate('Cy'))
    for (let index = 0; index < 600; index += 1) many.push(write(by, fileAdd(`file ${index}`)))
    const others = { 'ra/x': Uint8Array.of(1), 'rules/1': Uint8Array.of(2), ...values }
    switchTo(store, blockOn(genesis, many, others))
    const found = [...store.state.list('')].map(([key]) => key)
    const made = many.slice(1).flatMap(({ id }) => [`file/${id}`, `version/${id}`])
    const wanted = [...many.map(({ id }) => `record/${id}`), ...made, ...Object.keys(others)].sort()
    assert.deepEqual(found, wanted)
    assert.deepEqual([...store.state.list('r')].length, many.length + 3)
    assert.deepEqual([...store.state.list('record/')].length, many.length + 1)
    assert.deepEqual([...store.state.list('version/')].length, many.length - 1)
    const [id] = many.map((record) => record.id)
    assert.deepEqual([...store.state.list(`record/${id}`)].length, 1)
    db.close()
  })

  it('a database of format 2 has the same state, and goes back the same way', () => {
    const path = join(temporary(), 'old.sqlite')
    const made = open(path)
    const store = createChainStore(made)
    fill(store)
    const wanted = { chain: dumpChain(made), digest: store.stateDigest() }
    // As format 2 wrote it: all of the state in one table, and in undo data.
    const put = made.prepare('INSERT OR REPLACE INTO state VALUES (?, ?, ?)')
    for (const [key, value] of [...store.state.list('')]) {
      put.run(key, value, checksumOf(key, value))
    }
    const undoOf = made.prepare<{ data: Uint8Array }>('SELECT data FROM undo WHERE block = ?')
    const setUndo = made.prepare('UPDATE undo SET data = ?, sum = ? WHERE block = ?')
    for (const [block, { effect }] of [genesis, one, two].entries()) {
      const { late } = decodeUndo(undoOf.get(block + 1)?.data ?? new Uint8Array())
      const data = encodeUndo({ changes: effect.changes, late })
      setUndo.run(data, checksumOf(data), block + 1)
    }
    made.exec('ALTER TABLE records DROP COLUMN sum; PRAGMA user_version = 2')
    made.close()

    const db = open(path)
    const again = createChainStore(db)
    const { state, confirmed } = dumpChain(db)
    assert.deepEqual(state, wanted.chain.state)
    assert.deepEqual(confirmed, wanted.chain.confirmed)
    assert.deepEqual(again.stateDigest(), wanted.digest)
    assert.deepEqual(new Set(damagedRows(db)), new Set([undefined]))
    again.disconnect(again.tip())
    switchTo(again, two)
    assert.deepEqual(again.stateDigest(), wanted.digest)
    again.disconnect(again.tip())
    again.disconnect(again.tip())
    again.disconnect(again.tip())
    assert.deepEqual([...again.state.list('')], [])
    switchTo(again, two)
    assert.deepEqual({ chain: dumpChain(db), digest: again.stateDigest() }, wanted)
    db.close()
  })
})
