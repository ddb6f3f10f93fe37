/** `start`: in this process, detached, or as a network of three for trying out. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { type LoadedConfig, loadConfig, property } from '../../config/load.ts'
import { IDLE_KEYS, type PartialConfig } from '../../config/schema.ts'
import type { Daemon } from '../../daemon.ts'
import { interfaceError } from '../../errors.ts'
import { fromText } from '../../json-schema.ts'
import { type LogFile, openLogFile } from '../../log-file.ts'
import { givenToken } from '../api-token.ts'
import { backupOptions } from '../backup-options.ts'
import { nodeLogger, stopRequest, stopWithin } from '../node-run.ts'
import { passphraseForStart } from '../passphrase.ts'
import type { Options } from '../register.ts'
import type { Session } from '../session.ts'
import { type Prelude, startDocument, startText } from '../start-text.ts'
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

export async function start(session: Session, options: Options): Promise<void> {
  const loaded = settingsOf(session, options)
  if (loaded.values.role === 'backup' && !existsSync(join(session.dataDir, 'network.json'))) {
    throw interfaceError('USAGE', {
      why: 'A backup node belongs to somebody: on one of their devices run "cairn invite --device --role backup", and here "cairn join CODE".',
    })
  }
  const idle = IDLE_KEYS.filter((key) => (loaded.sources[key] ?? 'default') !== 'default')
  if (idle.length > 0) session.note(`without effect on a member: ${idle.join(', ')}`)
  if (options.detach === true) {
    const { startDetached } = await import('./detach.ts')
    return startDetached(session, process.argv.slice(2), options)
  }
  if (options.devMode === true) {
    const { runDevNetwork } = await import('./dev-network.ts')
    return runDevNetwork(session, loaded)
  }
  await runNode(session, loaded, options)
}

/** The settings, flags first. @throws CONFIG_INVALID, CONFIG_UNREADABLE */
export function settingsOf(session: Session, options: Options): LoadedConfig {
  return loadConfig(session.dataDir, session.environment, flagValues(options))
}

/** Runs the node as `start` does, in the foreground or with `--detach`, for another command. */
export async function startAfter(
  session: Session,
  loaded: LoadedConfig,
  options: Options,
  prelude: Prelude,
): Promise<void> {
  if (options.detach !== true) return runNode(session, loaded, options, prelude)
  const { startDetached } = await import('./detach.ts')
  await startDetached(session, startArguments(session, options), options, prelude)
}

/** The arguments of `start` with the flags of another command that has the same. */
function startArguments({ dataDir, json, quiet }: Session, options: Options): string[] {
  const flags = Object.keys({
    ...FLAGS,
    passphraseFile: '',
    recoveryWordsFile: '',
    backupPassphraseFile: '',
  }).flatMap((flag) => {
    const value = options[flag]
    if (value === undefined || typeof value === 'boolean') return []
    const name = flag.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    return [value].flat().map((each) => `--${name}=${each}`)
  })
  const globals = [json ? ['--json'] : [], quiet ? ['--quiet'] : []].flat()
  return ['start', `--data-dir=${dataDir}`, ...globals, ...flags]
}

/**
 * Loading the node makes short-lived garbage; a young heap that grows for it stays in resident memory for
 * good (11 MB). It may grow again once the node serves and has work to do.
 */
async function inSmallHeap<T>(work: () => Promise<T>): Promise<T> {
  const { setFlagsFromString } = await import('node:v8')
  setFlagsFromString('--semi-space-growth-factor=1')
  try {
    return await work()
  } finally {
    setFlagsFromString('--semi-space-growth-factor=2')
    // Else every 64 MiB of socket buffers makes V8 mark the whole heap: half of the processor time of a transfer.
    setFlagsFromString('--external-memory-accounted-in-global-limit')
  }
}

async function runNode(
  session: Session,
  loaded: LoadedConfig,
  options: Options,
  prelude: Prelude = { document: {}, text: '' },
): Promise<void> {
  const { dataDir, signal } = session
  const version = programVersion()
  const log = lazyLog(dataDir)
  const logger = nodeLogger(session, loaded, log.write)
  watchProcess(logger)
  let daemon: Daemon
  try {
    daemon = await inSmallHeap(async () => {
      const { startDaemon } = await import('../../daemon.ts')
      const passphrase = passphraseForStart(session, options)
      const config = loaded.values
      const token = givenToken(session.environment)
      const backups = await backupOptions(session, loaded, options)
      const init = { dataDir, version, config, token, passphrase, backups }
      return startDaemon({ logger }, init, signal)
    })
  } catch (error) {
    log.close()
    throw error
  }
  const open = loaded.values.admission === 'open'
  const joined = prelude.document.joined !== undefined
  const told = { dataDir, version, daemon, log: log.path, open, joined }
  session.result({ ...startDocument(told), ...prelude.document }, () => {
    const { text } = prelude
    return text === '' ? startText(told) : `${text}\n\n${startText(told)}`
  })
  tellParent(startDocument(told))
  await stopRequest(daemon, signal)
  if (signal.aborted) {
    logger.info('Received a signal to stop', { signal: messageOf(signal.reason) })
  }
  session.note('stopping…')
  await stopWithin([daemon])
  log.close()
  session.note('stopped; everything is saved')
  // Timers inside libraries would keep the process for another second.
  setImmediate(() => process.exit())
}

function flagValues(options: Options): PartialConfig {
  const values: Record<string, unknown> = {}
  for (const [flag, key] of Object.entries(FLAGS)) {
    const given = options[flag]
    const schema = property(key)
    if (given === undefined || schema === undefined) continue
    values[key] = typeof given === 'string' ? fromText(schema, given) : given
  }
  if (options.open === true) values.admission = 'open'
  return values as PartialConfig
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
