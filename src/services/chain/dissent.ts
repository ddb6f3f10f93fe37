/**
 * Blocks whose sealed outcome is not what this node computes: somebody lies, or this node is wrong.
 *
 * A lie costs one block of work and users cost nothing, so that the number of those who disagree alone must not
 * stop anybody. A node that is wrong is told from one that is lied to by who goes on with its chain: nobody else
 * does with that of the wrong one, while the others' has more work. It stops after a few blocks that it mined
 * alone; a block of any other device on its chain, or more work on it, lets it go on.
 */
import type { DeviceId, UserId } from '../../chain/ids.ts'

/** Users (not devices: one has many) beside this node's own that must disagree. */
const DISSENTERS_TO_STOP = 2
/** Own blocks after a dissent that no other device has followed: others need a few to show that they agree. */
export const BLOCKS_ALONE = 3

export interface Dissent {
  /** Another user sealed a block with another outcome, or one on top of such a block. */
  disagrees(user: UserId, chainwork: bigint): void
  /** A block was connected: its miner agrees. */
  agrees(miner: () => DeviceId): void
  /** Whether this node must not mine on a tip of this chainwork. */
  stops(chainwork: bigint): boolean
}

export function createDissent(own: DeviceId): Dissent {
  const users = new Set<UserId>()
  let work = 0n
  let alone = 0
  return {
    disagrees: (user, chainwork) => {
      if (users.size < DISSENTERS_TO_STOP) users.add(user)
      if (chainwork > work) work = chainwork
    },
    agrees: (miner) => {
      if (users.size === 0) return
      if (miner() === own) {
        alone += 1
        return
      }
      users.clear()
      work = 0n
      alone = 0
    },
    stops: (chainwork) =>
      users.size >= DISSENTERS_TO_STOP && work > chainwork && alone >= BLOCKS_ALONE,
  }
}
