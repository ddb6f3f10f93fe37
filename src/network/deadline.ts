/** A signal that aborts after a time, or when one of others does. */
import type { Clock } from '../common/clock.ts'

export interface Deadline {
  readonly signal: AbortSignal
  /** Frees the timer; the signal then follows the others alone. */
  end(): void
}

/** The signal's reason is a `TimeoutError` when the time is over. */
export function createDeadline(
  clock: Pick<Clock, 'after'>,
  ms: number,
  ...signals: readonly AbortSignal[]
): Deadline {
  const late = new AbortController()
  const end = clock.after(ms, () => {
    late.abort(new DOMException('the time is over', 'TimeoutError'))
  })
  return { signal: AbortSignal.any([late.signal, ...signals]), end }
}
