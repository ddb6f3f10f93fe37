import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { eventually } from '../helpers/real-node.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
/** Milliseconds for one npm command or one start; all of them work without the network. */
const STEP_MS = 120_000
const NPM = process.platform === 'win32' ? 'npm.cmd' : 'npm'
/** What the package must hold, beside the chunks of the bundle. */
const EXPECTED = [
  'CHANGELOG.md',
  'LICENSE',
  'README.md',
  'bin/cairn.js',
  'bin/package.json',
  'dist/THIRD-PARTY.txt',
  'dist/cairn.js',
  'dist/index.js',
  'dist/miner-worker.js',
  'package.json',
  'peers.example.json',
]

describe('package', () => {
  let directory: string
  let packed: { filename: string; files: { path: string }[] }
  let node: ChildProcess | undefined
  const env: NodeJS.ProcessEnv = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(([key]) => !/^(CAIRN|npm)_/.test(key)),
    ),
    PATH: [dirname(process.execPath), process.env.PATH].join(delimiter),
    CAIRN_PORT: '0',
    CAIRN_GATEWAY_PORT: '0',
    CAIRN_LISTEN: '/ip4/127.0.0.1/tcp/0',
    CAIRN_DIFFICULTY_FLOOR: '1',
  }

  before(async function () {
    this.timeout(2 * STEP_MS)
    directory = await mkdtemp(join(tmpdir(), 'cairn-package-'))
    const build = [join(root, 'scripts/build.ts'), '--if-stale']
    await run(process.execPath, build, { timeout: STEP_MS })
    const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory]
    const { stdout } = await run(NPM, pack, { cwd: root, timeout: STEP_MS })
    const said: unknown = JSON.parse(stdout)
    // Newer versions of npm give an object by name, older ones a list.
    packed = Object.values(said as Record<string, typeof packed>)[0] ?? { filename: '', files: [] }
  })
  after(async () => {
    node?.kill('SIGKILL')
    await rm(directory, { recursive: true, force: true })
  })

  it('holds the program and its papers, and no source', () => {
    const paths = packed.files.map(({ path }) => path)
    deepEqual(
      EXPECTED.filter((path) => !paths.includes(path)),
      [],
    )
    deepEqual(
      paths.filter((path) => !/^(bin|dist|docs)\//.test(path) && !EXPECTED.includes(path)),
      [],
    )
  })

  it('installs into an empty folder, starts, mines and stops', async function () {
    this.timeout(3 * STEP_MS)
    const elsewhere = join(directory, 'elsewhere')
    const dataDir = join(directory, 'data')
    await mkdir(elsewhere)
    await writeFile(join(elsewhere, 'package.json'), '{ "private": true }')
    // The Node that runs this test is new enough; its package is 130 MB.
    const options = ['--offline', '--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund']
    const tarball = join(directory, packed.filename)
    await run(NPM, ['install', ...options, tarball], { cwd: elsewhere, env, timeout: STEP_MS })
    const installed = (await readdir(join(elsewhere, 'node_modules'))).filter((n) => n[0] !== '.')
    deepEqual(installed, ['cairn'], 'everything else is in the bundle')
    const names = `import('cairn').then((cairn) => console.log(Object.keys(cairn).join()))`
    const { stdout } = await run(process.execPath, ['-e', names], { cwd: elsewhere, env })
    match(stdout, /\bcreateNode\b/)

    const cairn = join(elsewhere, 'node_modules', '.bin', 'cairn')
    const call = async (...args: string[]): Promise<string> =>
      (await run(cairn, [...args, '--data-dir', dataDir], { env, timeout: STEP_MS })).stdout
    node = spawn(cairn, ['start', '--data-dir', dataDir], { env, stdio: 'ignore' })
    const ended = once(node, 'exit')
    await eventually('a block was mined', STEP_MS, async () => {
      if (node?.exitCode !== null) throw new Error(`it ended with ${node?.exitCode}`)
      const status = await call('status', '--json').catch(() => '{}')
      return JSON.parse(status).chain?.height >= 1
    })
    await call('stop')
    equal((await ended)[0], 0)
    ok(!(await readdir(dataDir)).includes('node.json'))
  })
})
