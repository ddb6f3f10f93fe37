/** What a running node of the command line shares: its log, its stop. */
import { createLogger, LOG_LEVELS, type Logger } from '../../common/logger.ts'
import type { LoadedConfig } from '../config/load.ts'
import type { Daemon } from '../daemon.ts'
import { interfaceError } from '../errors.ts'
import type { Session } from './session.ts'

/** Milliseconds for the stop: longer than any flush; then the process ends without it. */
const STOP_MS = 30_000

/** Resolves when a person, the system or a client wants the node to stop. */
export function stopRequest(daemon: Pick<Daemon, 'asked'>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
    daemon.asked.then(resolve)
  })
}

/** Stops all, within a bound. @throws what a part throws, NODE_STOP_TIMEOUT */
export async function stopWithin(daemons: readonly Pick<Daemon, 'stop'>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const details = { pid: process.pid, seconds: STOP_MS / 1000, log: 'its log' }
    timer = setTimeout(() => reject(interfaceError('NODE_STOP_TIMEOUT', details)), STOP_MS)
  })
  try {
    await Promise.race([Promise.all(daemons.map((daemon) => daemon.stop())), late])
  } finally {
    clearTimeout(timer)
  }
}

/** Everything goes to the file; what a person should see goes to the terminal too. */
export function nodeLogger(
  session: Session,
  { values }: LoadedConfig,
  write: (line: string) => void,
): Logger {
  const level = values.log_level
  const file = createLogger(level, write, Date.now)
  const shown =
    level === 'debug'
      ? 'debug'
      : LOG_LEVELS.indexOf(level) > LOG_LEVELS.indexOf('warn')
        ? level
        : 'warn'
  const terminal = createLogger(shown, (line) => session.terminal.err.write(`${line}\n`), Date.now)
  return session.environment.CAIRN_DETACHED === '1' ? file : both(file, terminal)
}

function both(a: Logger, b: Logger): Logger {
  const tell =
    (name: 'debug' | 'info' | 'warn' | 'error'): Logger['info'] =>
    (sentence, fields) => {
      a[name](sentence, fields)
      b[name](sentence, fields)
    }
  return {
    debug: tell('debug'),
    info: tell('info'),
    warn: tell('warn'),
    error: tell('error'),
    child: (component) => both(a.child(component), b.child(component)),
  }
}
