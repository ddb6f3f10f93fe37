/** Nodes as processes of their own, started by the command line like a person's, for tests and benches. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { NODE_FLAGS } from '../../src/interfaces/cli/node-flags.ts'
import { type Client, findNode } from '../../src/interfaces/client/client.ts'
import { readNodeFile } from '../../src/interfaces/client/node-file.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const SOURCE = join(root, 'src/interfaces/cli/main.ts')
/** Another bundle than this checkout's, for long runs beside development. */
const BUNDLE = process.env.TEST_BUNDLE ?? join(root, 'dist/cairn.js')

/** Milliseconds for a node to serve after its process started; a busy machine needs many. */
const START_MS = 60_000
/** Milliseconds for a node to end after SIGTERM. */
const STOP_MS = 30_000
/** Milliseconds between two looks at whether a node serves. */
const LOOK_MS = 10
/** Letters of a node's output that are kept. */
const MAX_LOG = 100_000

export interface RealNodeInit {
  readonly dataDir: string
  readonly name: string
  /** Port for other devices on 127.0.0.1; must stay the same over restarts that peers have to survive. */
  readonly peerPort: number
  readonly peersFile?: string
  /** More settings of config.json. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** `bundle` when there is one, unless told otherwise. */
  readonly program?: 'bundle' | 'source'
  /** SIGKILL, also before it serves. */
  readonly killed?: AbortSignal
}

export interface RealNode {
  readonly pid: number
  readonly dataDir: string
  readonly client: Client
  /** Milliseconds from the start of the process until it served. */
  readonly startedInMs: number
  /** What it printed, the newest part. */
  log(): string
  /** Whether its process runs. */
  running(): boolean
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
  /** SIGTERM; resolves to the exit code. Rejects when it does not end in time. */
  stop(): Promise<number | null>
}

/** Starts a node and waits until it serves. What it printed is in the error when it does not. */
export async function startRealNode(init: RealNodeInit): Promise<RealNode> {
  await mkdir(init.dataDir, { recursive: true, mode: 0o700 })
  const settings = {
    name: init.name,
    device_name: `${init.name}'s device`,
    port: 0,
    gateway: false,
    listen: [`/ip4/127.0.0.1/tcp/${init.peerPort}`],
    difficulty_floor: 1,
    admission: 'open',
    ...(init.peersFile === undefined ? {} : { peers_file: init.peersFile }),
    ...init.settings,
  }
  await writeFile(join(init.dataDir, 'config.json'), JSON.stringify(settings))
  const bundle = init.program !== 'source' && existsSync(BUNDLE)
  const started = performance.now()
  const child = spawn(
    process.execPath,
    [...NODE_FLAGS, bundle ? BUNDLE : SOURCE, 'start', '--data-dir', init.dataDir],
    { stdio: ['ignore', 'pipe', 'pipe'], env: cleanEnvironment() },
  )
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-MAX_LOG)
    })
  }
  const ended = once(child, 'exit')
  init.killed?.addEventListener('abort', () => child.kill('SIGKILL'), { once: true })
  try {
    await serving(child, init.dataDir, started + START_MS)
  } catch (error) {
    child.kill('SIGKILL')
    await ended
    throw new Error(`${init.name} did not start: ${String(error)}\n${log}`)
  }
  const startedInMs = performance.now() - started
  const running = (): boolean => child.exitCode === null && child.signalCode === null
  return {
    pid: child.pid ?? 0,
    dataDir: init.dataDir,
    client: await findNode(init.dataDir),
    startedInMs,
    log: () => log,
    running,
    kill: async () => {
      child.kill('SIGKILL')
      await ended
    },
    stop: async () => {
      if (running()) child.kill('SIGTERM')
      const late = delay(STOP_MS, 'late' as const, { ref: false })
      if ((await Promise.race([ended, late])) === 'late') {
        child.kill('SIGKILL')
        throw new Error(`${init.name} did not stop\n${log}`)
      }
      return child.exitCode
    },
  }
}

async function serving(child: ChildProcess, dataDir: string, until: number): Promise<void> {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`it ended with ${child.exitCode ?? child.signalCode}`)
    }
    try {
      const file = await readNodeFile(dataDir)
      if (file.pid === child.pid && (await fetch(new URL('/health', file.api))).ok) return
    } catch {
      // Not yet.
    }
    if (performance.now() > until) throw new Error('it did not serve in time')
    await delay(LOOK_MS)
  }
}

/** Without the settings of whoever runs the tests. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const entries = Object.entries(process.env).filter(([name]) => !name.startsWith('CAIRN_'))
  return Object.fromEntries(entries)
}

/** A port of 127.0.0.1 that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** Writes the peers file that another device starts with. */
export async function exportPeers(node: RealNode, path: string): Promise<void> {
  const signal = AbortSignal.timeout(START_MS)
  const peers = await node.client.get('/api/v1/peers/export', {}, signal)
  await writeFile(path, JSON.stringify(peers))
}

/** Waits until `ready` gives true; `what` stands in the error when it does not in time. */
export async function eventually(
  what: string,
  ms: number,
  ready: () => Promise<boolean> | boolean,
): Promise<void> {
  const until = performance.now() + ms
  while (!(await ready())) {
    if (performance.now() > until) throw new Error(`not within ${ms} ms: ${what}`)
    await delay(LOOK_MS * 2)
  }
}
