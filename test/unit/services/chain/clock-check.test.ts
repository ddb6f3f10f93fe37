import assert from 'node:assert/strict'
import type { DeviceId } from '../../../../src/chain/ids.ts'
import { createEvents } from '../../../../src/common/events.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { CLOCK_LIMIT_MS, createClockCheck } from '../../../../src/services/chain/clock-check.ts'
import type { NodeEvents } from '../../../../src/services/events.ts'

describe('clock check', () => {
  const make = () => {
    const events = createEvents<NodeEvents>((error) => assert.fail(String(error)))
    const alarms: string[] = []
    events.on('chain:alarm', ({ code }) => alarms.push(code))
    return { check: createClockCheck({ events, logger: silentLogger }), alarms }
  }
  const note = (check: ReturnType<typeof make>['check'], ...offsets: number[]): void => {
    for (const [index, offset] of offsets.entries()) check.note(`peer ${index}` as DeviceId, offset)
  }

  it('CLOCK_WRONG: most clocks say so', () => {
    const { check, alarms } = make()
    note(check, CLOCK_LIMIT_MS + 1000, CLOCK_LIMIT_MS + 5000)
    assert.equal(check.wrong, true)
    assert.equal(check.halt?.code, 'CLOCK_WRONG')
    assert.deepEqual(alarms, ['CLOCK_WRONG'])
    note(check, 0, 0)
    assert.equal(check.wrong, false)
  })

  it('one wrong clock among three stops that one and no other', () => {
    const clocks = [-36_000, -30_000, 315_000]
    const wrong = clocks.map((own, index) => {
      const { check } = make()
      note(check, ...clocks.filter((_, other) => other !== index).map((clock) => clock - own))
      return check.wrong
    })
    assert.deepEqual(wrong, [false, false, true])
  })

  it('among any clocks somebody goes on mining', () => {
    for (let round = 0; round < 200; round += 1) {
      const count = 2 + (round % 6)
      const clocks = Array.from(
        { length: count },
        (_, at) => ((round + 1) * (at + 3) * 7_919_333) % 900_000,
      )
      const some = clocks.some((own, index) => {
        const { check } = make()
        note(check, ...clocks.filter((_, other) => other !== index).map((clock) => clock - own))
        return !check.wrong
      })
      assert.ok(some, `clocks ${clocks}`)
    }
  })

  it('a single peer proves nothing, it may be wrong itself', () => {
    const { check } = make()
    note(check, 1_000_000)
    assert.equal(check.wrong, false)
  })
})
