/** Start and stop, in order. */
export interface Startable {
  /** Idempotent. A start that fails leaves nothing running. */
  start(): Promise<void>
  /** Idempotent. Awaits work in flight. */
  stop(): Promise<void>
}

/**
 * Starts `parts` in order; when one fails, stops those that run, in reverse, and throws the first error.
 */
export async function startAll(parts: readonly Startable[]): Promise<void> {
  for (const [index, part] of parts.entries()) {
    try {
      await part.start()
    } catch (error) {
      await stopAll(parts.slice(0, index)).catch(() => {})
      throw error
    }
  }
}

/** Stops `parts` in reverse order; all are stopped even when one fails; throws the first failure. */
export async function stopAll(parts: readonly Startable[]): Promise<void> {
  const errors: unknown[] = []
  for (const part of [...parts].reverse()) {
    try {
      await part.stop()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}
