/**
 * The end of a block: what its votes settled, or unsettled, changes the reputation of the voters. Once for each
 * version and block, so that the weights within a block do not hang on it and its cost stays bounded.
 */
import type { UserId, VersionId } from '../ids.ts'
import type { Verdict } from '../record.ts'
import type { Overlay, StateView } from '../view.ts'
import { changeReputation } from './reputation.ts'
import type { Evaluation } from './result.ts'
import { readTally, readVote, settledAs, votersOf } from './votes.ts'

/** @param before - the state before the block; `overlay` lies on it */
export function settleVotes(before: StateView, overlay: Overlay, evaluation: Evaluation): void {
  for (const [version, changed] of evaluation.votesChanged) {
    const was = settledAs(readTally(before, version))
    const is = settledAs(readTally(overlay, version))
    if (was === undefined && is === undefined) continue
    // The same side: only those who voted again stand on another one.
    const users = was === is ? changed : votersOf(overlay, version)
    for (const user of users) {
      const old = standing(before, version, user, was)
      const now = standing(overlay, version, user, is)
      changeReputation(overlay, user, {
        agree: now.agree - old.agree,
        disagree: now.disagree - old.disagree,
      })
    }
  }
}

function standing(
  view: StateView,
  version: VersionId,
  user: UserId,
  settled: Verdict | undefined,
): { agree: number; disagree: number } {
  const vote = settled === undefined ? undefined : readVote(view, version, user)
  if (vote === undefined) return { agree: 0, disagree: 0 }
  return vote.verdict === settled ? { agree: 1, disagree: 0 } : { agree: 0, disagree: 1 }
}
