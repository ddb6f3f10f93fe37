/** Progress, told not more often than a person can see. */
import type { Clock } from '../../common/clock.ts'
import type { Progress, WorkOptions } from './types.ts'

/** Milliseconds between two tellings. */
const EVERY_MS = 100

/** Calls `onProgress` at most ten times a second; `end` tells the last state whatever the time. */
export function createProgress(
  clock: Clock,
  onProgress: WorkOptions['onProgress'],
): { tell(progress: Progress): void; end(): void } {
  let next = 0
  let untold: Progress | undefined
  const end = (): void => {
    if (untold !== undefined) onProgress?.(untold)
    untold = undefined
  }
  return {
    tell: (progress) => {
      untold = progress
      const now = clock.now()
      if (now < next) return
      next = now + EVERY_MS
      end()
    },
    end,
  }
}
