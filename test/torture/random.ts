/** Random choices that a seed repeats (mulberry32). Processes and sockets have their own timing all the same. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** Integer in [from, to]. */
  between(from: number, to: number): number
  chance(probability: number): boolean
  pick<T>(list: readonly T[]): T | undefined
  bytes(length: number): Uint8Array
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const between = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    between,
    chance: (probability) => next() < probability,
    pick: (list) => list[between(0, list.length - 1)],
    bytes: (length) => {
      const bytes = new Uint8Array(length)
      const words = new DataView(bytes.buffer)
      let at = 0
      for (; at + 4 <= length; at += 4) words.setUint32(at, next() * 2 ** 32)
      for (; at < length; at += 1) bytes[at] = between(0, 255)
      return bytes
    },
  }
}
