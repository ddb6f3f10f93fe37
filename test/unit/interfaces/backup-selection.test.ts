import assert from 'node:assert/strict'
import { selectionOf } from '../../../src/interfaces/backup-selection.ts'

describe('which backup somebody means', () => {
  it('the newest', () => {
    for (const text of ['newest', 'latest', '', ' newest ']) {
      assert.deepEqual(selectionOf(text), {})
    }
  })

  it('the newest of a time, in UTC; of a day, at its end', () => {
    const at = Date.UTC(2026, 0, 14, 15, 30, 45)
    for (const text of ['2026-01-14T15:30:45Z', '2026-01-14 15:30:45', '2026-01-14T15:30:45']) {
      assert.deepEqual(selectionOf(text), { time: at })
    }
    assert.deepEqual(selectionOf('2026-01-14'), { time: Date.UTC(2026, 0, 15) - 1 })
  })

  it('anything else is what it is called', () => {
    for (const id of ['42', 'before the move', '2026-13-45', 'bafkreigh2akiscaildc']) {
      assert.deepEqual(selectionOf(id), { id })
    }
    assert.deepEqual(selectionOf('backup_id=42'), { id: '42' })
  })
})
