/** Several jobs at a time, told of in their own order. */

/** How a job ended. */
export type Ended<T> = { readonly value: T } | { readonly error: unknown }

/**
 * Runs `work` for each item, at most `most` at a time, and yields in the order of the items. Who stops reading
 * starts no more; what runs is waited for.
 */
export async function* inOrder<I, T>(
  items: readonly I[],
  most: number,
  work: (item: I) => Promise<T>,
): AsyncGenerator<{ readonly item: I } & Ended<T>> {
  const running: Promise<{ readonly item: I } & Ended<T>>[] = []
  let next = 0
  const begin = (): void => {
    const item = items[next]
    if (next >= items.length || item === undefined) return
    next += 1
    running.push(
      work(item).then(
        (value) => ({ item, value }),
        (error: unknown) => ({ item, error }),
      ),
    )
  }
  try {
    while (running.length < most && next < items.length) begin()
    for (let first = running.shift(); first !== undefined; first = running.shift()) {
      const ended = await first
      begin()
      yield ended
    }
  } finally {
    await Promise.allSettled(running)
  }
}
