/** The bounds of what this node gives away: reads at a time, bytes held ready, questions and bytes per second. */
import { type Clock, sleep } from '../../common/clock.ts'

export interface TokenBucket {
  /** Resolves when `amount` tokens were taken; more than a whole bucket is taken in debt. */
  take(amount: number, signal: AbortSignal): Promise<void>
}

/** @param perSecond - tokens that come per second; `Infinity` for no limit. @param burst - tokens that it holds */
export function createTokenBucket(clock: Clock, perSecond: number, burst: number): TokenBucket {
  let tokens = burst
  let filled = clock.now()
  return {
    take: async (amount, signal) => {
      if (perSecond === Number.POSITIVE_INFINITY) return
      const now = clock.now()
      tokens = Math.min(burst, tokens + ((now - filled) * perSecond) / 1000) - amount
      filled = now
      if (tokens < 0) await sleep(clock, Math.ceil((-tokens * 1000) / perSecond), signal)
    },
  }
}

export interface Semaphore {
  /** Resolves when one of the places is free; the returned function gives it back, once. */
  enter(): Promise<() => void>
}

export function createSemaphore(places: number): Semaphore {
  let free = places
  const waiting: (() => void)[] = []
  const leave = (): (() => void) => {
    let left = false
    return () => {
      if (left) return
      left = true
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
  return {
    enter: async () => {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      return leave()
    },
  }
}

/** Bytes that all streams together hold ready to be sent. */
export interface Budget {
  readonly full: boolean
  hold(bytes: number): void
  free(bytes: number): void
}

export function createBudget(most: number): Budget {
  let held = 0
  return {
    get full() {
      return held >= most
    },
    hold: (bytes) => {
      held += bytes
    },
    free: (bytes) => {
      held -= bytes
    },
  }
}
