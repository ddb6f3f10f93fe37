import assert from 'node:assert/strict'
import type { ContentId } from '../../../src/chain/ids.ts'
import {
  createSchedule,
  PLACES,
  type Schedule,
} from '../../../src/services/replication/schedule.ts'
import type { WantedContent } from '../../../src/services/replication/wanted.ts'

function wanted(root: string, storedSize: number): WantedContent {
  const record = { body: { root: root as ContentId, storedSize } }
  return { version: `version of ${root}`, record } as unknown as WantedContent
}

/** Takes the next and marks it as running. */
function take(schedule: Schedule, now: number, alone = false): string | undefined {
  const missing = schedule.next(now, alone)
  if (missing !== undefined) missing.running = new AbortController()
  return missing?.root
}

describe('replication: schedule', () => {
  it('one place takes the smallest, the other the one that waits longest', () => {
    const schedule = createSchedule()
    schedule.add(wanted('large', 1000), 1, 0)
    schedule.add(wanted('middle', 500), 1, 5)
    schedule.add(wanted('small', 10), 1, 9)
    assert.deepEqual(
      [take(schedule, 10), take(schedule, 10), take(schedule, 10)],
      ['small', 'large', undefined],
    )
    assert.equal(PLACES, 2)
    schedule.done('small' as ContentId)
    assert.equal(take(schedule, 10), 'middle')
  })

  it('a large one is not put off for ever by small ones that keep coming', () => {
    const schedule = createSchedule()
    schedule.add(wanted('large', 1_000_000), 1, 0)
    const taken: (string | undefined)[] = []
    for (let round = 0; round < 5; round += 1) {
      schedule.add(wanted(`small ${round}`, 1), 1, round + 1)
      schedule.add(wanted(`other ${round}`, 1), 1, round + 1)
      const root = take(schedule, 100)
      taken.push(root)
      if (root !== 'large' && root !== undefined) schedule.done(root as ContentId)
      taken.push(take(schedule, 100))
    }
    assert.ok(taken.includes('large'))
  })

  it('what failed waits longer each time, and a new source ends the wait', () => {
    const schedule = createSchedule()
    schedule.add(wanted('a', 1), 1, 0)
    const pauses: number[] = []
    let now = 0
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const missing = schedule.next(now, false)
      assert.ok(missing !== undefined)
      schedule.failed(missing, false, now, 1)
      pauses.push(missing.notBefore - now)
      assert.equal(schedule.next(missing.notBefore - 1, false), undefined)
      now = missing.notBefore
    }
    assert.deepEqual(pauses.slice(0, 3), [2000, 4000, 8000])
    assert.equal(pauses.at(-1), 300_000)
    const missing = schedule.next(now, false)
    assert.ok(missing !== undefined)
    schedule.failed(missing, false, now, 1)
    schedule.hurry(now)
    assert.equal(schedule.nextDue(), now)
  })

  it('content that is wrong at its origin is not hurried', () => {
    const schedule = createSchedule()
    schedule.add(wanted('a', 1), 1, 0)
    const missing = schedule.next(0, false)
    assert.ok(missing !== undefined)
    schedule.failed(missing, true, 0, 1)
    schedule.hurry(1)
    assert.equal(schedule.next(1, false), undefined)
  })

  it('alone, only what was never tried', () => {
    const schedule = createSchedule()
    schedule.add(wanted('a', 1), 1, 0)
    const missing = schedule.next(0, true)
    assert.ok(missing !== undefined)
    schedule.failed(missing, false, 0, 0)
    assert.equal(schedule.next(1e9, true), undefined)
    assert.equal(schedule.next(1e9, false)?.root, 'a')
  })

  it('what is not wanted any more is dropped, and its fetch ends', () => {
    const schedule = createSchedule()
    schedule.add(wanted('a', 1), 1, 0)
    schedule.add(wanted('b', 1), 1, 0)
    const missing = schedule.next(0, false)
    assert.ok(missing !== undefined)
    const running = new AbortController()
    missing.running = running
    schedule.add(wanted('b', 1), 2, 0)
    schedule.keepOnly(2)
    assert.deepEqual([...schedule.all.keys()], ['b'])
    assert.equal(running.signal.aborted, true)
  })
})
