/**
 * How many bytes may be asked of one source at a time: what it sends in a quarter of a second, beside the
 * time that a question takes to be answered. So a fast link is kept full and a slow one does not queue the
 * connection's own pings behind seconds of content (libp2p would then close it).
 */
import { MIB } from '../../common/limits.ts'

/** Bytes asked of a new source: one leaf, before anything is known of the link. */
export const FIRST_WINDOW_BYTES: number = MIB
/** Bytes below which the window does not shrink. */
export const MIN_WINDOW_BYTES: number = MIB / 4
/** Bytes above which it does not grow: what is lost when the process is killed stays near 1 % of 1 GiB. */
export const MAX_WINDOW_BYTES: number = 10 * MIB
/** Milliseconds of content that may wait in the pipe. */
const QUEUE_MS = 250
/** Milliseconds over which the rate is taken. */
const SAMPLE_MS = 50

export interface Window {
  /** Bytes asked and not here yet. */
  readonly inFlight: number
  /** Whether more may be asked. One block may go beyond the window, so that a large block is never stuck. */
  readonly open: boolean
  /** Bytes that may still be asked; below zero when closed. */
  readonly room: number
  /** Bytes per second, as last seen; 0 before the first sample. */
  readonly rate: number
  asked(bytes: number, now: number): void
  /** Bytes that are no longer expected: they came, or will not come. */
  settled(bytes: number): void
  /** `bytes` of content came at `now` (milliseconds). */
  came(bytes: number, now: number): void
  /** A first byte came `ms` after its question. */
  roundTrip(ms: number): void
}

export function createWindow(): Window {
  let size = FIRST_WINDOW_BYTES
  let inFlight = 0
  let rate = 0
  let shortest = Number.POSITIVE_INFINITY
  let sampleStart = 0
  let sampleBytes = 0
  let lastCame = 0
  return {
    get inFlight() {
      return inFlight
    },
    get open() {
      return inFlight < size
    },
    get room() {
      return size - inFlight
    },
    get rate() {
      return rate
    },
    asked: (bytes, now) => {
      // A pause between transfers is no sign of a slow link.
      if (inFlight === 0 && now - lastCame > SAMPLE_MS) sampleStart = 0
      inFlight += bytes
    },
    settled: (bytes) => {
      inFlight = Math.max(0, inFlight - bytes)
    },
    came: (bytes, now) => {
      lastCame = now
      if (sampleStart === 0) {
        sampleStart = now
        sampleBytes = 0
        return
      }
      sampleBytes += bytes
      const elapsed = now - sampleStart
      if (elapsed < SAMPLE_MS) return
      const seen = (sampleBytes * 1000) / elapsed
      rate = rate === 0 ? seen : (rate + seen) / 2
      const trip = Number.isFinite(shortest) ? shortest : 0
      const wanted = (rate * (QUEUE_MS + trip)) / 1000
      size = Math.min(MAX_WINDOW_BYTES, Math.max(MIN_WINDOW_BYTES, wanted))
      sampleStart = now
      sampleBytes = 0
    },
    roundTrip: (ms) => {
      shortest = Math.min(shortest, ms)
    },
  }
}
