/**
 * The difficulty of a block, from its ancestors and its own time alone.
 *
 * A linearly weighted moving average over the last 16 solve times (LWMA, zawy12,
 * https://github.com/zawy12/difficulty-algorithms/issues/3), in whole numbers:
 *
 *   Σ difficulty × T × (N + 1) / (2 × Σ i × solveTime_i)      i = 1 for the oldest of N ≤ 16
 *
 * halved for each full 30 s between the parent's time and the block's own, down to the floor: a strong
 * member's departure, or a week without anything to mine, never freezes the network.
 */
import { MAX_DIFFICULTY } from './block.ts'

/** Milliseconds between blocks that difficulty aims at while there is something to mine. */
export const TARGET_INTERVAL_MS = 2_000
/** Solve times looked at: half a minute at the target, so that a change of power is followed within that. */
const DIFFICULTY_WINDOW = 16
/** Ancestors that this needs: 16 intervals have 17 ends. */
export const DIFFICULTY_ANCESTORS: number = DIFFICULTY_WINDOW + 1
/** Milliseconds; the bounds of what one block's time, true or a lie, can do. */
const MIN_SOLVE_TIME_MS = 1
export const MAX_SOLVE_TIME_MS: number = 6 * TARGET_INTERVAL_MS
/** Milliseconds of silence that halve the difficulty. */
export const HALVING_GAP_MS = 30_000
/** A block's difficulty is at most this times the highest in the window: bounds the damage of lying clocks. */
export const MAX_RISE = 2
/** A network with this floor does not adapt: every hash is a block (tests). */
const NO_WORK = 1

export interface DifficultyAncestor {
  /** Milliseconds UTC. */
  readonly time: number
  readonly difficulty: number
}

/**
 * @param floor - the network's least difficulty
 * @param ancestors - newest first, the parent at [0]; up to 17 are looked at
 * @param time - the block's own time, milliseconds UTC
 */
export function nextDifficulty(
  floor: number,
  ancestors: readonly DifficultyAncestor[],
  time: number,
): number {
  const least = Math.max(NO_WORK, floor)
  const parent = ancestors[0]
  if (parent === undefined || least === NO_WORK) return least
  const halvings = Math.max(0, Math.floor((time - parent.time) / HALVING_GAP_MS))
  if (halvings >= 53) return least
  const average = weightedAverage(ancestors)
  return Math.max(least, Math.floor(average / 2 ** halvings))
}

function weightedAverage(ancestors: readonly DifficultyAncestor[]): number {
  const count = Math.min(DIFFICULTY_WINDOW, ancestors.length - 1)
  let difficulties = 0n
  let weighted = 0
  let highest = 0
  let newer = ancestors[0]
  if (newer === undefined || count === 0) return newer?.difficulty ?? 0
  for (let index = 0; index < count; index++) {
    const older = ancestors[index + 1]
    if (older === undefined) break
    const took = newer.time - older.time
    weighted += (count - index) * Math.min(MAX_SOLVE_TIME_MS, Math.max(MIN_SOLVE_TIME_MS, took))
    difficulties += BigInt(newer.difficulty)
    highest = Math.max(highest, newer.difficulty)
    newer = older
  }
  const next =
    (difficulties * BigInt(TARGET_INTERVAL_MS) * BigInt(count + 1)) / (2n * BigInt(weighted))
  const limit = BigInt(Math.min(MAX_DIFFICULTY, MAX_RISE * highest))
  return Number(next < limit ? next : limit)
}

/** The median: the middle one, of an even number the later of the two in the middle. Not for an empty list. */
export function medianTime(times: readonly number[]): number {
  const sorted = [...times].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
