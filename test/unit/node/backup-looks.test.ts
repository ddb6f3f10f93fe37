import assert from 'node:assert/strict'
import { createBackupLooks } from '../../../src/node/backup-looks.ts'
import { handClock } from '../../helpers/chain-node.ts'

describe('looks at what stands at the destinations', () => {
  it('are at the start, after the first backup, every hour, and when asked', async () => {
    const clock = handClock(0)
    let count = 0
    const looks = createBackupLooks({ clock }, async (signal) => {
      if (!signal.aborted) count += 1
    })
    const later = async (ms: number): Promise<number> => {
      clock.time += ms
      await new Promise(setImmediate)
      return count
    }
    looks.start()
    assert.equal(await later(100), 1)
    assert.equal(await later(30_000), 2, 'what was written since')
    assert.equal(await later(3_599_999), 2)
    assert.equal(await later(1), 3)
    looks.soon()
    assert.equal(await later(0), 4)
    assert.equal(await later(3_600_000), 5)
    await looks.stop()
    assert.equal(await later(10_000_000), 5)
    looks.soon()
    assert.equal(await later(0), 5, 'not after the stop')
  })
})
