/** Reputation: `reputation/<user>`. How often a user's vote agreed with what a version was settled as. */
import { type Shaped, tuple, uint } from '../../common/schema.ts'
import type { UserId } from '../ids.ts'
import type { NetworkParams } from '../params.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { valueCodec } from './value.ts'

/** Thousandths. */
const REPUTATION_STEP = 100
export const MIN_REPUTATION = 100
export const MAX_REPUTATION = 3_000
/** Where reputation starts: where anybody may join, a new user has hardly a say. */
const REPUTATION_BASE: Readonly<Record<NetworkParams['admission'], number>> = {
  open: 100,
  invite: 1_000,
}

const shape = tuple(['agree', uint()], ['disagree', uint()])
const codec = valueCodec(shape)

/** Numbers of settled versions on which the user's vote agrees and disagrees. */
export type ReputationState = Shaped<typeof shape>

const keyOf = (user: UserId): string => `reputation/${user}`
const NONE: ReputationState = { agree: 0, disagree: 0 }

export function readReputationState(view: StateView, user: UserId): ReputationState {
  return readValue(view, keyOf(user), codec) ?? NONE
}

/** Thousandths: clamp(base + 100 × (agree − disagree), 100, 3000). */
export function readReputation(view: StateView, params: NetworkParams, user: UserId): number {
  const { agree, disagree } = readReputationState(view, user)
  const value = REPUTATION_BASE[params.admission] + REPUTATION_STEP * (agree - disagree)
  return Math.min(MAX_REPUTATION, Math.max(MIN_REPUTATION, value))
}

/** Adds to both numbers; none of them falls below zero. */
export function changeReputation(overlay: Overlay, user: UserId, by: ReputationState): void {
  if (by.agree === 0 && by.disagree === 0) return
  const { agree, disagree } = readReputationState(overlay, user)
  const next = { agree: agree + by.agree, disagree: disagree + by.disagree }
  overlay.write(keyOf(user), codec, next)
}
