/**
 * Proof of work: the digest in a block's id, read as a big-endian number, is below 2^256 / difficulty.
 * Chainwork is the sum of the difficulties above the genesis block, which has none.
 */
import { compareBytes, fromHex, toHex } from '../common/bytes.ts'
import { HASH_BYTES } from '../common/crypto.ts'
import { digestOf } from '../common/dag-cbor.ts'
import { assert } from '../common/errors.ts'
import type { BlockHeader, SealedHeader } from './block.ts'
import { chainError } from './errors.ts'

/** Bytes of a stored chainwork, big-endian. */
const CHAINWORK_BYTES = 32
export const GENESIS_CHAINWORK = 0n

const SPACE = 1n << 256n

/** The greatest digest (32 bytes) that meets `difficulty`: ⌊(2^256 - 1) / difficulty⌋. */
export function targetOf(difficulty: number): Uint8Array {
  return bigintToBytes((SPACE - 1n) / BigInt(Math.max(1, difficulty)))
}

/** Whether digest × difficulty < 2^256. */
export function meetsDifficulty(digest: Uint8Array, difficulty: number): boolean {
  if (difficulty <= 1) return true
  return compareBytes(digest, targetOf(difficulty)) <= 0
}

/** @throws `BLOCK_POW` */
export function checkWork(header: SealedHeader): void {
  // [REJECT] the id's digest times the difficulty is below 2^256
  const { difficulty } = header.header
  if (!meetsDifficulty(digestOf(header.id), difficulty)) {
    throw chainError('BLOCK_POW', { block: header.id, difficulty })
  }
}

/** Chainwork of a block whose parent has `parent`. */
export function chainworkAfter(parent: bigint, header: BlockHeader): bigint {
  return parent + BigInt(header.difficulty)
}

/** 32 bytes, big-endian: byte order is the order of the numbers. */
export function chainworkToBytes(chainwork: bigint): Uint8Array {
  assert(chainwork >= 0n && chainwork < SPACE, 'chainwork fits 32 bytes')
  return bigintToBytes(chainwork)
}

export function chainworkFromBytes(bytes: Uint8Array): bigint {
  assert(bytes.length === CHAINWORK_BYTES, 'chainwork has 32 bytes')
  return BigInt(`0x${toHex(bytes)}`)
}

function bigintToBytes(value: bigint): Uint8Array {
  return fromHex(value.toString(16).padStart(2 * HASH_BYTES, '0'))
}
