/** A typed event emitter. Events inform, they do not control: a listener that throws is reported, not felt. */

export type Listener<T> = (payload: T) => void

export interface Events<Map extends object> {
  /** Calls `listener` for each event `name`; the returned function ends that. */
  on<Name extends keyof Map>(name: Name, listener: Listener<Map[Name]>): () => void
  /** Calls `listener` for every event, with its name; the returned function ends that. */
  onAny(listener: <Name extends keyof Map>(name: Name, payload: Map[Name]) => void): () => void
  emit<Name extends keyof Map>(name: Name, payload: Map[Name]): void
  /**
   * The next event `name` for which `accept` is true (default: any). Rejects with the signal's reason
   * when `signal` aborts first; always pass one, so that a wait is bounded.
   */
  next<Name extends keyof Map>(
    name: Name,
    options: { signal: AbortSignal; accept?: (payload: Map[Name]) => boolean },
  ): Promise<Map[Name]>
}

const NOBODY: readonly Listener<never>[] = []

/** @param onError - told of a listener that threw */
export function createEvents<Map extends object>(onError: (error: unknown) => void): Events<Map> {
  // Never changed in place: whoever comes or goes while an event is told is heard from the next one on.
  const listeners = new globalThis.Map<keyof Map, readonly Listener<never>[]>()
  let any: readonly ((name: keyof Map, payload: Map[keyof Map]) => void)[] = []
  const events: Events<Map> = {
    on: (name, listener) => {
      const own: Listener<never> = (payload) => listener(payload)
      listeners.set(name, [...(listeners.get(name) ?? []), own])
      return () => {
        const others = (listeners.get(name) ?? []).filter((other) => other !== own)
        listeners.set(name, others)
      }
    },
    onAny: (listener) => {
      const own = (name: keyof Map, payload: Map[keyof Map]): void => listener(name, payload)
      any = [...any, own]
      return () => {
        any = any.filter((other) => other !== own)
      }
    },
    emit: (name, payload) => {
      for (const listener of listeners.get(name) ?? NOBODY) {
        try {
          listener(payload as never)
        } catch (error) {
          onError(error)
        }
      }
      for (const listener of any) {
        try {
          listener(name, payload)
        } catch (error) {
          onError(error)
        }
      }
    },
    next: (name, { signal, accept }) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        const end = (): void => {
          off()
          signal.removeEventListener('abort', aborted)
        }
        const aborted = (): void => {
          end()
          reject(signal.reason)
        }
        const off = events.on(name, (payload) => {
          if (accept !== undefined && !accept(payload)) return
          end()
          resolve(payload)
        })
        signal.addEventListener('abort', aborted)
      }),
  }
  return events
}
