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

/** @param onError - told of a listener that threw */
export function createEvents<Map extends object>(onError: (error: unknown) => void): Events<Map> {
  const listeners = new globalThis.Map<keyof Map, Set<Listener<never>>>()
  const any = new Set<(name: keyof Map, payload: Map[keyof Map]) => void>()
  const call = (run: () => void): void => {
    try {
      run()
    } catch (error) {
      onError(error)
    }
  }
  const events: Events<Map> = {
    on: (name, listener) => {
      const set = listeners.get(name) ?? new Set()
      listeners.set(name, set)
      set.add(listener as Listener<never>)
      return () => void set.delete(listener as Listener<never>)
    },
    onAny: (listener) => {
      any.add(listener as never)
      return () => void any.delete(listener as never)
    },
    emit: (name, payload) => {
      for (const listener of [...(listeners.get(name) ?? [])])
        call(() => listener(payload as never))
      for (const listener of [...any]) call(() => listener(name, payload))
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
