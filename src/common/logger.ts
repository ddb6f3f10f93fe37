/**
 * Logs: a sentence and fields. No text that came from the network at `info` or above (identifiers of our own
 * making are fine), no secrets at any level.
 */
export type LogFields = Readonly<Record<string, unknown>>

export interface Logger {
  debug(sentence: string, fields?: LogFields): void
  info(sentence: string, fields?: LogFields): void
  warn(sentence: string, fields?: LogFields): void
  error(sentence: string, fields?: LogFields): void
  /** The same logger with a component's name in every line. */
  child(component: string): Logger
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** @param write - receives finished lines without a line end */
export function createLogger(
  level: LogLevel,
  write: (line: string) => void,
  now: () => number,
): Logger {
  const least = LOG_LEVELS.indexOf(level)
  const make = (component: string): Logger => {
    const log =
      (at: LogLevel) =>
      (sentence: string, fields: LogFields = {}): void => {
        if (LOG_LEVELS.indexOf(at) < least) return
        const parts = Object.entries(fields).map(([key, value]) => `${key}=${render(value)}`)
        const time = new Date(now()).toISOString()
        write(
          [time, at.toUpperCase().padEnd(5), component, sentence, ...parts]
            .filter(Boolean)
            .join(' '),
        )
      }
    return {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      child: (name) => make(component === '' ? name : `${component}.${name}`),
    }
  }
  return make('')
}

export const silentLogger: Logger = createLogger(
  'silent',
  () => {},
  () => 0,
)

function render(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(value.message)
  if (typeof value === 'bigint') return value.toString()
  return typeof value === 'string' && /^[\w.:/-]+$/.test(value)
    ? value
    : (JSON.stringify(value) ?? 'undefined')
}
