/**
 * Virtual time: a queue of timers that run one after the other, with all promises settled between two of them.
 *
 * owns: the order in which things happen
 * does not own: what happens
 */
import type { Clock } from '../../src/common/clock.ts'
import type { Prng } from './prng.ts'

/** When every run begins: milliseconds UTC of 1 January 2026. */
export const EPOCH: number = Date.UTC(2026, 0, 1)
/**
 * Turns of the event loop after each timer. Promises settle within one; each further one is for code that
 * gives the loop a turn itself.
 */
const SETTLE_TURNS = 2

interface Timer {
  at: number
  readonly order: number
  run: (() => void) | undefined
}

export interface VirtualTime {
  /** Milliseconds UTC, the true time of the run. */
  now(): number
  after(ms: number, run: () => void): () => void
  /** Runs all timers until `ms` from now, and stands there then. Stops early when `enough` says so. */
  advance(ms: number, enough?: () => boolean): Promise<void>
  /** All machines sleep: time goes on, timers that were due run late. */
  jump(ms: number): void
  /** The clock of one machine, `skew()` milliseconds ahead of the truth. */
  clock(prng: Prng, skew: () => number): Clock
  settle(): Promise<void>
  /** Timers that ran. */
  readonly steps: number
}

export function createVirtualTime(): VirtualTime {
  const queue: Timer[] = []
  let now = EPOCH
  let order = 0
  let steps = 0

  const before = (a: Timer, b: Timer): boolean =>
    a.at < b.at || (a.at === b.at && a.order < b.order)
  const at = (index: number): Timer => queue[index] as Timer
  const push = (timer: Timer): void => {
    let index = queue.push(timer) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (before(at(parent), timer)) break
      queue[index] = at(parent)
      index = parent
    }
    queue[index] = timer
  }
  const pop = (): Timer | undefined => {
    const first = queue[0]
    const last = queue.pop()
    if (first === undefined || last === undefined || queue.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= queue.length) break
      if (child + 1 < queue.length && before(at(child + 1), at(child))) child += 1
      if (before(last, at(child))) break
      queue[index] = at(child)
      index = child
    }
    queue[index] = last
    return first
  }

  const time: VirtualTime = {
    get steps() {
      return steps
    },
    now: () => now,
    after: (ms, run) => {
      const timer: Timer = { at: now + Math.max(0, Math.round(ms)), order: order++, run }
      push(timer)
      return () => {
        timer.run = undefined
      }
    },
    advance: async (ms, enough) => {
      const end = now + ms
      await time.settle()
      while (enough?.() !== true) {
        const next = queue[0]
        if (next === undefined || next.at > end) {
          now = end
          return
        }
        pop()
        if (next.run === undefined) continue
        now = Math.max(now, next.at)
        steps += 1
        next.run()
        await time.settle()
      }
    },
    jump: (ms) => {
      now += ms
    },
    clock: (prng, skew) => ({
      now: () => Math.floor(now + skew()),
      after: time.after,
      random: () => prng.next(),
      randomBytes: (length) => prng.bytes(length),
    }),
    settle: async () => {
      for (let turn = 0; turn < SETTLE_TURNS; turn += 1) {
        await new Promise<void>((resolve) => setImmediate(resolve))
      }
    },
  }
  return time
}
