/**
 * One device as a source of blocks: a stream that is opened when something is wanted, kept while it is used,
 * and opened again after it broke.
 *
 * owns: the ledger of what was asked, the check of every block before anybody sees it, the deadline by
 *       progress, the window
 * does not own: which source is asked for what (sources.ts, fetch-dag.ts), nor where blocks are kept
 */
import type { CID } from 'multiformats/cid'
import { equalBytes } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { sha256 } from '../../common/crypto.ts'
import { assert, CairnError, messageOf } from '../../common/errors.ts'
import { KIB, MIB } from '../../common/limits.ts'
import type { Buffers } from './buffers.ts'
import { onBytes, type TransferStream } from './channel.ts'
import { type TransferErrorCode, transferError } from './errors.ts'
import { createFrameReader } from './frame-reader.ts'
import { decodeMessage, FRAME, type Held, MAX_WANTS_OPEN } from './messages.ts'
import { createOutbox } from './outbox.ts'
import { createWindow, type Window } from './window.ts'

/** Milliseconds in which a source must answer something or send `MIN_PROGRESS_BYTES`. */
export const STALL_MS = 10_000
/** Bytes per `STALL_MS` that count as progress: a modem manages them, a source that drips to hold us does not. */
const MIN_PROGRESS_BYTES: number = 16 * KIB
/** Milliseconds after which a stream without questions is closed. */
const IDLE_MS = 60_000
/** Milliseconds to open a stream. */
const OPEN_MS = 10_000
/** Bytes that a block is taken for when its size is not known. */
const GUESSED_BLOCK_BYTES: number = MIB

export interface Want {
  /** The verified bytes; rejects with a transfer error. */
  readonly block: Promise<Uint8Array>
  /** The bytes are not needed any more: the source is told, `block` rejects with `reason`. */
  cancel(reason: unknown): void
}

export interface Source {
  readonly peer: string
  readonly window: Pick<Window, 'open' | 'room' | 'rate' | 'inFlight'>
  /** Whether more questions may be open. */
  readonly busy: boolean
  /** @param expected - bytes that the block probably has */
  want(cid: CID, expected?: number): Want
  /** What the device says that it holds of each root; at most `MAX_ROOTS_PER_MESSAGE`. */
  have(roots: readonly CID[], signal?: AbortSignal): Promise<readonly Held[]>
  /** Ends the stream and rejects what is open. */
  end(code: TransferErrorCode): void
}

export interface SourceComponents {
  open(signal: AbortSignal): Promise<TransferStream>
  clock: Clock
  buffers: Buffers
  /** Something was answered: the window may have room again. */
  onAnswer(bytes: number): void
  /** The stream broke; `error` says how. Its open questions are rejected with the same error. */
  onFault(error: CairnError<TransferErrorCode>): void
}

interface Open {
  readonly cid: CID
  readonly asked: number
  /** Bytes of this want that the window still counts. */
  counted: number
  cancelled: boolean
  readonly resolve: (bytes: Uint8Array) => void
  readonly reject: (reason: unknown) => void
}

interface Question {
  readonly roots: number
  readonly resolve: (held: readonly Held[]) => void
  readonly reject: (reason: unknown) => void
}

