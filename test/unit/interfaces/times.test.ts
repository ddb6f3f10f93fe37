import assert from 'node:assert/strict'
import { parseDuration, parseExpiry } from '../../../src/interfaces/cli/times.ts'

const HOUR = 3_600_000
const NOW = new Date(2026, 10, 21, 12).getTime()

describe('durations and dates at the command line', () => {
  it('durations', () => {
    const cases: readonly (readonly [string, number])[] = [
      ['90s', 90_000],
      ['30m', 1_800_000],
      ['24h', 24 * HOUR],
      ['7d', 168 * HOUR],
      ['2W', 336 * HOUR],
      [' 1 h ', HOUR],
    ]
    for (const [text, ms] of cases) assert.equal(parseDuration(text, '--expires'), ms, text)
  })
  for (const text of ['', '7', 'd', '-1d', '0h', '1.5h', '7 days', '1e3s', '9999999s', '999999w']) {
    it(`no duration: "${text}"`, () => {
      assert.throws(() => parseDuration(text, '--expires'), {
        code: 'USAGE',
        message: /--expires .*24h or 7d/,
      })
    })
  }
  it('dates: the end of the day here, a time here, a time in UTC, a duration from now', () => {
    const cases: readonly (readonly [string, number])[] = [
      ['2026-12-24', new Date(2026, 11, 24, 23, 59, 59).getTime()],
      ['2026-11-21', new Date(2026, 10, 21, 23, 59, 59).getTime()],
      ['2026-12-24 18:00', new Date(2026, 11, 24, 18).getTime()],
      ['2026-12-24T18:00:05', new Date(2026, 11, 24, 18, 0, 5).getTime()],
      ['2026-12-24T18:00Z', Date.UTC(2026, 11, 24, 18)],
      ['7d', NOW + 168 * HOUR],
      // The 21st is a Saturday.
      ['friday', new Date(2026, 10, 27, 23, 59, 59).getTime()],
      ['Saturday', new Date(2026, 10, 21, 23, 59, 59).getTime()],
    ]
    for (const [text, at] of cases) assert.equal(parseExpiry(text, '--expires', NOW), at, text)
  })
  for (const text of ['fryday', '2026-13-01', '2026-02-30', '24.12.2026', '2026-12-24 25:00', '']) {
    it(`no date: "${text}"`, () => {
      assert.throws(() => parseExpiry(text, '--expires', NOW), {
        code: 'USAGE',
        message: /a date \(2026-12-24\)/,
      })
    })
  }
  it('over already', () => {
    for (const text of ['2026-11-20', '2026-11-21 11:59', '1999-01-01']) {
      assert.throws(() => parseExpiry(text, '--expires', NOW), {
        code: 'USAGE',
        message: /over already/,
      })
    }
  })
})
