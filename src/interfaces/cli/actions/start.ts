/** `start`: in this process, detached, or as a network of three for trying out. */
import { createLogger, LOG_LEVELS, type Logger } from '../../../common/logger.ts'
import { type LoadedConfig, loadConfig, property } from '../../config/load.ts'
import { IDLE_KEYS, type PartialConfig } from '../../config/schema.ts'
import type { Daemon } from '../../daemon.ts'
import { interfaceError } from '../../errors.ts'
import { fromText } from '../../json-schema.ts'
import { type LogFile, openLogFile } from '../../log-file.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { startDocument, startText } from '../start-text.ts'
import { programVersion } from '../version.ts'

/** Flags of `start` and the settings that they are. */
const FLAGS = {
  name: 'name',
  deviceName: 'device_name',
  port: 'port',
  host: 'host',
  gatewayPort: 'gateway_port',
  listen: 'listen',
  peers: 'peers_file',
  role: 'role',
  maxStorage: 'max_storage_gb',
  mainAddress: 'main_node_address',
  mainPort: 'main_node_port',
  nodeId: 'node_id',
  difficultyFloor: 'difficulty_floor',
} as const

/** Milliseconds for the stop: longer than any flush; then the process ends without it. */
const STOP_MS = 30_000

export async function start(session: Session, options: Options): Promise<void> {
  const loaded = loadConfig(session.dataDir, session.environment, flagValues(options))
  if (loaded.values.role === 'backup') {
    throw interfaceError('USAGE', { why: 'Backup nodes are not available yet; --role member is.' })
  }
  const idle = IDLE_KEYS.filter((key) => (loaded.sources[key] ?? 'default') !== 'default')
  if (idle.length > 0) session.note(`without effect on a member: ${idle.join(', ')}`)
  if (options.detach === true) {
    const { startDetached } = await import('./detach.ts')
    return startDetached(session, options)
  }
  if (options.devMode === true) {
    const { runDevNetwork } = await import('./dev-network.ts')
    return runDevNetwork(session, loaded)
  }
  await runNode(session, loaded)
}

async function runNode(session: Session, loaded: LoadedConfig): Promise<void> {
  const { startDaemon } = await import('../../daemon.ts')
  const { dataDir, signal } = session
  const version = programVersion()
  const log = lazyLog(dataDir)
  const logger = nodeLogger(session, loaded, log.write)
  watchProcess(logger)
  let daemon: Daemon
  try {
    daemon = await startDaemon({ logger }, { dataDir, version, config: loaded.values }, signal)
  } catch (error) {
    log.close()
    throw error
  }
  const told = { dataDir, version, daemon, log: log.path }
  session.result(startDocument(told), () => startText(told))
  tellParent(startDocument(told))
  await stopRequest(daemon, signal)
  session.note('stopping…')
  await stopWithin([daemon])
  log.close()
  session.note('stopped; everything is saved')
}

function flagValues(options: Options): PartialConfig {
  const values: Record<string, unknown> = {}
  for (const [flag, key] of Object.entries(FLAGS)) {
    const given = options[flag]
    const schema = property(key)
    if (given === undefined || schema === undefined) continue
    values[key] = typeof given === 'string' ? fromText(schema, given) : given
  }
  return values as PartialConfig
}

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

/** A log that is opened with its first line: the node checks the directory before anything is written. */
function lazyLog(dataDir: string): {
  readonly path: string | null
  write(line: string): void
  close(): void
} {
  let file: LogFile | undefined
  let failed = false
  return {
    get path() {
      return file?.path ?? null
    },
    write: (line) => {
      try {
        if (!failed) file ??= openLogFile(dataDir)
      } catch {
        failed = true
      }
      file?.write(line)
    },
    close: () => file?.close(),
  }
}

/** A bug in one corner must not take the node down with it; one that nobody caught must leave a trace. */
function watchProcess(logger: Logger): void {
  process.on('unhandledRejection', (error) => {
    logger.error('a promise was rejected and nobody looked', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    })
  })
  process.on('uncaughtException', (error) => {
    logger.error('the node ends because of a bug', { error: error.stack ?? error.message })
    process.stderr.write(`${error.stack}\n`)
    process.exit(1)
  })
}

/** Tells the process that started this one in the background. */
function tellParent(document: unknown): void {
  if (process.send === undefined || process.env.CAIRN_DETACHED !== '1') return
  process.send({ ready: document }, () => process.disconnect?.())
}