/** @param init - `stallMs`: milliseconds without progress, default `STALL_MS` */
export function createSource(
  { open: openStream, clock, buffers, onAnswer, onFault }: SourceComponents,
  { peer, stallMs = STALL_MS }: { peer: string; stallMs?: number },
): Source {
  const wants = new Map<number, Open>()
  const questions = new Map<number, Question>()
  const outbox = createOutbox(wants)
  const window = createWindow()
  let nextId = 0
  let flushing = false
  let stream: TransferStream | undefined
  let opening = false
  let progress = 0
  let answered = false
  let stopWatch: (() => void) | undefined
  let stopIdle: (() => void) | undefined

  const openCount = (): number => wants.size + questions.size

  const takeId = (): number => {
    do nextId = (nextId + 1) >>> 0
    while (wants.has(nextId) || questions.has(nextId))
    return nextId
  }

  // The deadline is by progress, not by block: a large block on a slow link has all the time it needs.
  const watch = (): void => {
    if (stopWatch !== undefined || openCount() === 0) return
    progress = 0
    answered = false
    stopWatch = clock.after(stallMs, () => {
      stopWatch = undefined
      if (openCount() === 0) return
      if (answered || progress >= MIN_PROGRESS_BYTES) return watch()
      fail(transferError('SOURCE_STALLED', { peer, seconds: stallMs / 1000 }))
    })
  }

  const rest = (): void => {
    if (openCount() > 0) return
    stopWatch?.()
    stopWatch = undefined
    stopIdle?.()
    stopIdle = clock.after(IDLE_MS, () => {
      const idle = stream
      if (openCount() > 0 || idle === undefined) return
      stream = undefined
      idle.close().catch((error: Error) => idle.abort(error))
    })
  }

  const fail = (error: CairnError<TransferErrorCode>): void => {
    const failed = stream
    stream = undefined
    const rejected = [...wants.values(), ...questions.values()]
    // A stream that ends when nothing is asked is no fault.
    const matters = rejected.length > 0 || error.verdict === 'reject'
    for (const want of wants.values()) window.settled(want.counted)
    wants.clear()
    questions.clear()
    outbox.clear()
    stopWatch?.()
    stopWatch = undefined
    if (failed !== undefined && failed.status === 'open') failed.abort(error)
    if (matters) onFault(error)
    for (const { reject } of rejected) reject(error)
  }

  const attach = (fresh: TransferStream): void => {
    const guard = (run: () => void): void => {
      if (stream !== fresh) return
      try {
        run()
      } catch (error) {
        fail(asFault(error, peer))
      }
    }
    const gone = (): void => guard(() => fail(transferError('SOURCE_GONE', { peer })))
    const reader = createFrameReader([FRAME.block, FRAME.none, FRAME.holds], {
      blockBegins: (id, length) => {
        const want = wants.get(id)
        if (want === undefined) throw broken(peer, 'a block that was not asked for')
        window.roundTrip(clock.now() - want.asked)
        window.settled(want.counted)
        window.asked(length, clock.now())
        want.counted = length
        return buffers.take(length)
      },
      blockGrows: (bytes) => {
        progress += bytes
        window.settled(bytes)
        window.came(bytes, clock.now())
      },
      blockEnds: (id, block) => {
        const want = wants.get(id)
        if (want === undefined) return
        wants.delete(id)
        answered = true
        if (!want.cancelled) {
          if (!equalBytes(sha256(block), want.cid.multihash.digest)) {
            const error = transferError('BLOCK_MISMATCH', { peer, cid: want.cid.toString() })
            want.reject(error)
            throw error
          }
          want.resolve(block)
        }
        onAnswer(block.length)
        rest()
      },
      control: (kind, payload) => {
        if (kind === FRAME.none) {
          const { ids } = decodeMessage(kind, payload)
          for (const id of ids) closeWant(id)
          onAnswer(0)
        } else if (kind === FRAME.holds) {
          const { id, held } = decodeMessage(kind, payload)
          const question = questions.get(id)
          questions.delete(id)
          if (question?.roots !== held.length) throw broken(peer, 'an answer to no question')
          question.resolve(held)
        }
        answered = true
        rest()
      },
      tooLarge: (bytes, most) => {
        throw transferError('FRAME_TOO_LARGE', { peer, bytes, most })
      },
      invalid: (why) => {
        throw broken(peer, why)
      },
    })
    onBytes(fresh, (bytes) => guard(() => reader.push(bytes)))
    fresh.addEventListener('close', gone)
    fresh.addEventListener('remoteCloseWrite', gone)
  }

  const closeWant = (id: number): void => {
    const want = wants.get(id)
    if (want === undefined) throw broken(peer, 'an answer to no question')
    wants.delete(id)
    window.settled(want.counted)
    // After a cancel the promise is rejected already.
    want.reject(transferError('BLOCK_NOT_HELD', { peer, cid: want.cid.toString() }))
  }

  const connect = async (): Promise<void> => {
    opening = true
    const limit = new AbortController()
    const cancel = clock.after(OPEN_MS, () => limit.abort(transferError('SOURCE_GONE', { peer })))
    try {
      const fresh = await openStream(limit.signal)
      if (openCount() === 0) return void fresh.close().catch((error: Error) => fresh.abort(error))
      stream = fresh
      attach(fresh)
      flush()
    } catch (error) {
      fail(transferError('SOURCE_GONE', { peer }, error))
    } finally {
      opening = false
      cancel()
    }
  }

  const flush = (): void => {
    flushing = false
    if (stream === undefined) {
      if (openCount() > 0 && !opening) void connect()
      return
    }
    try {
      for (const frame of outbox.take()) stream.send(frame)
    } catch (error) {
      fail(transferError('SOURCE_GONE', { peer }, error))
    }
  }

  // What is asked in one turn of the event loop goes out in one message.
  const later = (): void => {
    watch()
    if (flushing) return
    flushing = true
    queueMicrotask(flush)
  }

  const abandon = (id: number, reason: unknown): void => {
    const want = wants.get(id)
    if (want === undefined || want.cancelled) return
    want.cancelled = true
    want.reject(reason)
    if (outbox.takeBack(id)) {
      wants.delete(id)
      window.settled(want.counted)
      rest()
    } else {
      outbox.cancel(id)
      later()
    }
  }

  return {
    peer,
    window,
    get busy() {
      return wants.size >= MAX_WANTS_OPEN
    },
    want: (cid, expected = GUESSED_BLOCK_BYTES) => {
      assert(wants.size < MAX_WANTS_OPEN, 'a busy source is not asked')
      const id = takeId()
      const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
      // Cancelled by those who wanted it: there may be nobody left to look at the promise.
      promise.catch(() => {})
      const asked = clock.now()
      wants.set(id, { cid, asked, counted: expected, cancelled: false, resolve, reject })
      window.asked(expected, asked)
      outbox.want(id)
      later()
      return { block: promise, cancel: (reason) => abandon(id, reason) }
    },
    have: (roots, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) return reject(signal.reason)
        const id = takeId()
        questions.set(id, { roots: roots.length, resolve, reject })
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
        outbox.have(id, roots)
        later()
      }),
    end: (code) => {
      stopIdle?.()
      fail(transferError(code, { peer }))
    },
  }
}

function broken(peer: string, why: string): CairnError<TransferErrorCode> {
  return transferError('FRAME_INVALID', { peer, why })
}

function asFault(error: unknown, peer: string): CairnError<TransferErrorCode> {
  if (error instanceof CairnError && error.code !== 'ENCODING') {
    return error as CairnError<TransferErrorCode>
  }
  return transferError('FRAME_INVALID', { peer, why: messageOf(error) }, error)
}
