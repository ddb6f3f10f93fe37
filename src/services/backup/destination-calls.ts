/**
 * A destination whose every call ends: after a time, or when it is told to stop, also when the destination itself
 * never answers and looks at no signal. What such a call does later hurts nobody, since objects are never changed.
 */
import type { Clock } from '../../common/clock.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'

/** Milliseconds for a call, and bytes in each further second: a slow line of 256 kbit/s. */
const CALL_MS = 30_000
const BYTES_PER_SECOND = 32_768

export function boundedCalls(
  inner: Destination,
  clock: Clock,
  callMs: number = CALL_MS,
): Destination {
  const bounded = async <T>(
    signal: AbortSignal,
    bytes: number,
    call: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    signal.throwIfAborted()
    const ms = callMs + Math.ceil((bytes / BYTES_PER_SECOND) * 1000)
    const controller = new AbortController()
    const stop = (): void => controller.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const cancel = clock.after(ms, () => {
      const details = { destination: inner.name, seconds: Math.ceil(ms / 1000) }
      controller.abort(backupError('DESTINATION_SLOW', details))
    })
    try {
      return await Promise.race([
        call(controller.signal),
        new Promise<never>((_, reject) => {
          controller.signal.addEventListener('abort', () => reject(controller.signal.reason), {
            once: true,
          })
        }),
      ])
    } finally {
      cancel()
      signal.removeEventListener('abort', stop)
    }
  }
  return {
    kind: inner.kind,
    name: inner.name,
    put: (name, bytes, options) =>
      bounded(options.signal, bytes.length, (signal) =>
        inner.put(name, bytes, { ...options, signal }),
      ),
    get: (name, signal, maxBytes) =>
      bounded(signal, maxBytes ?? 0, (own) => inner.get(name, own, maxBytes)),
    list: (prefix, signal) => bounded(signal, 0, (own) => inner.list(prefix, own)),
    remove: (name, signal) => bounded(signal, 0, (own) => inner.remove(name, own)),
    close: () => inner.close(),
  }
}
