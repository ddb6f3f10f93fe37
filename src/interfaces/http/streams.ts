/** Bytes from and to a connection, with back-pressure and bounds in time. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { CairnError } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'

/** Without a byte for so long, the other side is given up: longer than any pause of a living network. */
export const STALL_MS = 60_000
/** Bytes that have to come in that time: less is nobody who sends a file, but somebody who holds a connection. */
export const LEAST_BYTES = 1024

/**
 * The chunks of a request's body. Who sends too little in `stallMs` is cut off; the time in which nobody takes
 * the bytes does not count.
 *
 * @throws BODY_STALLED, BODY_INCOMPLETE, BODY_TOO_LARGE (beyond `limit` bytes)
 */
export async function* bodyOf(
  request: IncomingMessage,
  {
    limit = Number.POSITIVE_INFINITY,
    stallMs = STALL_MS,
    leastBytes = LEAST_BYTES,
  }: { limit?: number; stallMs?: number; leastBytes?: number } = {},
): AsyncGenerator<Uint8Array> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > limit) throw interfaceError('BODY_TOO_LARGE', { limit })
  let total = 0
  let stalled = false
  let recent = 0
  const timer = setTimeout(() => {
    stalled = true
    request.destroy()
  }, stallMs)
  try {
    // A reader that gives up must not cut the connection: the answer has to go out first.
    const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
    for await (const chunk of chunks) {
      total += chunk.length
      if (total > limit) throw interfaceError('BODY_TOO_LARGE', { limit })
      recent += chunk.length
      const came = performance.now()
      if (recent >= leastBytes) {
        timer.refresh()
        recent = 0
      }
      yield chunk
      // Another window for who was kept waiting here.
      if (performance.now() - came > stallMs / WAITING_SHARE) timer.refresh()
    }
    if (!request.complete) throw interfaceError('BODY_INCOMPLETE')
  } catch (error) {
    if (stalled) throw interfaceError('BODY_STALLED', { seconds: stallMs / 1000 })
    if (error instanceof CairnError || !request.readableAborted) throw error
    throw interfaceError('BODY_INCOMPLETE', {}, error)
  } finally {
    clearTimeout(timer)
  }
}

/** A reader that takes longer than this part of the time for one chunk is what holds the upload up. */
const WAITING_SHARE = 10

/** The whole body, at most `limit` bytes. @throws as `bodyOf` */
export async function wholeBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of bodyOf(request, { limit })) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/**
 * Writes all of `source`, as fast as the other side reads; ends without an error when `signal` aborts
 * (the other side left). Does not end the response.
 */
export async function sendAll(
  response: ServerResponse,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  for await (const chunk of source) {
    if (signal.aborted) return
    if (!response.write(chunk)) await drained(response, signal)
  }
}

/** Resolves when more can be written or nobody reads any more; a reader that stalls is cut off. */
export function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || response.destroyed) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      response.off('drain', end)
      response.off('close', end)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(() => response.destroy(), STALL_MS)
    response.once('drain', end)
    response.once('close', end)
    signal.addEventListener('abort', end)
  })
}

/** Bytes of an unwanted body that are read so that the other side sees the answer before the end. */
const DRAIN_BYTES = 4 * 1024 * 1024
/** And the time for it. */
const DRAIN_MS = 2_000

/** After an early answer: reads some of what still comes, then closes. A reset would destroy the answer. */
export function discardBody(request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  let left = DRAIN_BYTES
  const timer = setTimeout(() => request.destroy(), DRAIN_MS)
  timer.unref()
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) request.destroy()
  })
  request.on('close', () => clearTimeout(timer))
  request.on('error', () => {})
}
