/**
 * Buffers that are used again. A leaf is in memory for some milliseconds; without this a transfer of 1 GiB makes
 * the engine collect the whole heap every 6 MiB, because large buffers count as pressure from outside (measured:
 * three times the processor time of the transfer itself).
 */
import { KIB, MIB } from '../../common/limits.ts'

/** Bytes of one buffer: a leaf of the import profile. */
const SLAB_BYTES: number = MIB
/** Bytes below which a buffer of its own is cheaper. */
const MIN_POOLED_BYTES: number = 64 * KIB
/** Buffers that are kept: as many as one fetch has in its steps. */
const MAX_KEPT = 24

export interface Buffers {
  /** `length` bytes with any content. */
  take(length: number): Uint8Array
  /** A buffer of `take` that nothing refers to any more; others are ignored. */
  give(bytes: Uint8Array): void
  /** Frees what is kept. */
  clear(): void
}

export function createBuffers(): Buffers {
  const kept: ArrayBuffer[] = []
  const lent = new WeakSet<ArrayBufferLike>()
  return {
    take: (length) => {
      if (length < MIN_POOLED_BYTES || length > SLAB_BYTES) return Buffer.allocUnsafeSlow(length)
      const slab = kept.pop() ?? Buffer.allocUnsafeSlow(SLAB_BYTES).buffer
      lent.add(slab)
      return new Uint8Array(slab, 0, length)
    },
    give: ({ buffer }) => {
      if (!lent.delete(buffer) || kept.length >= MAX_KEPT) return
      kept.push(buffer as ArrayBuffer)
    },
    clear: () => {
      kept.length = 0
    },
  }
}
