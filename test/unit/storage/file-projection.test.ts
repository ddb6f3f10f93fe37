import assert from 'node:assert/strict'
import type { FileId, UserId } from '../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../src/chain/record.ts'
import type { RecordOutcome } from '../../../src/chain/state/result.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { type ChainStore, createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { Database } from '../../../src/storage/sqlite.ts'
import {
  blockOn,
  deviceAdd,
  fileAdd,
  fileRemove,
  fileUpdate,
  switchTo,
  userCreate,
  write,
  writer,
} from './chain-model.ts'
import { dumpProjections } from './dump.ts'

/** What comes with a file in one transaction shows at once what it would show when each came alone. */
describe('storage/file-projection: a file that is new', () => {
  let db: Database
  let store: ChainStore
  beforeEach(() => {
    db = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger }).db
    store = createChainStore(db)
  })
  afterEach(() => db.close())

  const by = writer(1)
  const user = write(by, userCreate('Ann'))
  const add = write(by, fileAdd('one'))
  const file = add.id as FileId
  const update = write(by, fileUpdate(file, [add.identity], 'two'))
  const removal = write(by, fileRemove(file, [add.identity]))
  const phone = writer(2)
  phone.user = user.id as UserId
  const admission = write(phone, deviceAdd('phone', phone.user))
  const elsewhere = write(phone, fileUpdate(file, [add.identity], 'two'))
  const genesis = blockOn(undefined, [])

  const connect = (records: SignedRecord[], outcomes: Partial<RecordOutcome>[] = []): void => {
    const node = blockOn(genesis, records, {}, outcomes)
    store.transaction(() => switchTo(store, node))
  }
  const isAsRebuilt = (): void => {
    const found = dumpProjections(db)
    store.rebuildProjections()
    assert.deepEqual(dumpProjections(db), found)
  }

  it('alone', () => {
    connect([user, add])
    assert.equal(store.projections.file(file)?.pending, false)
    isAsRebuilt()
  })

  it('with its update', () => {
    connect([user, add, update])
    assert.equal(store.projections.file(file)?.details?.name, 'two')
    isAsRebuilt()
  })

  it('with its removal', () => {
    connect([user, add, removal])
    assert.equal(store.projections.file(file)?.removed, true)
    isAsRebuilt()
  })

  it('after its update', () => {
    for (const record of [user, admission, elsewhere])
      store.putRecord(record, { own: false, received: 1 })
    connect([add])
    assert.equal(store.projections.file(file)?.details?.name, 'two')
    isAsRebuilt()
  })

  it('and rejected', () => {
    connect([user, add], [{}, { outcome: 'rejected' }])
    assert.equal(store.projections.file(file), undefined)
    isAsRebuilt()
  })

  it('and pending', () => {
    store.putRecord(add, { own: true, received: 1 })
    assert.equal(store.projections.file(file)?.pending, true)
    isAsRebuilt()
  })
})
