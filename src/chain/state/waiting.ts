/**
 * Records that wait for another one: `waiting/<missing>/<place>` holds the record's bytes, so that they are
 * evaluated in chain order. `due/<missing>` marks a missing record that came, while more waited for it than one
 * block evaluates: the next block goes on.
 */
import type { RecordId } from '../ids.ts'
import type { Overlay, StateView } from '../view.ts'
import type { Place } from './result.ts'
import { MARK } from './value.ts'

const ALL = 'waiting/'
const DUE = 'due/'
/** Decimal digits of a height and of an index: byte order of keys is chain order. */
const HEIGHT_DIGITS = 16
const INDEX_DIGITS = 5

export interface Waiter {
  readonly place: Place
  /** What it waits for. */
  readonly missing: RecordId
  readonly bytes: Uint8Array
}

/** Whether any record waits. Looks at the first entry only: not for an overlay, which lists all at once. */
export function hasWaiting(view: StateView): boolean {
  for (const _ of view.list(ALL)) return true
  return false
}

/** Records that wait for `missing`, in chain order. */
export function waitersOf(view: StateView, missing: RecordId): Waiter[] {
  const prefix = `${ALL}${missing}/`
  return [...view.list(prefix)].map(([key, bytes]) => {
    const [height, index] = key.slice(prefix.length).split('.').map(Number)
    return { place: { height: height ?? 0, index: index ?? 0 }, missing, bytes }
  })
}

export function addWaiter(overlay: Overlay, waiter: Waiter): void {
  overlay.put(keyOf(waiter), waiter.bytes)
}

export function removeWaiter(overlay: Overlay, waiter: Waiter): void {
  overlay.delete(keyOf(waiter))
}

/** Takes the marks away and says what they were for. */
export function takeDue(overlay: Overlay): RecordId[] {
  const ids = [...overlay.list(DUE)].map(([key]) => key.slice(DUE.length) as RecordId)
  for (const id of ids) overlay.delete(DUE + id)
  return ids
}

export function markDue(overlay: Overlay, id: RecordId): void {
  overlay.put(DUE + id, MARK)
}

function keyOf({ missing, place }: Waiter): string {
  const height = String(place.height).padStart(HEIGHT_DIGITS, '0')
  return `${ALL}${missing}/${height}.${String(place.index).padStart(INDEX_DIGITS, '0')}`
}
