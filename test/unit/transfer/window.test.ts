import assert from 'node:assert/strict'
import { MIB } from '../../../src/common/limits.ts'
import {
  createWindow,
  FIRST_WINDOW_BYTES,
  MAX_WINDOW_BYTES,
  MIN_WINDOW_BYTES,
} from '../../../src/network/transfer/window.ts'

/** A link of `rate` bytes per second, of which always `ask` bytes are wanted, for `ms` milliseconds. */
function run(rate: number, ms: number, tripMs = 1): number {
  const window = createWindow()
  window.roundTrip(tripMs)
  for (let now = 1000; now < 1000 + ms; now += 10) {
    while (window.open) window.asked(MIB, now)
    const came = Math.min(window.inFlight, (rate * 10) / 1000)
    window.settled(came)
    window.came(came, now)
  }
  return window.room + window.inFlight
}

describe('transfer: window', () => {
  it('begins with one leaf', () => {
    const window = createWindow()
    assert.equal(window.room, FIRST_WINDOW_BYTES)
    window.asked(FIRST_WINDOW_BYTES, 0)
    assert.equal(window.open, false)
  })

  it('grows to its limit on a fast link', () => {
    assert.equal(run(200 * MIB, 1000), MAX_WINDOW_BYTES)
  })

  it('asks no more than about a quarter of a second ahead on a slow link', () => {
    const slow = run(2 * MIB, 5000)
    assert.ok(slow <= MIB && slow >= MIN_WINDOW_BYTES, `${slow} bytes`)
    assert.equal(run(16 * 1024, 5000), MIN_WINDOW_BYTES)
  })

  it('grows with the way to a far device', () => {
    assert.ok(run(10 * MIB, 5000, 500) > 2 * run(10 * MIB, 5000, 1))
  })
})
