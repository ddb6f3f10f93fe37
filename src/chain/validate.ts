/**
 * Contextual rules of a header: what its ancestors and the clock say. The seal (`verifySeal`) and the body
 * (`checkBlock`) are checked apart, because they cost more.
 */
import type { BlockHeader, SealedHeader } from './block.ts'
import { BLOCK_VERSION } from './codec.ts'
import { DIFFICULTY_ANCESTORS, medianTime, nextDifficulty } from './difficulty.ts'
import { chainError } from './errors.ts'
import type { NetworkId } from './ids.ts'
import type { NetworkParams } from './params.ts'
import { checkWork } from './pow.ts'

/** Ancestors whose median a block's time has to pass. */
export const MEDIAN_BLOCKS = 11
/** Milliseconds that a block may be ahead of the clock here: what clocks without care differ by. */
export const MAX_AHEAD_MS = 120_000
/** Ancestors that a header is checked against, newest first; fewer only near the genesis block. */
export const HEADER_ANCESTORS: number = Math.max(MEDIAN_BLOCKS, DIFFICULTY_ANCESTORS)

export interface HeaderContext {
  readonly params: NetworkParams
  readonly network: NetworkId
  /** Newest first, the parent at [0]; 17 of them, or all. */
  readonly ancestors: readonly BlockHeader[]
  /** Milliseconds UTC. */
  readonly now: number
}

/** The least time (milliseconds UTC) that a child of `ancestors[0]` may have. */
export function earliestTime(ancestors: readonly BlockHeader[]): number {
  return medianTime(ancestors.slice(0, MEDIAN_BLOCKS).map(({ time }) => time)) + 1
}

/**
 * Checks everything about a header but its seal, cheapest first.
 *
 * @throws `BLOCK_VERSION`, `BLOCK_NETWORK`, `BLOCK_POW`, `BLOCK_PARENT_UNKNOWN`, `BLOCK_HEIGHT`, `BLOCK_TIME`,
 *   `BLOCK_DIFFICULTY`; `TIME_AHEAD` (ignore) when all else is well
 */
export function checkHeader(sealed: SealedHeader, context: HeaderContext): void {
  const { id: block, header } = sealed
  const { ancestors, network, now, params } = context
  // [REJECT] the version is known
  if (header.version !== BLOCK_VERSION) {
    throw chainError('BLOCK_VERSION', { block, version: header.version })
  }
  // [REJECT] the block belongs to this network
  if (header.network !== network) throw chainError('BLOCK_NETWORK', { block })
  checkWork(sealed)
  const parent = ancestors[0]
  if (parent === undefined || header.parent === null) {
    throw chainError('BLOCK_PARENT_UNKNOWN', { block })
  }
  // [REJECT] one above its parent
  if (header.height !== parent.height + 1) {
    throw chainError('BLOCK_HEIGHT', { block, height: header.height, wanted: parent.height + 1 })
  }
  // [REJECT] time is above the median of the last 11 blocks
  const earliest = earliestTime(ancestors)
  if (header.time < earliest) throw chainError('BLOCK_TIME', { block })
  // [REJECT] the difficulty is the one that the ancestors and the block's time give
  const wanted = nextDifficulty(params.difficultyFloor, ancestors, header.time)
  if (header.difficulty !== wanted) {
    throw chainError('BLOCK_DIFFICULTY', { block, difficulty: header.difficulty, wanted })
  }
  // [IGNORE] not more than two minutes ahead of the clock, unless no earlier time is allowed: else one wrong
  // clock would stop the network for as long as it was wrong by
  const ahead = header.time - now
  if (ahead > MAX_AHEAD_MS && header.time > earliest) {
    throw chainError('TIME_AHEAD', { block, ms: ahead })
  }
}
