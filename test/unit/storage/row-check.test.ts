import assert from 'node:assert/strict'
import { readDevice } from '../../../src/chain/state/devices.ts'
import { readRecordState } from '../../../src/chain/state/records.ts'
import { createEvents } from '../../../src/common/events.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import type { NodeEvents } from '../../../src/services/events.ts'
import { createIntegrity } from '../../../src/services/integrity.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { damagedRows } from '../../../src/storage/row-check.ts'
import { createChainNode, handClock } from '../../helpers/chain-node.ts'
import { contentOf } from './chain-model.ts'
import { thrownCode } from './temporary.ts'

describe('storage/row-check', () => {
  const prepare = async () => {
    const clock = handClock(1_700_000_001_000)
    const { db } = openDatabase({ path: ':memory:', now: clock.now, logger: silentLogger })
    const ada = createChainNode('ada', { clock, store: createChainStore(db) })
    const record = await ada.join()
    await ada.mine()
    return { ada, clock, db, record }
  }

  it('finds nothing in what is whole', async () => {
    const { db } = await prepare()
    assert.deepEqual(new Set(damagedRows(db)), new Set([undefined]))
  })

  it('finds a record and a header with one changed bit', async () => {
    const { ada, db, record } = await prepare()
    const flip = (table: string, column: string, id: string, bytes: Uint8Array): void => {
      const changed = Uint8Array.from(bytes)
      changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1
      db.prepare(`UPDATE ${table} SET ${column} = ? WHERE id = ?`).run(changed, id)
    }
    const { id } = ada.store.tip()
    flip('blocks', 'header', id, ada.store.headerBytes(id) ?? new Uint8Array())
    assert.ok([...damagedRows(db)].includes(id))
    flip('records', 'bytes', record.id, record.bytes)
    assert.ok([...damagedRows(db)].includes(record.id))
  })

  it('finds each column that follows from others or has a sum', async () => {
    const { ada, clock, db } = await prepare()
    const content = (name: string) => contentOf(name)
    const { id: first } = await ada.publish({ type: 'file.add', body: content('first') })
    const { id: file } = await ada.publish({ type: 'file.add', body: content('second') })
    clock.time += 2000
    await ada.mine()
    for (const name of ['one', 'two']) {
      const body = { ...content(name), file, parents: [file] }
      await ada.publish({ type: 'file.update', body })
    }
    clock.time += 2000
    await ada.mine()
    await ada.publish({ type: 'file.remove', body: { file: first, parents: [first] } })
    const found = (): (string | undefined)[] =>
      [...damagedRows(db)].filter((id) => id !== undefined)
    assert.deepEqual(found(), [])
    assert.equal(ada.store.projections.file(file)?.heads.length, 2)
    const changes = [
      "UPDATE state SET value = value || x'00' WHERE key LIKE 'user/%'",
      "UPDATE state SET key = key || 'x' WHERE key LIKE 'user/%'",
      "UPDATE files SET name = 'firsu' WHERE name = 'first'",
      'UPDATE files SET pending = 1 - pending',
      'DELETE FROM file_heads',
      'UPDATE covers SET record = record + 50',
      'UPDATE records SET sequence = sequence + 8 WHERE sequence = 1',
      "UPDATE records SET user = 'bafy' WHERE sequence = 1",
      'UPDATE records SET subject = NULL',
      'UPDATE records SET root = NULL',
      "UPDATE records SET device = 'x' WHERE sequence = 1",
      "UPDATE records SET type = 'file.addd' WHERE sequence = 1",
      'UPDATE records SET place = place + 1',
      'UPDATE records SET height = height + 1 WHERE height = 2',
      "UPDATE records SET outcome = 'waiting' WHERE sequence = 2",
      "UPDATE records SET code = 'NOT_OWNER' WHERE sequence = 2",
      'UPDATE records SET height = NULL, place = NULL, outcome = NULL WHERE sequence = 3',
      'UPDATE blocks SET height = height + 1 WHERE height = 2',
      "UPDATE blocks SET chainwork = x'ff' WHERE height = 2",
      'UPDATE blocks SET records = NULL WHERE height = 1',
      "UPDATE undo SET data = data || x'00'",
    ]
    for (const change of changes) {
      class Undone extends Error {}
      assert.throws(() => {
        db.transaction(() => {
          assert.ok(db.prepare(change).run() > 0, `${change} changes something`)
          assert.notDeepEqual(found(), [], change)
          throw new Undone()
        })
      }, Undone)
    }
    assert.deepEqual(found(), [])
  })

  it('a changed value of the state is found when it is read', async () => {
    const { ada, db } = await prepare()
    db.exec("UPDATE state SET value = value || x'00'")
    const fresh = createChainStore(db)
    assert.equal(
      thrownCode(() => readDevice(fresh.state, ada.device)),
      'DATABASE_DAMAGED',
    )
  })

  it('a changed outcome is found when the rules read it', async () => {
    const { ada, db, record } = await prepare()
    db.exec("UPDATE records SET outcome = 'rejected'")
    const fresh = createChainStore(db)
    assert.equal(
      thrownCode(() => readRecordState(fresh.state, record.id)),
      'DATABASE_DAMAGED',
    )
    assert.equal(
      thrownCode(() => ada.store.stateDigest()),
      'DATABASE_DAMAGED',
    )
  })

  it('DATABASE_DAMAGED: raises an alarm and condemns the database, after the start', async () => {
    const clock = handClock(0)
    const events = createEvents<NodeEvents>((error) => {
      throw error
    })
    const alarms: string[] = []
    let condemned = 0
    events.on('chain:alarm', ({ code }) => alarms.push(code))
    const integrity = createIntegrity({
      damagedRows: () => [undefined, 'bafy', undefined].values(),
      condemn: () => {
        condemned += 1
      },
      clock,
      events,
      logger: silentLogger,
    })
    await integrity.start()
    assert.equal(condemned, 0)
    clock.time += 3000
    clock.time += 100
    assert.deepEqual([condemned, alarms], [1, ['DATABASE_DAMAGED']])
    await integrity.stop()
  })
})
