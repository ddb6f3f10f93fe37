/** Which of two valid chains is the better one. Depends on what they are, never on which came first. */
import { compareBytes } from '../common/bytes.ts'
import { digestOf } from '../common/dag-cbor.ts'
import type { BlockId } from './ids.ts'

export interface ChainEnd {
  readonly id: BlockId
  readonly chainwork: bigint
}

/** Whether the chain that ends in `a` beats the one that ends in `b`: more work, else the lower digest. */
export function isBetter(a: ChainEnd, b: ChainEnd): boolean {
  if (a.chainwork !== b.chainwork) return a.chainwork > b.chainwork
  return compareBytes(digestOf(a.id), digestOf(b.id)) < 0
}
