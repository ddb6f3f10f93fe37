/** A person at the command line: commands and running nodes as processes, in directories of a test. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url))
/** Milliseconds for one command, on a busy machine. */
export const COMMAND_MS = 60_000
/** Ports that the system chooses. */
const QUIET = ['--port', '0', '--gateway-port', '0', '--listen', '/ip4/127.0.0.1/tcp/0']

export interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  /** Standard input; missing: none. */
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Started {
  readonly api: string
  readonly gateway: string
  readonly device: string
  readonly network: string
  readonly listen: readonly string[]
  readonly joined?: { readonly user: string; readonly role: string | null }
}

/** One directory of a device. */
export interface Place {
  readonly dataDir: string
  /** A command; whatever it ends with. */
  run(args: readonly string[], options?: RunOptions): Promise<Run>
  /** A command that has to succeed: what it prints. */
  do(...args: string[]): Promise<string>
  /** The same with `--json`. */
  json<T>(...args: string[]): Promise<T>
  /** A command that runs a node (`start`, `join -`); resolves when it serves. */
  serve(args: readonly string[], options?: RunOptions): Promise<Started>
  /** Ends its node at the stroke, as a power cut or `kill -9` does. */
  kill(): Promise<void>
  /** @param signal - default: SIGINT */
  stop(signal?: NodeJS.Signals): Promise<void>
  remove(): Promise<void>
}

export interface Places {
  readonly directory: string
  place(name: string): Place
  end(): Promise<void>
}

export async function createPlaces(): Promise<Places> {
  const directory = await mkdtemp(join(tmpdir(), 'cairn-people-'))
  const children = new Set<ChildProcess>()

  const launch = (
    args: readonly string[],
    { input, env = {} }: RunOptions,
    timeout: number | undefined,
  ): { child: ChildProcess; ended: Promise<Run> } => {
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('CAIRN_'))
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      cwd: directory,
      timeout,
      killSignal: 'SIGKILL',
      env: { ...Object.fromEntries(clean), ...env },
    })
    children.add(child)
    child.stdin?.end(input)
    let out = ''
    let err = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
    return { child, ended }
  }

  return {
    directory,
    place: (name) => {
      const dataDir = join(directory, name)
      let served: { child: ChildProcess; ended: Promise<Run> } | undefined
      const place: Place = {
        dataDir,
        run: (args, options = {}) =>
          launch([...args, '--data-dir', dataDir], options, COMMAND_MS).ended,
        do: async (...args) => {
          const { code, out, err } = await place.run(args)
          assert.equal(code, 0, `${name}: ${args.join(' ')}: ${out}${err}`)
          return out.trim()
        },
        json: async (...args) => JSON.parse(await place.do(...args, '--json')),
        serve: async (args, options = {}) => {
          const all = [...args, '--data-dir', dataDir, '--json', ...QUIET]
          const running = launch(all, options, undefined)
          served = running
          const document = await Promise.race([
            once(running.child.stdout ?? running.child, 'data').then(([text]) => String(text)),
            running.ended.then(({ out, err }) =>
              assert.fail(`${name} did not start: ${out}${err}`),
            ),
          ])
          return JSON.parse(document)
        },
        kill: async () => {
          served?.child.kill('SIGKILL')
          await served?.ended
          served = undefined
        },
        stop: async (signal = 'SIGINT') => {
          if (served === undefined) return
          served.child.kill(signal)
          const { code, err } = await served.ended
          served = undefined
          assert.equal(code, 0, err)
        },
        remove: () => rm(dataDir, { recursive: true, force: true }),
      }
      return place
    },
    end: async () => {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue
        const ended = once(child, 'exit')
        child.kill('SIGKILL')
        await ended
      }
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** The files below `folder` in which the bytes of `text` stand. */
export async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = []
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    // A file that is being replaced is gone: its successor was listed, or holds the same.
    const bytes = await readFile(path).catch(() => Buffer.alloc(0))
    if (bytes.includes(text)) found.push(path)
  }
  return found
}

/** Looks until it is so; bounded. */
export async function becomes(
  what: string,
  look: () => Promise<boolean>,
  withinMs = 30_000,
): Promise<void> {
  const until = performance.now() + withinMs
  while (!(await look())) {
    if (performance.now() > until) assert.fail(`not within ${withinMs / 1000} seconds: ${what}`)
    await delay(50)
  }
}
