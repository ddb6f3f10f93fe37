/**
 * Frames over a stream: four bytes of length, big-endian, then so many bytes. Reading is bounded: a length is
 * checked before anything is allocated for it, and a reader that does not keep up pauses the stream, so that
 * the sender waits.
 *
 * owns: cutting bytes into frames, back-pressure both ways, time limits by progress
 * does not own: what a frame means
 */
import type { Stream } from '@libp2p/interface'
import type { Clock } from '../common/clock.ts'
import { createDeadline } from './deadline.ts'

export type FrameFailure = 'ended' | 'timeout' | 'too-large' | 'aborted'

/** Why no further frame can be read or written. */
export class FrameError extends Error {
  readonly failure: FrameFailure

  constructor(failure: FrameFailure, options?: { cause?: unknown }) {
    super(`stream ${failure}`, options)
    this.name = 'FrameError'
    this.failure = failure
  }
}

export interface Frames {
  /**
   * The next frame; undefined when the other side ended between two frames.
   *
   * @param idleMs - milliseconds that may pass without a byte
   * @throws FrameError
   */
  read(idleMs: number): Promise<Uint8Array | undefined>
  /** Resolves when more may be sent; `idleMs` bounds the wait for the other side. @throws FrameError */
  write(frame: Uint8Array, idleMs: number): Promise<void>
  /** Ends both directions; never throws. */
  close(): Promise<void>
  /** Breaks the stream off. */
  abort(): void
}

const LENGTH_BYTES = 4
/** Bytes of whole frames that wait for the reader before the stream is paused. */
const PAUSE_ABOVE_BYTES = 256 * 1024
/** Milliseconds for the goodbye of a stream. */
const CLOSE_MS = 2000

/** @param maxFrameBytes - a longer frame breaks the stream off */
export function createFrames(
  stream: Stream,
  { clock, maxFrameBytes, signal }: { clock: Clock; maxFrameBytes: number; signal: AbortSignal },
): Frames {
  const length = new Uint8Array(LENGTH_BYTES)
  const view = new DataView(length.buffer)
  const ready: Uint8Array[] = []
  let readyBytes = 0
  let filled = 0
  let body: Uint8Array | undefined
  let bodyFilled = 0
  let ended: FrameError | 'clean' | undefined
  let touched = 0
  let wake = (): void => {}

  const end = (reason: FrameError | 'clean'): void => {
    if (ended !== undefined) return
    const cut = reason === 'clean' && (filled > 0 || body !== undefined)
    ended = cut ? new FrameError('ended') : reason
    wake()
  }
  const take = (frame: Uint8Array): void => {
    ready.push(frame)
    readyBytes += frame.length
    body = undefined
    filled = 0
    bodyFilled = 0
  }
  const push = (chunk: Uint8Array): void => {
    let at = 0
    while (at < chunk.length && ended === undefined) {
      if (body === undefined) {
        length[filled] = chunk[at] ?? 0
        filled += 1
        at += 1
        if (filled < LENGTH_BYTES) continue
        const wanted = view.getUint32(0)
        if (wanted > maxFrameBytes) {
          end(new FrameError('too-large'))
          abort()
          return
        }
        if (wanted === 0) take(new Uint8Array())
        else body = new Uint8Array(wanted)
        continue
      }
      const part = Math.min(body.length - bodyFilled, chunk.length - at)
      body.set(chunk.subarray(at, at + part), bodyFilled)
      bodyFilled += part
      at += part
      if (bodyFilled === body.length) take(body)
    }
  }
  const abort = (): void => stream.abort(new Error('exchange broken off'))

  stream.addEventListener('message', ({ data }) => {
    touched = clock.now()
    if (data instanceof Uint8Array) push(data)
    else for (const chunk of data) push(chunk)
    if (readyBytes > PAUSE_ABOVE_BYTES && stream.readStatus === 'readable') stream.pause()
    wake()
  })
  // `end` comes when nothing more is to be read; `close` may come while a paused stream still holds bytes.
  stream.addEventListener('end', () => end('clean'))
  stream.addEventListener('close', ({ error }) => {
    if (error !== undefined) end(new FrameError('ended', { cause: error }))
  })
  if (stream.readableEnded) end('clean')
  const aborted = (): void => {
    end(new FrameError('aborted', { cause: signal.reason }))
    abort()
  }
  if (signal.aborted) aborted()
  else signal.addEventListener('abort', aborted, { once: true })

  const next = (): Uint8Array | undefined => {
    const frame = ready.shift()
    if (frame === undefined) return undefined
    readyBytes -= frame.length
    if (readyBytes <= PAUSE_ABOVE_BYTES / 2 && stream.readStatus === 'paused') {
      try {
        stream.resume()
      } catch (cause) {
        end(new FrameError('ended', { cause }))
      }
    }
    return frame
  }

  return {
    read: async (idleMs) => {
      touched = clock.now()
      for (;;) {
        const frame = next()
        if (frame !== undefined) return frame
        if (ended === 'clean') return undefined
        if (ended !== undefined) throw ended
        const left = touched + idleMs - clock.now()
        if (left <= 0) {
          end(new FrameError('timeout'))
          abort()
          continue
        }
        await new Promise<void>((resolve) => {
          const cancel = clock.after(left, resolve)
          wake = () => {
            cancel()
            resolve()
          }
        })
      }
    },
    write: async (frame, idleMs) => {
      const whole = new Uint8Array(LENGTH_BYTES + frame.length)
      new DataView(whole.buffer).setUint32(0, frame.length)
      whole.set(frame, LENGTH_BYTES)
      try {
        stream.send(whole)
      } catch (cause) {
        throw new FrameError('ended', { cause })
      }
      await drained(stream, { clock, signal, idleMs })
    },
    close: async () => {
      signal.removeEventListener('abort', aborted)
      const bounded = createDeadline(clock, CLOSE_MS)
      try {
        await stream.close({ signal: bounded.signal })
      } catch {
        abort()
      } finally {
        bounded.end()
      }
    },
    abort: () => {
      signal.removeEventListener('abort', aborted)
      abort()
    },
  }
}

/**
 * Resolves when what was sent is on its way. Not libp2p's own `onDrain`: from the second time on that one
 * resolves at once, and the bytes pile up.
 */
async function drained(
  stream: Stream,
  { clock, signal, idleMs }: { clock: Clock; signal: AbortSignal; idleMs: number },
): Promise<void> {
  while (stream.writeBufferLength > 0) {
    const before = stream.writeBufferLength
    if (stream.status !== 'open' || signal.aborted) throw new FrameError('ended')
    const late = await new Promise<boolean>((resolve) => {
      const finish = (isLate: boolean): void => {
        cancel()
        for (const name of WRITE_EVENTS) stream.removeEventListener(name, moved)
        signal.removeEventListener('abort', moved)
        resolve(isLate)
      }
      // libp2p sends on in a microtask of its own after `drain`: look again after that.
      const moved = (): void => queueMicrotask(() => queueMicrotask(() => finish(false)))
      const cancel = clock.after(idleMs, () => finish(true))
      for (const name of WRITE_EVENTS) stream.addEventListener(name, moved)
      signal.addEventListener('abort', moved)
    })
    if (late && stream.writeBufferLength >= before) throw new FrameError('timeout')
  }
}

const WRITE_EVENTS = ['drain', 'idle', 'close'] as const
