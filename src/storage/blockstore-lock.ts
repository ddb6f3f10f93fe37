/** Runs jobs with the same key one after the other; different keys do not wait for each other. */
export interface KeyedLock {
  run<T>(key: string, job: () => Promise<T>): Promise<T>
  /** Resolves when nothing waits or runs. */
  idle(): Promise<void>
}

/** Holds as many entries as its callers have jobs; they bound themselves. */
export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<unknown>>()
  return {
    run: (key, job) => {
      const before = tails.get(key)
      const result = before === undefined ? job() : before.then(job)
      const tail = result.then(
        () => {},
        () => {},
      )
      tails.set(key, tail)
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key)
      })
      return result
    },
    idle: async () => {
      while (tails.size > 0) await Promise.all(tails.values())
    },
  }
}
