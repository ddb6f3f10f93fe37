import assert from 'node:assert/strict'
import { createEvents } from '../../../src/common/events.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import type { NodeEvents } from '../../../src/services/events.ts'
import { createIntegrity } from '../../../src/services/integrity.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { damagedRows } from '../../../src/storage/row-check.ts'
import { createChainNode, handClock } from '../../helpers/chain-node.ts'

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
