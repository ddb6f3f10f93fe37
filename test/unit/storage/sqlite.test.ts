import assert from 'node:assert/strict'
import { join } from 'node:path'
import { type Database, openSqlite } from '../../../src/storage/sqlite.ts'
import { temporaryDirectories, thrownCode } from './temporary.ts'

describe('storage/sqlite', () => {
  const directory = temporaryDirectories()

  const table = (path = ':memory:'): { db: Database; values: () => number[] } => {
    const db = openSqlite(path)
    db.exec('CREATE TABLE IF NOT EXISTS t (v INTEGER)')
    const read = db.prepare<{ v: number }>('SELECT v FROM t ORDER BY v')
    return { db, values: () => read.all().map((row) => row.v) }
  }

  it('flushes every commit and has no shared memory file', () => {
    const { db } = table(join(directory(), 'a.sqlite'))
    assert.equal(db.prepare<{ synchronous: number }>('PRAGMA synchronous').get()?.synchronous, 2)
    assert.equal(
      db.prepare<{ journal_mode: string }>('PRAGMA journal_mode').get()?.journal_mode,
      'wal',
    )
    db.close()
    db.close()
  })

  it('undoes a transaction, and only the inner one of two', () => {
    const { db, values } = table()
    const rollbacks: boolean[] = []
    db.onRollback((whole) => rollbacks.push(whole))
    const fail = (): never => {
      throw new Error('no')
    }
    db.transaction(() => {
      db.exec('INSERT INTO t VALUES (1)')
      assert.throws(() =>
        db.transaction(() => {
          db.exec('INSERT INTO t VALUES (2)')
          fail()
        }),
      )
      db.transaction(() => db.exec('INSERT INTO t VALUES (3)'))
    })
    assert.deepEqual(values(), [1, 3])
    assert.throws(() =>
      db.transaction(() => {
        db.exec('INSERT INTO t VALUES (4)')
        fail()
      }),
    )
    assert.deepEqual(values(), [1, 3])
    assert.deepEqual(rollbacks, [false, true])
    db.close()
  })

  it('calls before a part begins and before the commit, inside the transaction', () => {
    const { db, values } = table()
    const calls: number[][] = []
    db.beforeCommit(() => void calls.push(values()))
    db.transaction(() => {
      db.exec('INSERT INTO t VALUES (1)')
      db.transaction(() => db.exec('INSERT INTO t VALUES (2)'))
    })
    assert.deepEqual(calls, [[1], [1, 2]])
    db.close()
  })

  it('a part that joined and failed undoes the whole, also when its error is caught', () => {
    const { db, values } = table()
    assert.throws(() =>
      db.transaction(() => {
        db.exec('INSERT INTO t VALUES (1)')
        try {
          db.join(() => {
            db.exec('INSERT INTO t VALUES (2)')
            throw new Error('half done')
          })
        } catch {
          // Whoever catches it cannot keep the half.
        }
      }),
    )
    assert.deepEqual(values(), [])
    db.close()
  })

  it('STORAGE_FULL: nothing is changed, and it works again when there is space', () => {
    const { db, values } = table(join(directory(), 'a.sqlite'))
    db.exec('PRAGMA max_page_count = 4')
    const fill = (): void =>
      db.transaction(() => {
        for (let n = 0; n < 10_000; n += 1) db.exec(`INSERT INTO t VALUES (${n})`)
      })
    assert.equal(thrownCode(fill), 'STORAGE_FULL')
    assert.deepEqual(values(), [])
    assert.equal(
      thrownCode(() => db.transaction(() => db.transaction(fill))),
      'STORAGE_FULL',
    )
    db.transaction(() => db.exec('INSERT INTO t VALUES (7)'))
    assert.deepEqual(values(), [7])
    db.exec('PRAGMA max_page_count = 100000')
    fill()
    assert.equal(values().length, 10_001)
    db.close()
  })

  it('DATA_DIRECTORY_LOCKED: a second connection is refused', () => {
    const path = join(directory(), 'a.sqlite')
    const { db } = table(path)
    assert.equal(
      thrownCode(() => openSqlite(path)),
      'DATA_DIRECTORY_LOCKED',
    )
    db.close()
    openSqlite(path).close()
  })

  it('DATA_DIRECTORY_NOT_WRITABLE: a path that cannot be made', () => {
    const path = join(directory(), 'missing', 'a.sqlite')
    assert.equal(
      thrownCode(() => openSqlite(path)),
      'DATA_DIRECTORY_NOT_WRITABLE',
    )
  })
})
