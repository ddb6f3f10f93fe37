/**
 * One peer at a time brings blocks: two at once would bring the same ones. A peer that stalls keeps the turn
 * only so long as it makes progress; then the next one goes on beside it (what comes twice does no harm).
 */
import { type Clock, sleep } from '../../common/clock.ts'

export interface Turn {
  /** Runs `job` when no other job runs that made progress within the patience. */
  take<T>(job: (progress: () => void) => Promise<T>, signal: AbortSignal): Promise<T>
}

/** @param patience - milliseconds without progress after which a running job no longer holds back the next */
export function createTurn(clock: Clock, patience: number): Turn {
  let holder: { at: number; done: Promise<void> } | undefined
  return {
    take: async (job, signal) => {
      while (holder !== undefined) {
        const left = holder.at + patience - clock.now()
        if (left <= 0) break
        const enough = new AbortController()
        const wait = sleep(clock, left, AbortSignal.any([signal, enough.signal])).catch(() => {})
        await Promise.race([holder.done, wait])
        enough.abort()
        signal.throwIfAborted()
      }
      const ended = Promise.withResolvers<void>()
      const mine = { at: clock.now(), done: ended.promise }
      holder = mine
      try {
        return await job(() => {
          mine.at = clock.now()
        })
      } finally {
        if (holder === mine) holder = undefined
        ended.resolve()
      }
    },
  }
}
