import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { silentLogger } from '../../../src/common/logger.ts'
import { type ChainStore, createChainStore } from '../../../src/storage/chain-store.ts'
import {
  condemnDatabase,
  type OpenedDatabase,
  openDatabase,
} from '../../../src/storage/database.ts'
import { PAGE_BYTES } from '../../../src/storage/sqlite.ts'
import { blockOn, switchTo, userCreate, write, writer } from './chain-model.ts'
import { temporaryDirectories, thrownCode } from './temporary.ts'

describe('storage/database: damage that shows after the open', () => {
  const directory = temporaryDirectories()
  const open = (path: string): OpenedDatabase =>
    openDatabase({ path, now: () => 0, logger: silentLogger })

  /** A database with a table of its own, in which one page of that table is damaged. */
  const damaged = (): string => {
    const path = join(directory(), 'a.sqlite')
    const { db } = open(path)
    db.exec('CREATE TABLE extra (v BLOB)')
    const insert = db.prepare('INSERT INTO extra VALUES (?)')
    for (let i = 0; i < 200; i += 1) insert.run(new Uint8Array(1000).fill(0xab))
    db.close()
    const bytes = readFileSync(path)
    const at = bytes.lastIndexOf(Buffer.alloc(500, 0xab))
    bytes[at - (at % PAGE_BYTES)] = 0x7f
    writeFileSync(path, bytes)
    return path
  }
  const read = ({ db }: OpenedDatabase): unknown => db.prepare('SELECT v FROM extra').all()

  it('is noted, and the next open puts the file aside', () => {
    const path = damaged()
    const first = open(path)
    assert.equal(first.damaged, undefined, 'the open does not read all pages')
    assert.equal(
      thrownCode(() => read(first)),
      'DATABASE_DAMAGED',
    )
    first.db.close()
    const second = open(path)
    assert.ok(second.damaged !== undefined && existsSync(second.damaged))
    second.db.close()
    const third = open(path)
    assert.equal(third.damaged, undefined, 'the new one is not suspected')
    third.db.close()
  })

  it('a database that is whole after all stays', () => {
    const path = damaged()
    const whole = join(directory(), 'b.sqlite')
    open(whole).db.close()
    const first = open(path)
    assert.throws(() => read(first))
    first.db.close()
    writeFileSync(path, readFileSync(whole))
    const second = open(path)
    assert.equal(second.damaged, undefined)
    assert.equal(existsSync(`${path}.suspect`), false)
    second.db.close()
  })

  it('is noted whichever way it is met', () => {
    for (const meet of [
      ({ db }: OpenedDatabase) => db.prepare('INSERT INTO extra SELECT v FROM extra').insert(),
      ({ db }: OpenedDatabase) => db.join(() => db.exec('UPDATE extra SET v = v || 1')),
      ({ db }: OpenedDatabase) => db.exec('CREATE INDEX extra_v ON extra (v)'),
    ]) {
      const path = damaged()
      const first = open(path)
      assert.equal(
        thrownCode(() => meet(first)),
        'DATABASE_DAMAGED',
      )
      assert.ok(existsSync(`${path}.suspect`))
      first.db.close()
    }
  })

  it('a row that SQLite gives and that is not what was written condemns the database', () => {
    const a = writer(1)
    const user = write(a, userCreate('Ann'))
    const node = blockOn(undefined, [user])
    const meets: [string, (store: ChainStore) => unknown][] = [
      ["UPDATE records SET bytes = x'ff'", (store) => store.record(user.id)],
      ["UPDATE records SET bytes = replace(bytes, 'Ann', 'Anm')", (store) => store.record(user.id)],
      ['DELETE FROM records', (store) => store.bodyRecords(node.block.id)],
      ["UPDATE blocks SET header = x'80'", (store) => store.tip()],
      ["UPDATE undo SET data = x'ff'", (store) => store.disconnect(store.tip())],
    ]
    for (const [change, meet] of meets) {
      const path = join(directory(), 'd.sqlite')
      const first = open(path)
      switchTo(createChainStore(first.db), node)
      first.db.exec(change)
      const store = createChainStore(first.db)
      assert.equal(
        thrownCode(() => meet(store)),
        'DATABASE_DAMAGED',
        change,
      )
      first.db.close()
      const second = open(path)
      assert.ok(second.damaged !== undefined, change)
      second.db.close()
    }
  })

  it('a condemned one is put aside whatever the check says', () => {
    const path = join(directory(), 'c.sqlite')
    open(path).db.close()
    condemnDatabase(path)
    const { db, damaged: aside } = open(path)
    assert.ok(aside !== undefined)
    db.close()
  })
})
