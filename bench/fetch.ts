/**
 * One device fetches a file of another: `/cairn/transfer/1.0.0` against Helia's Bitswap and against a bare stream over
 * the same encryption and muxer. Each side is a process of its own; stores are on the disk; each figure is of
 * a fresh process and a fresh store.
 *
 * `helia` is Helia as it comes: Bitswap with its own settings over blockstore-fs, on both sides. `bitswap` and
 * `bitswap-session` are Bitswap over this project's store, with this project's settings.
 *
 * `cairn-killed` kills the fetching process half way and starts it again: what came twice, in percent.
 *
 *     node bench/fetch.ts [--mib 1024] [--only raw,cairn,helia,bitswap,bitswap-session,cairn-killed] [--json]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

export interface FetchResult {
  readonly way: string
  readonly mib: number
  readonly seconds: number
  readonly mibPerSecond: number
  /** Milliseconds from the call to the first verified bytes of the file. */
  readonly firstByteMs: number | undefined
  /** Bytes of the peak resident set. */
  readonly clientRss: number
  readonly cpuSeconds: number
  /** Processor time of the serving process meanwhile. */
  serverCpuSeconds?: number
}

interface ServerFigures {
  readonly cpuSeconds: number
  readonly sent: number
}

interface Served {
  readonly address: string
  readonly root: string
}

const WAYS = ['raw', 'cairn', 'helia', 'bitswap', 'bitswap-session'] as const
const KILLED = 'cairn-killed'
const STEP_MS = 600_000

const { values } = parseArgs({
  options: {
    mib: { type: 'string', default: '1024' },
    only: { type: 'string', default: [...WAYS, KILLED].join(',') },
    json: { type: 'boolean', default: false },
  },
})
const mib = Number(values.mib)
const directory = await mkdtemp(join(tmpdir(), 'cairn-bench-'))
const results: FetchResult[] = []
let againPercent: number | undefined
const server = start('serve', { dir: join(directory, 'server'), mib })
try {
  const served = await answer<Served>(server)
  for (const way of WAYS.filter((name) => values.only.split(',').includes(name))) {
    const dir = join(directory, way)
    if (way === 'helia') {
      results.push(await asItComes(dir))
      continue
    }
    const client = start('fetch', { dir, way, mib, ...served })
    const before = await figures()
    const result = await answer<FetchResult>(client)
    const { cpuSeconds } = await figures()
    results.push({ ...result, serverCpuSeconds: round(cpuSeconds - before.cpuSeconds) })
    await ended(client)
    await rm(dir, { recursive: true, force: true })
  }
  if (values.only.split(',').includes(KILLED)) againPercent = await killed(served)
} finally {
  server.kill()
  await ended(server)
  await rm(directory, { recursive: true, force: true })
}

const speed = (way: string): number => results.find((each) => each.way === way)?.mibPerSecond ?? NaN
const bitswap = Math.max(
  ...['bitswap', 'bitswap-session'].map(speed).filter((value) => !Number.isNaN(value)),
)
const summary = {
  bench: 'fetch',
  mib,
  results,
  againPercent,
  cairnToHelia: round(speed('cairn') / speed('helia')),
  cairnToBitswap: round(speed('cairn') / bitswap),
  cairnToRaw: round(speed('cairn') / speed('raw')),
}
if (values.json) console.log(JSON.stringify(summary))
else {
  console.log(
    '| way | MiB/s | seconds | first byte, ms | peak RSS, MiB | CPU, s | CPU of the server, s |',
  )
  console.log('|---|---|---|---|---|---|---|')
  for (const each of results) {
    const { way, mibPerSecond, seconds, firstByteMs, clientRss, cpuSeconds } = each
    const cells = [way, mibPerSecond, seconds, firstByteMs ?? '-', Math.round(clientRss / 2 ** 20)]
    console.log(`| ${[...cells, cpuSeconds, each.serverCpuSeconds].join(' | ')} |`)
  }
  console.log(`cairn / Helia as it comes: ${summary.cairnToHelia}`)
  console.log(`cairn / the faster Bitswap over the same store: ${summary.cairnToBitswap}`)
  console.log(`cairn / bare stream: ${summary.cairnToRaw}`)
  if (againPercent !== undefined) console.log(`came twice after kill -9: ${againPercent} %`)
}

/** Percent of the content that is sent twice when the fetching process is killed half way. */
async function killed(served: Served): Promise<number> {
  const dir = join(directory, KILLED)
  const before = await figures()
  const victim = start('fetch', { dir, way: KILLED, mib, ...served })
  victim.on('message', ({ bytes }: { bytes: number }) => {
    if (bytes > (mib * 2 ** 20) / 2) victim.kill('SIGKILL')
  })
  await ended(victim)
  const client = start('fetch', { dir, way: 'cairn', mib, ...served })
  await answer<FetchResult>(client)
  await ended(client)
  const { sent } = await figures()
  return round(((sent - before.sent) / (mib * 2 ** 20) - 1) * 100)
}

/** Both sides are Helia without anything of this project. */
async function asItComes(dir: string): Promise<FetchResult> {
  const other = start('serve', { dir: `${dir}-server`, mib, way: 'helia' })
  try {
    const served = await answer<Served>(other)
    const client = start('fetch', { dir, way: 'helia', mib, ...served })
    const result = await answer<FetchResult>(client)
    await ended(client)
    return result
  } finally {
    other.kill()
    await ended(other)
    await rm(dir, { recursive: true, force: true })
    await rm(`${dir}-server`, { recursive: true, force: true })
  }
}

async function figures(): Promise<ServerFigures> {
  const wanted = answer<ServerFigures>(server)
  server.send('figures')
  return wanted
}

function start(role: string, argument: object): ChildProcess {
  return fork(join(import.meta.dirname, 'support/fetch-process.ts'), [
    role,
    JSON.stringify(argument),
  ])
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error('the process did not answer')), STEP_MS)
    const gone = (code: number | null): void => {
      clearTimeout(late)
      reject(new Error(`the process ended with ${code}`))
    }
    child.once('message', (message) => {
      clearTimeout(late)
      child.off('exit', gone)
      resolve(message as T)
    })
    child.once('exit', gone)
  })
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })
}

function round(value: number): number {
  return Math.round(value * 100) / 100
}
