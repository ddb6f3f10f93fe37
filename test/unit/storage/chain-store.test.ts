import assert from 'node:assert/strict'
import type { RecordId } from '../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../src/chain/record.ts'
import { utf8 } from '../../../src/common/bytes.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { frame } from '../../../src/storage/block-table.ts'
import { type ChainStore, createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { Database } from '../../../src/storage/sqlite.ts'
import {
  blockOn,
  fileAdd,
  switchTo,
  userCreate,
  type Writer,
  write,
  writer,
} from './chain-model.ts'
import { dumpChain, dumpRecords } from './dump.ts'
import { thrownCode } from './temporary.ts'

const value = (text: string): Uint8Array => utf8(text)

describe('storage/chain-store', () => {
  let db: Database
  let store: ChainStore
  beforeEach(() => {
    db = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db
    store = createChainStore(db)
  })
  afterEach(() => db.close())

  const genesis = blockOn(undefined, [], { 'rules/1': value('v1') })

  it('CHAIN_EMPTY before the genesis block; STORE_OF_OTHER_NETWORK after another one', () => {
    assert.equal(
      thrownCode(() => store.tip()),
      'CHAIN_EMPTY',
    )
    store.begin(genesis.block, genesis.effect, 1n)
    store.begin(genesis.block, genesis.effect, 1n)
    assert.equal(store.tip().id, genesis.block.id)
    const other = blockOn(undefined, [], { 'rules/1': value('v2') })
    assert.equal(
      thrownCode(() => store.begin(other.block, other.effect, 1n)),
      'STORE_OF_OTHER_NETWORK',
    )
  })

  it('keeps headers, bodies and their order', () => {
    const a = writer(1)
    const records = [
      write(a, userCreate('Ann')),
      write(a, fileAdd('one')),
      write(a, fileAdd('two')),
    ]
    const one = blockOn(genesis, records, { 'user/a': value('1') })
    const two = blockOn(one, [write(a, fileAdd('three'))])
    switchTo(store, two)
    assert.deepEqual(store.body(one.block.id), one.block.body.bytes)
    assert.deepEqual(store.bodyById(one.block.body.id), one.block.body.bytes)
    assert.deepEqual(
      store.bodyRecords(one.block.id)?.map((record) => record.id),
      records.map((record) => record.id),
    )
    assert.deepEqual(store.headerBytes(two.block.id), two.block.bytes)
    assert.deepEqual(
      store.mainHeaders(1, 10),
      [one, two].map((node) => node.block.bytes),
    )
    assert.deepEqual(
      store.ancestors(two.block.id, 2).map((block) => block.id),
      [two.block.id, one.block.id],
    )
    assert.equal(store.ancestors(two.block.id, 99).length, 3)
    assert.deepEqual(store.children(one.block.id), [two.block.id])
    assert.equal(store.idAt(1), one.block.id)
    assert.equal(store.idAt(3), undefined)
    assert.equal(store.tip().chainwork, 3n)
    assert.deepEqual(store.tip().header, two.block.header)
    assert.deepEqual(store.record(records[2]?.id as RecordId)?.place, {
      height: 1,
      index: 2,
      block: one.block.id,
    })
    assert.equal(store.pendingCount(), 0)
  })

  it('frames bodies of every size as the codec does', () => {
    const a = writer(1)
    const records = [write(a, userCreate('Ann'))]
    for (const count of [0, 1, 23, 24, 255, 256, 300]) {
      while (records.length < count) records.push(write(a, fileAdd('x')))
      const { body } = blockOn(genesis, records.slice(0, count)).block
      assert.deepEqual(frame(body.records.map((record) => record.bytes)), body.bytes)
    }
  })

  it('a header first, its body later', () => {
    store.begin(genesis.block, genesis.effect, 1n)
    const node = blockOn(genesis, [write(writer(1), userCreate('Ann'))])
    const bare = store.putBlock(node.block, 2n)
    assert.equal(bare.hasBody, false)
    assert.equal(store.body(node.block.id), undefined)
    assert.deepEqual(store.betterThan(2n), [])
    assert.equal(
      thrownCode(() => store.connect(bare, node.effect)),
      'BLOCK_NOT_STORED',
    )
    assert.equal(store.tip().id, genesis.block.id)
    const whole = store.putBlock(node.block, 2n, node.block.body)
    assert.equal(whole.hasBody, true)
    assert.equal(store.putBlock(node.block, 2n).hasBody, true)
    assert.deepEqual(
      store.betterThan(2n).map((block) => block.id),
      [node.block.id],
    )
    store.connect(whole, node.effect)
    assert.equal(store.block(node.block.id)?.status, 'valid')
  })

  it('lists candidates by work, then id, without invalid ones and what follows them', () => {
    store.begin(genesis.block, genesis.effect, 1n)
    const nodes = [1, 2, 3].map((n) => blockOn(genesis, [], { 'a/b': value(`${n}`) }, [], [], 1))
    const heavy = blockOn(genesis, [], { 'a/c': value('x') }, [], [], 2 ** 40)
    const child = blockOn(heavy, [])
    for (const node of [...nodes, heavy, child]) {
      store.putBlock(node.block, node.chainwork, node.block.body)
    }
    const ids = (): string[] => store.betterThan(2n).map((block) => block.id)
    const light = nodes.map((node) => node.block.id).sort()
    assert.deepEqual(ids(), [child.block.id, heavy.block.id, ...light])
    store.markInvalid(heavy.block.id, 'BLOCK_OUTCOME')
    assert.deepEqual(ids(), light)
    assert.equal(store.block(child.block.id)?.status, 'invalid')
    assert.equal(store.block(child.block.id)?.code, 'BLOCK_OUTCOME')
  })

  it('a disconnect restores everything; the records are pending and remembered', () => {
    const a = writer(1)
    const one = blockOn(genesis, [write(a, userCreate('Ann'))], { 'user/a': value('1') })
    const record = write(a, fileAdd('one'))
    const two = blockOn(
      one,
      [record],
      { 'user/a': value('2'), 'grant/f': value('new'), 'rules/1': undefined },
      [{ outcome: 'rejected', code: 'NOT_OWNER' as never }],
    )
    switchTo(store, one)
    const before = { ...dumpChain(db), digest: store.stateDigest() }
    switchTo(store, two)
    assert.notDeepEqual({ ...dumpChain(db), digest: store.stateDigest() }, before)
    assert.equal(store.record(record.id)?.outcome, 'rejected')
    assert.equal(store.record(record.id)?.code, 'NOT_OWNER')
    store.disconnect(store.tip())
    assert.deepEqual({ ...dumpChain(db), digest: store.stateDigest() }, before)
    assert.deepEqual(store.state.get('user/a'), value('1'))
    assert.equal(store.state.get('grant/f'), undefined)
    const stored = store.record(record.id)
    assert.equal(stored?.place, undefined)
    assert.equal(stored?.outcome, undefined)
    assert.equal(stored?.everConfirmed, true)
    assert.deepEqual(
      store.pending().map((entry) => entry.record.id),
      [record.id],
    )
  })

  it('a late outcome is taken back with the block that brought it', () => {
    const a = writer(1)
    const user = write(a, userCreate('Ann'))
    const early = write(a, fileAdd('one'))
    const waits = { outcome: 'waiting', code: 'FILE_UNKNOWN' as never } as const
    const one = blockOn(genesis, [user, early], {}, [{}, waits])
    const late = { record: early.id, outcome: 'applied' } as const
    const two = blockOn(one, [write(a, fileAdd('two'))], {}, [], [late])
    switchTo(store, two)
    assert.equal(store.record(early.id)?.outcome, 'applied')
    assert.equal(store.projections.countFiles(), 2)
    store.disconnect(store.tip())
    assert.equal(store.record(early.id)?.outcome, 'waiting')
    assert.equal(store.record(early.id)?.code, 'FILE_UNKNOWN')
    assert.equal(store.projections.countFiles(), 1)
  })

  it('a transaction that fails leaves nothing, also in memory', () => {
    const a = writer(1)
    const user = write(a, userCreate('Ann'))
    const one = blockOn(genesis, [user], { 'user/a': value('1') })
    store.begin(genesis.block, genesis.effect, 1n)
    const before = { ...dumpChain(db), ...dumpRecords(db) }
    const attempt = (): void =>
      store.transaction(() => {
        switchTo(store, one)
        assert.equal(store.tip().id, one.block.id)
        throw new Error('stop')
      })
    assert.throws(attempt, /stop/)
    assert.deepEqual({ ...dumpChain(db), ...dumpRecords(db) }, before)
    assert.equal(store.tip().id, genesis.block.id)
    assert.equal(store.state.get('user/a'), undefined)
    assert.equal(store.hasRecord(user.id), false)
    assert.equal(store.block(one.block.id), undefined)
    // The same inside a transaction that goes on.
    store.transaction(() => {
      assert.throws(attempt, /stop/)
      assert.equal(store.tip().id, genesis.block.id)
      store.putRecord(write(a, fileAdd('kept')), { own: true, received: 1 })
    })
    assert.equal(store.pendingCount(), 1)
    switchTo(store, one)
    assert.equal(store.tip().id, one.block.id)
  })

  it('lists state by prefix in byte order, over pages, with keys that share beginnings', () => {
    const values: Record<string, Uint8Array> = {
      'a/b': value('x'),
      'a/b0': value('y'),
      a0: value('z'),
    }
    for (let n = 0; n < 600; n += 1) values[`n/${String(n).padStart(4, '0')}`] = value(`${n}`)
    switchTo(store, blockOn(genesis, [], values))
    const keys = [...store.state.list('n/')].map(([key]) => key)
    assert.equal(keys.length, 600)
    assert.deepEqual(keys, [...keys].sort())
    assert.deepEqual(
      [...store.state.list('a/b')].map(([key]) => key),
      ['a/b', 'a/b0'],
    )
    assert.deepEqual([...store.state.list('zz')], [])
    assert.equal([...store.state.list('')].length, 604)
  })

  it('knows each device’s newest records, also when one arrives late or twice', () => {
    const a = writer(1)
    const records = [write(a, userCreate('Ann'))]
    for (let n = 0; n < 3; n += 1) records.push(write(a, fileAdd(`${n}`)))
    const [r0, r1, r2, r3] = records
    assert.ok(r0 !== undefined && r1 !== undefined && r2 !== undefined && r3 !== undefined)
    const heads = (): RecordId[] => store.deviceHeads().map((head) => head.id)
    const put = (record: typeof r0): boolean => store.putRecord(record, { own: false, received: 1 })
    put(r0)
    put(r2)
    assert.deepEqual(heads(), [r0.id, r2.id])
    put(r1)
    assert.deepEqual(heads(), [r2.id])
    assert.equal(put(r1), false)
    put(r3)
    assert.deepEqual(heads(), [r3.id])
    const twin = write(a, fileAdd('twin'), { after: r1 })
    put(twin)
    assert.deepEqual(heads(), [twin.id, r3.id])
    assert.equal(store.recordsAt(a.device, 2).length, 2)
    assert.equal(store.newestOf(a.device)?.record.id, r3.id)
    assert.deepEqual(
      store.pending().map((entry) => entry.record.sequence),
      [0, 1, 2, 2, 3],
    )
    assert.equal(store.pending(2).length, 2)
  })

  it('evicts foreign records that were never confirmed: of the longest known device its newest first', () => {
    const [a, b, c] = [writer(1), writer(2), writer(3)]
    const own = write(a, userCreate('Ann'))
    const confirmed = write(b, userCreate('Ben'))
    const loose = [1, 2, 3].map((n) => write(b, fileAdd(`${n}`)))
    const other = [write(c, userCreate('Cy')), write(c, fileAdd('c'))]
    switchTo(store, blockOn(genesis, [confirmed]))
    store.disconnect(store.tip())
    store.putRecord(own, { own: true, received: 1 })
    for (const [n, record] of loose.entries())
      store.putRecord(record, { own: false, received: 10 + n })
    for (const record of other) store.putRecord(record, { own: false, received: 20 })
    const heads = (): string[] =>
      store
        .deviceHeads()
        .map((head) => head.id)
        .sort()
    const ids = (...records: ({ id: string } | undefined)[]): string[] =>
      records.flatMap((record) => record?.id ?? []).sort()
    assert.equal(store.projections.countFiles(), 4)
    assert.equal(store.foreignCount(), 5)
    assert.deepEqual(heads(), ids(own, loose[2], other[1]))
    assert.equal(store.evictForeign(5), 0)
    assert.equal(store.evictForeign(4), 1)
    assert.deepEqual(heads(), ids(own, loose[1], other[1]))
    assert.equal(store.evictForeign(1), 3)
    assert.deepEqual(heads(), ids(own, confirmed, other[0]))
    assert.equal(store.projections.countFiles(), 0)
    assert.equal(store.evictForeign(0), 1)
    assert.deepEqual(ids(...store.pending().map(({ record }) => record)), ids(own, confirmed))
    assert.deepEqual(heads(), ids(own, confirmed))
    for (const record of loose) store.putRecord(record, { own: false, received: 30 })
    assert.equal(store.projections.countFiles(), 3)
    store.putRecord(loose[2] as typeof own, { own: true, received: 31 })
    assert.equal(
      store.evictForeign(0),
      0,
      'a device’s records stay contiguous below one that stays',
    )
  })

  it('walks back along one branch of a device that wrote twice', () => {
    const a = writer(1)
    const records = [write(a, userCreate('Ann'))]
    for (let n = 1; n < 20; n += 1) records.push(write(a, fileAdd(`${n}`)))
    const fork = records[9] as SignedRecord
    const twins = [write(a, fileAdd('twin'), { after: fork })]
    for (let n = 11; n < 15; n += 1) twins.push(write(a, fileAdd(`twin ${n}`)))
    for (const record of [...records, ...twins]) {
      store.putRecord(record, { own: false, received: 1 })
    }
    const back = (head: SignedRecord | undefined, have: (SignedRecord | undefined)[], limit = 99) =>
      store.recordsBack(
        head?.id as RecordId,
        have.flatMap((record) => record?.id ?? []),
        limit,
      )
    const bytes = (list: readonly SignedRecord[]) => list.map((record) => record.bytes)
    assert.deepEqual(back(records[19], []), bytes(records))
    assert.deepEqual(back(records[19], [], 3), bytes(records.slice(0, 3)))
    assert.deepEqual(back(records[19], [twins[4], records[5]]), bytes(records.slice(6)))
    assert.deepEqual(back(twins[4], [records[12]]), bytes([...records.slice(0, 10), ...twins]))
    assert.deepEqual(back(twins[4], [twins[1], records[3]]), bytes(twins.slice(2)))
    assert.deepEqual(
      store.recordIdsAt(a.device, 10, 2).sort(),
      [records[10]?.id, twins[0]?.id].sort(),
    )
    assert.deepEqual(
      store.headsOf(a.device).map(({ id }) => id),
      [twins[4]?.id, records[19]?.id],
    )
  })

  it('the list of heads follows each change, and stays the same while nothing changes', () => {
    const writers = [1, 2, 3, 4].map(writer)
    const expected = (): string[] => writers.flatMap(({ last }) => last?.id ?? [])
    const heads = (): string[] => store.deviceHeads().map(({ id }) => id)
    writers.sort((a, b) => (a.device < b.device ? -1 : 1))
    for (let n = 0; n < 12; n += 1) {
      const by = writers[(n * 7) % 4] as (typeof writers)[number]
      const statement = by.last === undefined ? userCreate('x') : fileAdd(`${n}`)
      store.putRecord(write(by, statement), { own: false, received: n })
      assert.deepEqual(heads(), expected())
      assert.equal(store.deviceHeads(), store.deviceHeads())
    }
    const before = expected()
    assert.throws(() =>
      store.transaction(() => {
        store.putRecord(write(writers[0] as Writer, fileAdd('gone')), { own: false, received: 1 })
        assert.deepEqual(heads(), expected())
        throw new Error('stop')
      }),
    )
    assert.deepEqual(heads(), before)
  })

  it('keeps small values of the caller', () => {
    assert.equal(store.meta('device'), undefined)
    store.setMeta('device', value('a'))
    store.setMeta('device', value('b'))
    assert.deepEqual(store.meta('device'), value('b'))
  })
})
