/**
 * What is missing, what comes next, and when what failed is tried again. Pure.
 *
 * Two roots are fetched at a time, so that while one is checked as a whole the other keeps the link busy. One
 * place takes the smallest: most files are here soonest that way. The other takes the one that waits longest:
 * a large file is not put off for ever by small ones that keep coming.
 */
import type { ContentId } from '../../chain/ids.ts'
import type { WantedContent } from './wanted.ts'

/** Roots fetched at a time. */
export const PLACES = 2
/** Milliseconds until the second attempt; doubled each time. */
const FIRST_PAUSE_MS = 2_000
/** Milliseconds between attempts at most: a device that comes back starts a new one anyway. */
const MAX_PAUSE_MS = 5 * 60_000
/** Milliseconds until content that is wrong at its origin is tried again: another program may know better. */
const WRONG_PAUSE_MS = 60 * 60_000

export interface Missing {
  readonly wanted: WantedContent
  readonly root: ContentId
  /** Bytes that it takes. */
  readonly size: number
  /** When it was first found missing. */
  readonly since: number
  attempts: number
  notBefore: number
  /** Ends the attempt that runs. */
  running: AbortController | undefined
  /** Set by the scan that last saw it wanted. */
  scan: number
  /** The bytes are not what the record says: no device will have better ones. */
  wrong: boolean
}

export interface Schedule {
  readonly all: ReadonlyMap<ContentId, Missing>
  /** Notes that `wanted` is missing, as scan number `scan` found. */
  add(wanted: WantedContent, scan: number, now: number): void
  /** Forgets what the scan did not see, and ends the attempts at it. */
  keepOnly(scan: number): void
  /** The next to be fetched; undefined: nothing, or no place is free. `alone`: no device can be asked. */
  next(now: number, alone: boolean): Missing | undefined
  /** It is here. */
  done(root: ContentId): void
  /** It failed. @param random - 0 to 1 */
  failed(missing: Missing, wrong: boolean, now: number, random: number): void
  /** Somebody new can be asked: what failed for want of a source is due. */
  hurry(now: number): void
  /** When the next is due; undefined: nothing waits. */
  nextDue(): number | undefined
}

export function createSchedule(): Schedule {
  const all = new Map<ContentId, Missing>()
  const running = (): Missing[] => [...all.values()].filter((each) => each.running !== undefined)
  const waiting = (): Missing[] => [...all.values()].filter((each) => each.running === undefined)
  return {
    all,
    add: (wanted, scan, now) => {
      const { root, storedSize: size } = wanted.record.body
      const known = all.get(root)
      if (known !== undefined) known.scan = scan
      else {
        const fresh = { attempts: 0, notBefore: now, running: undefined, wrong: false }
        all.set(root, { wanted, root, size, since: now, scan, ...fresh })
      }
    },
    keepOnly: (scan) => {
      for (const missing of [...all.values()]) {
        if (missing.scan === scan) continue
        missing.running?.abort(new Error('not wanted any more'))
        all.delete(missing.root)
      }
    },
    next: (now, alone) => {
      const busy = running()
      if (busy.length >= PLACES) return undefined
      // Without anybody to ask only the first attempt makes sense: all may be here, but for the pin.
      const due = waiting().filter(
        ({ notBefore, attempts }) => notBefore <= now && (!alone || attempts === 0),
      )
      const first = (better: (a: Missing, b: Missing) => number): Missing | undefined =>
        due.reduce<Missing | undefined>(
          (best, each) => (best === undefined || better(each, best) < 0 ? each : best),
          undefined,
        )
      const smallest = first((a, b) => a.size - b.size)
      const oldest = first((a, b) => a.since - b.since || b.size - a.size)
      return busy.some((each) => each.size <= (smallest?.size ?? 0)) ? oldest : smallest
    },
    done: (root) => void all.delete(root),
    failed: (missing, wrong, now, random) => {
      missing.attempts += 1
      missing.wrong = wrong
      const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (missing.attempts - 1))
      missing.notBefore = now + (wrong ? WRONG_PAUSE_MS : pause * (0.5 + random / 2))
    },
    hurry: (now) => {
      for (const missing of all.values()) {
        if (missing.wrong) continue
        missing.notBefore = Math.min(missing.notBefore, now)
      }
    },
    nextDue: () => {
      const times = waiting().map(({ notBefore }) => notBefore)
      return times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b))
    },
  }
}
