/** Seeded random numbers: the same seed gives the same run. Not for secrets. */

export interface Prng {
  /** [0, 1). */
  next(): number
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T
  /** A new list in another order. */
  shuffle<T>(list: readonly T[]): T[]
  /** Exponentially distributed with this mean: the time until a memoryless event. */
  exponential(mean: number): number
  bytes(length: number): Uint8Array
  /** An independent stream: what one part draws does not move the others. */
  fork(label: string): Prng
}

export function createPrng(seed: string): Prng {
  // sfc32 (Chris Doty-Humphrey, PractRand), seeded by xmur3 over the text.
  const word = hashWords(seed)
  let [a, b, c, d] = [word(), word(), word(), 1]
  const next32 = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + t
    c |= 0
    return t >>> 0
  }
  for (let index = 0; index < 12; index += 1) next32()
  const prng: Prng = {
    next: () => next32() / 2 ** 32,
    int: (low, high) => low + Math.floor(prng.next() * (high - low + 1)),
    chance: (probability) => prng.next() < probability,
    pick: (list) => {
      const one = list[Math.floor(prng.next() * list.length)]
      if (list.length === 0) throw new RangeError('nothing to pick from')
      return one as (typeof list)[number]
    },
    shuffle: (list) => {
      const mixed = [...list]
      for (let index = mixed.length - 1; index > 0; index -= 1) {
        const other = prng.int(0, index)
        const [x, y] = [mixed[index], mixed[other]]
        mixed[index] = y as (typeof mixed)[number]
        mixed[other] = x as (typeof mixed)[number]
      }
      return mixed
    },
    exponential: (mean) => -Math.log(1 - prng.next()) * mean,
    bytes: (length) => Uint8Array.from({ length }, () => next32() & 0xff),
    fork: (label) => createPrng(`${seed}/${label}`),
  }
  return prng
}

function hashWords(text: string): () => number {
  let h = 1779033703 ^ text.length
  for (let index = 0; index < text.length; index += 1) {
    h = Math.imul(h ^ text.charCodeAt(index), 3432918353)
    h = (h << 13) | (h >>> 19)
  }
  return () => {
    h = Math.imul(h ^ (h >>> 16), 2246822507)
    h = Math.imul(h ^ (h >>> 13), 3266489909)
    h ^= h >>> 16
    return h | 0
  }
}
