/** Waiting for what others do, no longer than the caller wants. */

/** What `coming` brings, or the signal's reason as soon as it is there. */
export async function unlessStopped<Value>(
  coming: Promise<Value>,
  signal: AbortSignal,
): Promise<Value> {
  signal.throwIfAborted()
  const stopped = Promise.withResolvers<never>()
  const stop = (): void => stopped.reject(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  try {
    return await Promise.race([coming, stopped.promise])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}

/** Runs what has the same key one after the other, in the order in which it came. */
export function oneAtATime(): <Value>(
  key: string,
  signal: AbortSignal,
  run: () => Promise<Value>,
) => Promise<Value> {
  const last = new Map<string, Promise<unknown>>()
  return async (key, signal, run) => {
    const before = last.get(key)
    const mine = Promise.withResolvers<void>()
    // Whoever gives up waiting lets the next one go on only when the one before is done.
    const done = Promise.all([before, mine.promise])
    last.set(key, done)
    try {
      await unlessStopped(Promise.resolve(before), signal)
      return await run()
    } finally {
      mine.resolve()
      if (last.get(key) === done) last.delete(key)
    }
  }
}
