/** What a record does when it is evaluated, and the block that evaluates it. */
import type { NetworkId, RecordId, UserId, VersionId } from '../ids.ts'
import type { NetworkParams } from '../params.ts'
import type { ReasonCode } from '../reasons.ts'

export type Result =
  | { readonly outcome: 'applied' }
  | { readonly outcome: 'rejected'; readonly code: ReasonCode }
  /** Evaluated again by the block that brings `missing`. */
  | { readonly outcome: 'waiting'; readonly missing: RecordId }

export const APPLIED: Result = { outcome: 'applied' }

export function rejected(code: ReasonCode): Result {
  return { outcome: 'rejected', code }
}

export interface RecordOutcome {
  readonly record: RecordId
  readonly outcome: Result['outcome']
  /** Why it was rejected. */
  readonly code?: ReasonCode
}

export function outcomeOf(record: RecordId, result: Result): RecordOutcome {
  const { outcome } = result
  return result.outcome === 'rejected'
    ? { record, outcome, code: result.code }
    : { record, outcome }
}

/** Where a record stands in the chain. */
export interface Place {
  readonly height: number
  /** Position in the body, from 0. */
  readonly index: number
}

export function isBefore(a: Place, b: Place): boolean {
  return a.height !== b.height ? a.height < b.height : a.index < b.index
}

/** The block whose evaluation is under way. */
export interface Evaluation {
  readonly params: NetworkParams
  readonly network: NetworkId
  /** Of the block that evaluates, which for a late record is not the one that holds it. */
  readonly height: number
  /** Of that block, milliseconds UTC. */
  readonly time: number
  /** Users whose vote on a version changed in this block. */
  readonly votesChanged: Map<VersionId, Set<UserId>>
}
