/**
 * When one destination is written to: soon after a change, and again after a failure, later each time. Each has its
 * own, so that one that hangs delays no other.
 */
import type { Clock } from '../../common/clock.ts'
import { CairnError, codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { createSerialQueue } from '../../common/queue.ts'
import { nameToKeep } from './called.ts'
import type { Destination } from './destination.ts'
import type { BackupWriter, Saved } from './writer.ts'

/** Milliseconds in which changes are gathered into one backup. */
export const GATHER_MS = 900
/** Milliseconds after the first failure, doubled with each further one, and the most. */
const FIRST_RETRY_MS = 2_000
const MAX_RETRY_MS = 300_000
/** The longest wait that a destination may ask for: what is new would lie here alone for longer. */
const MAX_ASKED_MS = 900_000
/** Milliseconds between two backups of which the log tells. */
const TELL_MS = 60_000
/** Backups by hand that may wait. */
const MAX_WAITING = 16

export interface DestinationState {
  readonly kind: Destination['kind']
  readonly name: string
  readonly lastSaved: Saved | undefined
  readonly lastError:
    | { readonly code: string; readonly message: string; readonly time: number }
    | undefined
  /** Failures since the last success. */
  readonly failures: number
  /** Whether something here is not there yet. */
  readonly behind: boolean
  /** Backups and bytes written since the start. */
  readonly backups: number
  readonly bytes: number
}

export interface SaveRequest {
  /** Undefined: by itself. */
  readonly name?: string | undefined
  readonly full?: boolean
  /** Who asked for it: a number that an administrator gave. */
  readonly by?: number | undefined
}

export interface DestinationQueue {
  /** Something is new: it is saved within a second, or when the destination is tried again. */
  changed(): void
  /** Saves now. @throws the errors of `BackupWriter.save` */
  save(request: SaveRequest, signal: AbortSignal): Promise<Saved | undefined>
  /** Saves what is not saved; ends with `signal`, without an error. */
  flush(signal: AbortSignal): Promise<void>
  state(): DestinationState
  /** Ends timers and what is under way. */
  stop(): void
}

export function createDestinationQueue(components: {
  readonly destination: Destination
  readonly writer: BackupWriter
  readonly clock: Clock
  readonly logger: Logger
  readonly onSaved: (saved: Saved) => void
}): DestinationQueue {
  const { destination, writer, clock } = components
  const logger = components.logger.child('backup')
  const jobs = createSerialQueue(MAX_WAITING)
  let stopping = new AbortController()
  let cancel: (() => void) | undefined
  let retryAt = 0
  let running = 0
  let toldAt = Number.NEGATIVE_INFINITY
  let state: Omit<DestinationState, 'kind' | 'name'> = {
    lastSaved: undefined,
    lastError: undefined,
    failures: 0,
    behind: false,
    backups: 0,
    bytes: 0,
  }
  const set = (change: Partial<typeof state>): void => {
    state = { ...state, ...change }
  }

  const failed = (error: unknown): void => {
    const failures = state.failures + 1
    const lastError = { code: codeOf(error), message: messageOf(error), time: clock.now() }
    set({ behind: true, failures, lastError })
    const wait = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 30), MAX_RETRY_MS)
    const own = Math.ceil(wait * (0.5 + clock.random() / 2))
    retryAt = clock.now() + Math.max(own, askedWait(error))
    const fields = { destination: destination.name, code: lastError.code, why: lastError.message }
    // A warning for the first, and then now and then: an outage must not fill the log.
    const loud = failures === 1 || failures % 10 === 0
    logger[loud ? 'warn' : 'debug']('A backup failed; it is tried again', { ...fields, failures })
  }

  /** Each one that somebody asked for, and of the others one now and then: there may be one a second. */
  const tell = (saved: Saved, isAsked: boolean): void => {
    const loud = isAsked || clock.now() - toldAt >= TELL_MS
    if (loud) toldAt = clock.now()
    const { number, name, size, height, written } = saved
    const fields = { destination: destination.name, number, name, size, written, height }
    logger[loud ? 'info' : 'debug']('Backed up', fields)
  }

  const run = async (
    { name, full = false, by }: SaveRequest,
    signal: AbortSignal,
  ): Promise<Saved | undefined> => {
    running += 1
    set({ behind: false })
    const time = `${new Date(clock.now()).toISOString().slice(0, 19)}Z`
    try {
      const saved = await writer.save({
        name: name === undefined ? `Auto-backup ${time}` : nameToKeep(name),
        manual: name !== undefined,
        full,
        by,
        signal: AbortSignal.any([signal, stopping.signal]),
      })
      set({ failures: 0, lastError: undefined })
      retryAt = 0
      if (saved === undefined) return undefined
      const { backups, bytes } = state
      set({ lastSaved: saved, backups: backups + 1, bytes: bytes + saved.written })
      tell(saved, name !== undefined)
      components.onSaved(saved)
      return saved
    } catch (error) {
      set({ behind: true })
      if (!signal.aborted && !stopping.signal.aborted) failed(error)
      throw error
    } finally {
      running -= 1
      if (state.behind) schedule()
    }
  }

  const schedule = (): void => {
    // What comes while it is written to is looked at when that has ended, well or not.
    if (cancel !== undefined || running > 0 || stopping.signal.aborted) return
    const wait = Math.max(GATHER_MS, retryAt - clock.now())
    cancel = clock.after(wait, () => {
      cancel = undefined
      jobs.run(() => run({}, stopping.signal)).catch(() => {})
    })
  }

  const never = new AbortController().signal
  return {
    changed: () => {
      if (stopping.signal.aborted) stopping = new AbortController()
      set({ behind: true })
      schedule()
    },
    save: (request, signal) => jobs.run(() => run(request, signal), signal),
    flush: async (signal) => {
      cancel?.()
      cancel = undefined
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      const saved = (async () => {
        await jobs.idle()
        if (state.behind) await jobs.run(() => run({}, never))
      })()
      await Promise.race([saved.catch(() => {}), aborted])
    },
    state: () => ({
      ...state,
      kind: destination.kind,
      name: destination.name,
      behind: state.behind || running > 0,
    }),
    stop: () => {
      cancel?.()
      cancel = undefined
      stopping.abort(new Error('the node stops'))
    },
  }
}

/** Milliseconds that a destination with too much to do asked to be left alone. */
export function askedWait(error: unknown): number {
  if (!(error instanceof CairnError) || error.code !== 'DESTINATION_BUSY') return 0
  const { retryAfter } = error.details
  return typeof retryAfter === 'number' ? Math.min(Math.max(0, retryAfter), MAX_ASKED_MS) : 0
}
