/** A bounded cache: forgets the entry that was not used for the longest time. */
export interface Cache<K, V> {
  get(key: K): V | undefined
  set(key: K, value: V): void
  delete(key: K): void
  clear(): void
}

/** An entry's weight: 1 unless told otherwise. */
const ONE = (): number => 1

/**
 * @param limit - the weight of all entries: the bound of its memory
 * @param weightOf - of an entry; one that outweighs half the limit is not kept
 */
export function createCache<K, V>(
  limit: number,
  weightOf: (value: V) => number = ONE,
): Cache<K, V> {
  // Two generations: cheaper than moving an entry at each use, and within a factor of two of the same order.
  let young = new Map<K, V>()
  let old = new Map<K, V>()
  let weight = 0
  const set = (key: K, value: V): void => {
    const added = weightOf(value)
    if (added * 2 > limit) return
    if ((weight + added) * 2 > limit) {
      old = young
      young = new Map()
      weight = 0
    }
    weight += added
    young.set(key, value)
  }
  return {
    get: (key) => {
      const found = young.get(key)
      if (found !== undefined) return found
      const older = old.get(key)
      if (older !== undefined) set(key, older)
      return older
    },
    set,
    delete: (key) => {
      young.delete(key)
      old.delete(key)
    },
    clear: () => {
      young.clear()
      old.clear()
      weight = 0
    },
  }
}
