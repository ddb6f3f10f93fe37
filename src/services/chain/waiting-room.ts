/**
 * What cannot be judged yet, kept aside within bounds: blocks and records whose predecessor is unknown, blocks
 * of the future. Whatever is dropped here comes again by sync.
 */

/** Blocks whose parent is unknown; each up to a body's size. */
export const MAX_ORPHAN_BLOCKS = 32
/** Records whose predecessor is unknown. */
export const MAX_ORPHAN_RECORDS = 1024

/** Values kept under a key that they wait for; the oldest leave when it is full. */
export interface WaitingRoom<T> {
  readonly size: number
  /** @param id - what the value is, so that it waits once */
  add(awaited: string, id: string, value: T): void
  /** Takes out what waited for `awaited`. */
  take(awaited: string): T[]
}

/** @param limit - values it holds at the most */
export function createWaitingRoom<T>(limit: number): WaitingRoom<T> {
  const waiting = new Map<string, { awaited: string; value: T }>()
  return {
    get size() {
      return waiting.size
    },
    add: (awaited, id, value) => {
      waiting.set(id, { awaited, value })
      const oldest = waiting.keys().next().value
      if (waiting.size > limit && oldest !== undefined) waiting.delete(oldest)
    },
    take: (awaited) => {
      const ready: T[] = []
      for (const [id, entry] of waiting) {
        if (entry.awaited !== awaited) continue
        waiting.delete(id)
        ready.push(entry.value)
      }
      return ready
    },
  }
}
