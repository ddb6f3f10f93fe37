/** When what stands at the destinations is looked at: at the start, after the first backup, hourly, and when asked. */
import type { Clock } from '../common/clock.ts'

/** Milliseconds until the first looks, and between two later ones. */
const FIRST_MS: readonly number[] = [100, 30_000]
const LATER_MS = 3_600_000

export interface BackupLooks {
  start(): void
  /** Looks now. */
  soon(): void
  /** No further look; resolves when the one under way has ended. */
  stop(): Promise<void>
}

/** @param look - looks at all of them; does not throw */
export function createBackupLooks(
  { clock }: { readonly clock: Clock },
  look: (signal: AbortSignal) => Promise<void>,
): BackupLooks {
  let stopping = new AbortController()
  let cancel = (): void => {}
  let looking: Promise<void> = Promise.resolve()
  const after = (ms: number, ...later: readonly number[]): void => {
    cancel()
    if (stopping.signal.aborted) return
    cancel = clock.after(ms, () => {
      const { signal } = stopping
      looking = looking.then(() => look(signal))
      const [next = LATER_MS, ...rest] = later
      after(next, ...rest)
    })
  }
  return {
    start: () => {
      stopping = new AbortController()
      const [first = LATER_MS, ...rest] = FIRST_MS
      after(first, ...rest)
    },
    soon: () => after(0),
    stop: async () => {
      cancel()
      stopping.abort(new Error('the node stops'))
      await looking.catch(() => {})
    },
  }
}
