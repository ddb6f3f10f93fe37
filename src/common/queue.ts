import { CairnError } from './errors.ts'

/** A bounded queue that runs its jobs one after the other. */
export interface SerialQueue {
  /** Number of jobs that wait or run. */
  readonly size: number
  /**
   * Runs `job` after those before it. Throws `QUEUE_FULL` at once when `limit` jobs wait already;
   * a job whose signal aborts before it starts is not run.
   */
  run<T>(job: () => Promise<T> | T, signal?: AbortSignal): Promise<T>
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
}

/** @param limit - jobs that may wait or run at a time; the bound of the memory they hold */
export function createSerialQueue(limit: number): SerialQueue {
  let tail: Promise<unknown> = Promise.resolve()
  let size = 0
  return {
    get size() {
      return size
    },
    run: (job, signal) => {
      if (size >= limit) {
        return Promise.reject(
          new CairnError(
            'QUEUE_FULL',
            'The node is busy and cannot take more work now. Try again soon.',
          ),
        )
      }
      size += 1
      const result = tail.then(async () => {
        try {
          signal?.throwIfAborted()
          return await job()
        } finally {
          size -= 1
        }
      })
      tail = result.catch(() => {})
      return result
    },
    idle: async () => {
      while (size > 0) await tail
    },
  }
}
