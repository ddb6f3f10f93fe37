/** Cuts a stream into leaves of one size. */

/** Bytes that a stream begins with: most files are small, and a whole leaf for each would fill the heap. */
const FIRST_BYTES = 16_384

/** Memory for leaves: given back when a leaf is stored, so that a large file does not walk through the heap. */
export interface LeafPool {
  /** Of one leaf. */
  readonly bytes: number
  take(): Uint8Array
  give(leaf: Uint8Array): void
}

/** @param bytes - of one leaf */
export function createLeafPool(bytes: number): LeafPool {
  const free: Uint8Array[] = []
  return {
    bytes,
    take: () => free.pop() ?? new Uint8Array(bytes),
    give: (leaf) => {
      // The last leaf of a file may be a part of its memory.
      if (leaf.length === bytes) free.push(leaf)
    },
  }
}

/** Leaves of the pool's size; the last one may be shorter. An empty stream gives one empty leaf. */
export async function* chunksOf(
  source: AsyncIterable<Uint8Array>,
  pool: LeafPool,
): AsyncGenerator<Uint8Array> {
  let leaf: Uint8Array = new Uint8Array(Math.min(FIRST_BYTES, pool.bytes))
  let filled = 0
  let any = false
  for await (const part of source) {
    for (let offset = 0; offset < part.length; ) {
      // Copied even when it fits: the source may use its memory again, and leaves are hashed and written apart.
      const length = Math.min(leaf.length - filled, part.length - offset)
      leaf.set(part.subarray(offset, offset + length), filled)
      filled += length
      offset += length
      if (filled < leaf.length) continue
      if (filled < pool.bytes) {
        const whole = pool.take()
        whole.set(leaf)
        leaf = whole
        continue
      }
      yield leaf
      any = true
      leaf = pool.take()
      filled = 0
    }
  }
  if (filled > 0 || !any) yield leaf.subarray(0, filled)
}
