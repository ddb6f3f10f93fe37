/** Records that wait for another one: evaluated, in chain order, by the block that brings what they name. */
import { apply } from './apply.ts'
import { decodeRecord } from './codec.ts'
import type { RecordId } from './ids.ts'
import type { SignedRecord } from './record.ts'
import { noteLate } from './state/records.ts'
import {
  type Evaluation,
  isBefore,
  outcomeOf,
  type Place,
  type RecordOutcome,
  type Result,
} from './state/result.ts'
import {
  addWaiter,
  hasWaiting,
  markDue,
  removeWaiter,
  takeDue,
  type Waiter,
  waitersOf,
} from './state/waiting.ts'
import type { Overlay, StateView } from './view.ts'

/** Waiting records that one block evaluates: as many as a body can hold. The next block goes on. */
export const MAX_LATE_PER_BLOCK = 4096

export interface LateRecords {
  readonly outcomes: RecordOutcome[]
  /** Goes on with what an earlier block left. */
  continue(): void
  /** Lets `record` wait if it has to; else evaluates those that waited for it. */
  settle(record: SignedRecord, place: Place, result: Result): void
}

/** @param view - the state before the block, which `overlay` changes */
export function createLateRecords(
  view: StateView,
  overlay: Overlay,
  evaluation: Evaluation,
): LateRecords {
  const outcomes: RecordOutcome[] = []
  let queue: Waiter[] = []
  let anyWait = hasWaiting(view)

  const wait = (waiter: Waiter): void => {
    anyWait = true
    addWaiter(overlay, waiter)
  }

  const release = (id: RecordId): void => {
    if (!anyWait) return
    const waiters = waitersOf(overlay, id)
    if (waiters.length === 0) return
    // The next one is taken from the end.
    queue = [...queue, ...waiters].sort((a, b) => (isBefore(a.place, b.place) ? 1 : -1))
  }

  const resolved = (record: SignedRecord): void => {
    release(record.identity)
    if (record.identity !== record.id) release(record.id)
  }

  const drain = (): void => {
    while (outcomes.length < MAX_LATE_PER_BLOCK) {
      const waiter = queue.pop()
      if (waiter === undefined) return
      removeWaiter(overlay, waiter)
      const record = decodeRecord(waiter.bytes)
      const result = apply(overlay, record, waiter.place, evaluation)
      noteLate(overlay, record.id, waiter.place, result)
      outcomes.push(outcomeOf(record.id, result))
      if (result.outcome === 'waiting') wait({ ...waiter, missing: result.missing })
      else resolved(record)
    }
    for (const { missing } of queue) markDue(overlay, missing)
    queue = []
  }

  return {
    outcomes,
    continue: () => {
      if (!anyWait) return
      for (const id of takeDue(overlay)) release(id)
      drain()
    },
    settle: (record, place, result) => {
      if (result.outcome === 'waiting') {
        wait({ place, missing: result.missing, bytes: record.bytes })
        return
      }
      resolved(record)
      if (queue.length > 0) drain()
    },
  }
}
