/** A clock that only moves when told. */
import type { Clock } from '../../../src/common/clock.ts'

export interface VirtualClock extends Clock {
  /** Runs all timers of the next `ms` milliseconds, and what they set off. */
  advance(ms: number): Promise<void>
}

export function createVirtualClock(): VirtualClock {
  let now = 1_000_000
  const timers = new Set<{ at: number; run: () => void }>()
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return {
    now: () => now,
    after: (ms, run) => {
      const timer = { at: now + ms, run }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    randomBytes: (length) => new Uint8Array(length),
    random: () => 0,
    advance: async (ms) => {
      const end = now + ms
      await settle()
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
        if (next === undefined) break
        timers.delete(next)
        now = Math.max(now, next.at)
        next.run()
        await settle()
      }
      now = end
    },
  }
}
