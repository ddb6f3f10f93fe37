import assert from 'node:assert/strict'
import fc from 'fast-check'
import { MAX_DIFFICULTY } from '../../../src/chain/block.ts'
import {
  DIFFICULTY_ANCESTORS,
  type DifficultyAncestor,
  HALVING_GAP_MS,
  MAX_RISE,
  MAX_SOLVE_TIME_MS,
  medianTime,
  nextDifficulty,
  TARGET_INTERVAL_MS,
} from '../../../src/chain/difficulty.ts'
import { meetsDifficulty, targetOf } from '../../../src/chain/pow.ts'

const FLOOR = 65_536

/** A miner of `power` hashes per millisecond, without luck; `report` says what time it writes. */
function mine(
  chain: DifficultyAncestor[],
  blocks: number,
  power: number,
  clock = chain[0]?.time ?? 0,
  report: (now: number) => number = (now) => now,
): number {
  let now = clock
  for (let i = 0; i < blocks; i++) {
    const parent = chain[0] ?? assert.fail()
    // The difficulty falls while the search goes on, so the search is a walk in small steps.
    let done = 0
    let step = 0
    let difficulty = 0
    do {
      step = Math.max(1, Math.floor((parent.difficulty / power) * 0.02))
      now += step
      difficulty = nextDifficulty(FLOOR, chain, Math.max(report(now), parent.time + 1))
      done += step * power
    } while (done < difficulty)
    chain.unshift({ time: Math.max(report(now), parent.time + 1), difficulty })
    chain.length = Math.min(chain.length, DIFFICULTY_ANCESTORS)
  }
  return now
}

function intervals(chain: readonly DifficultyAncestor[]): number {
  const [first, last] = [chain[0], chain.at(-1)]
  assert.ok(first && last)
  return (first.time - last.time) / (chain.length - 1)
}

const near = (value: number, wanted: number, part: number): void =>
  assert.ok(Math.abs(value - wanted) <= part * wanted, `${value} is not near ${wanted}`)

describe('difficulty', () => {
  const begin = (): DifficultyAncestor[] => [{ time: 0, difficulty: FLOOR }]

  it('settles where blocks take the target interval', () => {
    const chain = begin()
    mine(chain, 200, 1_000)
    near(intervals(chain), TARGET_INTERVAL_MS, 0.15)
    near(chain[0]?.difficulty ?? 0, 1_000 * TARGET_INTERVAL_MS, 0.15)
  })

  it('follows ten times the hash power within 25 blocks', () => {
    const chain = begin()
    const at = mine(chain, 200, 1_000)
    mine(chain, 25, 10_000, at)
    near(chain[0]?.difficulty ?? 0, 10_000 * TARGET_INTERVAL_MS, 0.3)
  })

  it('a departure of nine tenths or ninety-nine hundredths costs minutes, not hours', () => {
    for (const [left, limit] of [
      [10_000, 3 * 60_000],
      [1_000, 10 * 60_000],
    ] as const) {
      const chain = begin()
      const at = mine(chain, 200, 100_000)
      const after = mine(chain, 16, left, at)
      assert.ok(after - at < limit, `16 blocks took ${after - at} ms`)
      mine(chain, 20, left, after)
      near(chain[0]?.difficulty ?? 0, left * TARGET_INTERVAL_MS, 0.5)
    }
  })

  it('an idle week brings it to the floor', () => {
    const chain = begin()
    const at = mine(chain, 200, 1_000_000)
    assert.equal(nextDifficulty(FLOOR, chain, at + 7 * 24 * 3_600_000), FLOOR)
  })

  it('halves for each full 30 seconds of silence', () => {
    const chain = begin()
    const at = mine(chain, 200, 1_000_000)
    const time = chain[0]?.time ?? at
    const full = nextDifficulty(FLOOR, chain, time + HALVING_GAP_MS - 1)
    assert.equal(nextDifficulty(FLOOR, chain, time + HALVING_GAP_MS), Math.floor(full / 2))
    assert.equal(nextDifficulty(FLOOR, chain, time + 3 * HALVING_GAP_MS), Math.floor(full / 8))
  })

  it('a member whose clock is two minutes ahead gains nothing that lasts', () => {
    const chain = begin()
    const at = mine(chain, 200, 10_000)
    const liar = [...chain]
    mine(liar, 30, 10_000, at, (now) => now + 120_000)
    near(liar[0]?.difficulty ?? 0, 10_000 * TARGET_INTERVAL_MS, 0.6)
  })

  it('is a whole number between the floor and twice the highest of the window', () => {
    const ancestor = fc.record({
      time: fc.integer({ min: 0, max: 2 ** 45 }),
      difficulty: fc.integer({ min: FLOOR, max: MAX_DIFFICULTY }),
    })
    fc.assert(
      fc.property(
        fc.array(ancestor, { minLength: 1, maxLength: DIFFICULTY_ANCESTORS }),
        fc.integer({ min: 0, max: 2 ** 46 }),
        (ancestors, time) => {
          const next = nextDifficulty(FLOOR, ancestors, time)
          const highest = Math.max(...ancestors.map(({ difficulty }) => difficulty))
          assert.ok(Number.isSafeInteger(next))
          assert.ok(next >= FLOOR && next <= Math.min(MAX_DIFFICULTY, MAX_RISE * highest))
        },
      ),
    )
  })

  it('one lying time in the window moves it by a bounded part', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 15 }),
        fc.integer({ min: -1e9, max: 1e9 }),
        (at, lie) => {
          const honest = Array.from({ length: DIFFICULTY_ANCESTORS }, (_, i) => ({
            time: (100 - i) * TARGET_INTERVAL_MS,
            difficulty: 1e9,
          }))
          const lied = honest.map((entry, i) =>
            i === at ? { ...entry, time: entry.time + lie } : entry,
          )
          const time = 101 * TARGET_INTERVAL_MS
          const ratio = nextDifficulty(FLOOR, lied, time) / nextDifficulty(FLOOR, honest, time)
          assert.ok(ratio > 0.5 && ratio < 1.4, `${ratio}`)
        },
      ),
    )
    assert.ok(MAX_SOLVE_TIME_MS > TARGET_INTERVAL_MS)
  })

  it('a network with floor 1 asks for no work', () => {
    const quick = Array.from({ length: 17 }, (_, i) => ({ time: 17 - i, difficulty: 1 }))
    assert.equal(nextDifficulty(1, quick, 18), 1)
    assert.equal(nextDifficulty(0, quick, 18), 1)
  })

  it('the median of times, the later of the two in the middle', () => {
    assert.equal(medianTime([5, 1, 9]), 5)
    assert.equal(medianTime([5, 1, 9, 7]), 7)
  })
})

describe('proof of work', () => {
  it('a digest meets a difficulty when their product is below 2^256', () => {
    const digest = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const shape = fc.tuple(
      digest,
      fc.integer({ min: 0, max: 31 }),
      fc.integer({ min: 1, max: MAX_DIFFICULTY }),
    )
    fc.assert(
      fc.property(shape, ([bytes, zeros, difficulty]) => {
        const low = bytes.map((byte, i) => (i < zeros ? 0 : byte))
        const number = low.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
        assert.equal(meetsDifficulty(low, difficulty), number * BigInt(difficulty) < 1n << 256n)
      }),
    )
    for (const difficulty of [1, 2, 3, 256, FLOOR, MAX_DIFFICULTY]) {
      const target = targetOf(difficulty)
      assert.ok(meetsDifficulty(target, difficulty))
    }
  })
})
