import { deepEqual, equal, match, ok } from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { NODE_FLAGS } from '../../src/interfaces/cli/node-flags.ts'

const LAUNCHER = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url))
/** Makes a Node take itself for an old one, as far as the launcher asks; not the one that it starts. */
const PRETEND_OLD = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`
/** Stands for the command line: says who it is, then does what its argument says. */
const PROGRAM = `
  const args = process.argv.slice(2)
  if (args[0] === 'exit') process.exitCode = Number(args[1])
  // Before it says that it is there: a signal may come at once.
  if (args[0] === 'stay') {
    const timer = setInterval(() => {}, 1000)
    process.on('SIGTERM', () => { clearInterval(timer); process.exitCode = 42 })
  }
  console.log(JSON.stringify({ pid: process.pid, version: process.versions.node, args, flags: process.execArgv }))
  if (args[0] === 'die') process.kill(process.pid, 'SIGKILL')
`

interface Hello {
  pid: number
  version: string
  args: string[]
  flags: string[]
}

describe('launcher', () => {
  let root: string
  let running: ChildProcess[]

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cairn-launcher-'))
    running = []
    for (const folder of ['bin', 'dist']) await mkdir(join(root, folder))
    await copyFile(LAUNCHER, join(root, 'bin', 'cairn.js'))
    await writeFile(join(root, 'bin', 'package.json'), '{ "type": "commonjs" }')
    await writeFile(join(root, 'package.json'), '{ "type": "module" }')
    await writeFile(join(root, 'dist', 'cairn.js'), PROGRAM)
    await writeFile(join(root, 'old.cjs'), PRETEND_OLD)
  })
  afterEach(async () => {
    for (const child of running) child.kill('SIGKILL')
    await rm(root, { recursive: true })
  })

  async function installRuntime(): Promise<void> {
    const platform = process.platform === 'win32' ? 'win' : process.platform
    const folder = join(root, 'node_modules', `node-${platform}-${process.arch}`)
    await mkdir(join(folder, 'bin'), { recursive: true })
    await writeFile(join(folder, 'package.json'), '{}')
    await symlink(process.execPath, join(folder, 'bin', 'node'))
  }

  function launch(old: boolean, ...args: string[]): ChildProcess {
    const preload = old ? ['--require', join(root, 'old.cjs')] : []
    const child = spawn(process.execPath, [...preload, join(root, 'bin', 'cairn.js'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.push(child)
    return child
  }

  async function hello(child: ChildProcess): Promise<Hello> {
    ok(child.stdout !== null)
    const [line] = await once(createInterface(child.stdout), 'line')
    return JSON.parse(line)
  }

  it('runs the program itself on a Node that is new enough', async () => {
    const child = launch(false, 'exit', '3')
    const [said, [code]] = await Promise.all([hello(child), once(child, 'exit')])
    equal(said.pid, child.pid)
    equal(code, 3)
  })

  it('starts the newer Node, with the arguments, and ends with its exit code', async () => {
    await installRuntime()
    const child = launch(true, 'exit', '7', '--flag', 'two words')
    const [said, [code]] = await Promise.all([hello(child), once(child, 'exit')])
    ok(said.pid !== child.pid)
    equal(said.version, process.versions.node)
    deepEqual(said.args, ['exit', '7', '--flag', 'two words'])
    deepEqual(said.flags, NODE_FLAGS)
    equal(code, 7)
  })

  it('passes signals on and waits for the program to end', async () => {
    await installRuntime()
    const child = launch(true, 'stay')
    await hello(child)
    child.kill('SIGTERM')
    equal((await once(child, 'exit'))[0], 42)
  })

  it('ends by the signal that ended the program', async () => {
    await installRuntime()
    const child = launch(true, 'die')
    deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
  })

  it('takes the program with it when it is killed', async () => {
    await installRuntime()
    const child = launch(true, 'stay')
    await hello(child)
    ok(child.stdout !== null)
    // The program holds the other end of this pipe: it closes when the program is gone.
    const gone = once(child.stdout, 'close')
    child.kill('SIGKILL')
    await gone
  })

  it('says in one sentence what to install when there is no newer Node', async () => {
    const child = launch(true, 'exit', '0')
    ok(child.stderr !== null)
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')])
    match(said, /^Cairn needs Node 22\.19 or newer and this is 20\.20\.2: install [^\n]*\n$/)
    equal(code, 1)
  })
})
