/** The command line as a person uses it: real processes, one node. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../helpers/real-node.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url))
/** Milliseconds for one command, on a busy machine. */
const COMMAND_MS = 60_000
/** Ports that the system chooses, blocks without work. */
const QUIET = [
  '--port',
  '0',
  '--gateway-port',
  '0',
  '--listen',
  '/ip4/127.0.0.1/tcp/0',
  '--difficulty-floor',
  '1',
]

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

describe('the command line with a real node', function () {
  this.timeout(3 * COMMAND_MS)
  let directory: string
  const children = new Set<ChildProcess>()
  const detached = new Set<string>()

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-process-'))
  })
  after(async () => {
    for (const child of children)
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    for (const dataDir of detached) {
      const text = await readFile(join(dataDir, 'node.json'), 'utf8').catch(() => undefined)
      if (text !== undefined) process.kill(JSON.parse(text).pid, 'SIGKILL')
    }
    await rm(directory, { recursive: true, force: true })
  })

  function launch(
    args: readonly string[],
    input?: Buffer,
  ): { child: ChildProcess; ended: Promise<Run> } {
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !name.startsWith('CAIRN_')),
    )
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      timeout: COMMAND_MS,
      killSignal: 'SIGKILL',
      env,
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
  const cairn = (...args: string[]): Promise<Run> => launch(args).ended

  /** `start --json` in the foreground; resolves to its document. */
  async function start(dataDir: string, ...args: string[]) {
    const { child, ended } = launch(['start', '--data-dir', dataDir, '--json', ...QUIET, ...args])
    const document = await Promise.race([
      once(child.stdout ?? child, 'data').then(([text]) => JSON.parse(String(text))),
      ended.then(({ out, err }) => assert.fail(`it did not start: ${out}${err}`)),
    ])
    return { child, ended, document }
  }

  it('start, work, Ctrl-C, start again: everything is there', async () => {
    const dataDir = join(directory, 'one')
    const cli = (...args: string[]): Promise<Run> => cairn('--data-dir', dataDir, ...args)
    const first = await start(dataDir, '--name', 'Ada', '--device-name', 'laptop')
    assert.deepEqual(Object.keys(first.document).sort(), [
      'api',
      'dataDir',
      'device',
      'deviceName',
      'founded',
      'gateway',
      'listen',
      'log',
      'network',
      'pid',
      'restored',
      'user',
      'version',
    ])
    assert.deepEqual([first.document.founded, first.document.deviceName], [true, 'laptop'])
    assert.equal((await stat(dataDir)).mode & 0o777, 0o700)
    assert.equal((await stat(join(dataDir, 'token'))).mode & 0o777, 0o600)

    const bytes = randomBytes(3_000_000)
    const path = join(directory, 'photo.jpg')
    await writeFile(path, bytes)
    const added = await cli('add', '--public', path, '--wait', 'confirmed', '--json')
    assert.equal(added.code, 0, added.out + added.err)
    const [file] = JSON.parse(added.out).added
    assert.equal(file.sha256, createHash('sha256').update(bytes).digest('hex'))
    assert.equal(file.state.outcome, 'applied')
    const piped = launch(
      ['add', '--public', '-', '--name', 'note', '--data-dir', dataDir, '--json'],
      Buffer.from('from a pipe'),
    )
    assert.equal(JSON.parse((await piped.ended).out).added[0].size, 11)
    assert.equal((await cli('cat', 'note', '--range', '5-5')).out, 'a')
    assert.equal((await cli('get', 'photo.jpg', '-o', join(directory, 'back.jpg'))).code, 0)
    assert.ok((await readFile(join(directory, 'back.jpg'))).equals(bytes))
    const own = await cli('vote', 'note', 'authentic')
    assert.deepEqual([own.code, own.err], [5, 'cairn: Nobody votes on a file of their own.\n'])
    assert.match((await cli('status')).out, /^device +laptop of Ada/)
    assert.equal((await cli('chain', 'verify')).code, 0)
    assert.equal((await cli('doctor')).code, 0)

    const gateway = await fetch(`${first.document.gateway}/ipfs/${file.root}`, {
      headers: { range: 'bytes=1000000-1999999' },
    })
    assert.equal(gateway.status, 206)
    assert.ok(Buffer.from(await gateway.arrayBuffer()).equals(bytes.subarray(1_000_000, 2_000_000)))
    const car = await fetch(`${first.document.gateway}/ipfs/${file.root}?format=car`)
    assert.ok((await car.arrayBuffer()).byteLength > bytes.length)
    const block = await fetch(
      `${first.document.gateway}/ipfs/${JSON.parse((await cli('chain', '--json')).out).tip}?format=raw`,
    )
    assert.equal(block.status, 404, 'who belongs to a network by invite is nobody else’s business')

    first.child.kill('SIGINT')
    assert.equal((await first.ended).code, 0)
    assert.equal((await cli('ls')).code, 3)

    const second = await start(dataDir)
    assert.deepEqual(
      [second.document.founded, second.document.device],
      [false, first.document.device],
    )
    const { items } = JSON.parse((await cli('ls', '--json')).out)
    assert.deepEqual(items.map(({ name }: { name: string }) => name).sort(), ['note', 'photo.jpg'])

    const twice = await cairn('start', '--data-dir', dataDir, ...QUIET)
    assert.equal(twice.code, 1)
    assert.match(twice.err, /in use by another node|runs already/)
    const port = new URL(second.document.api).port
    const taken = await cairn(
      'start',
      '--data-dir',
      join(directory, 'other'),
      ...QUIET,
      '--port',
      port,
    )
    assert.equal(taken.code, 1)
    assert.match(taken.err, new RegExp(`Port ${port} on 127\\.0\\.0\\.1 is in use.*--port`))

    second.child.kill('SIGKILL')
    await second.ended
    const gone = await cli('status')
    assert.deepEqual([gone.code, /No node is running/.test(gone.err)], [3, true])
    assert.equal((await cli('stop')).code, 3)
    const third = await start(dataDir)
    assert.equal(JSON.parse((await cli('ls', '--json')).out).items.length, 2)
    third.child.kill('SIGTERM')
    assert.equal((await third.ended).code, 0)
  })

  it('--detach outlives its parent; stop ends it', async () => {
    const dataDir = join(directory, 'detached')
    detached.add(dataDir)
    const started = await cairn('start', '--detach', '--data-dir', dataDir, '--json', ...QUIET)
    assert.equal(started.code, 0, started.out + started.err)
    const { pid, api } = JSON.parse(started.out)
    assert.equal((await fetch(`${api}/health`)).status, 200)
    const status = JSON.parse((await cairn('status', '--data-dir', dataDir, '--json')).out)
    assert.equal(status.pid, pid)
    const again = await cairn('start', '--detach', '--data-dir', dataDir, ...QUIET)
    assert.equal(again.code, 1)
    assert.match(again.err, /in use by another node|runs already/)
    const stopped = await cairn('stop', '--data-dir', dataDir, '--json')
    assert.deepEqual(JSON.parse(stopped.out), { stopped: true, pid })
    assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
    assert.equal((await cairn('stop', '--data-dir', dataDir)).code, 3)
  })

  it('--dev-mode: three nodes, one network, gone afterwards', async () => {
    const { child, ended, document } = await start(join(directory, 'unused'), '--dev-mode')
    assert.equal(document.nodes.length, 3)
    assert.equal(new Set(document.nodes.map(({ network }: { network: string }) => network)).size, 1)
    const [ada, , cleo] = document.nodes
    const path = join(directory, 'shared.txt')
    await writeFile(path, 'for all')
    assert.equal((await cairn('add', '--public', path, '--data-dir', ada.dataDir)).code, 0)
    const seen = async (): Promise<string> =>
      (await cairn('ls', '--json', '--data-dir', cleo.dataDir)).out
    const until = Date.now() + COMMAND_MS
    while (JSON.parse(await seen()).items.length === 0)
      assert.ok(Date.now() < until, 'it never came')
    assert.equal((await cairn('cat', 'shared.txt', '--data-dir', cleo.dataDir)).out, 'for all')
    child.kill('SIGINT')
    assert.equal((await ended).code, 0)
    await assert.rejects(stat(ada.dataDir), { code: 'ENOENT' })
  })

  it('a start that cannot be, in words', async () => {
    const file = join(directory, 'file')
    await writeFile(file, '')
    const below = await cairn('start', '--data-dir', join(file, 'below'), ...QUIET)
    assert.deepEqual([below.code, /cannot be written/.test(below.err)], [1, true], below.err)
    const detachedBelow = await cairn(
      'start',
      '--detach',
      '--data-dir',
      join(file, 'below'),
      ...QUIET,
    )
    assert.deepEqual([detachedBelow.code, /cannot be written/.test(detachedBelow.err)], [1, true])
    const peers = await cairn(
      'start',
      '--data-dir',
      join(directory, 'p'),
      '--peers',
      file,
      ...QUIET,
    )
    assert.equal(peers.code, 2, peers.err)
    const missing = await cairn(
      'start',
      '--data-dir',
      join(directory, 'p'),
      '--peers',
      `${file}x`,
      ...QUIET,
    )
    assert.deepEqual([missing.code, /cannot be read/.test(missing.err)], [2, true])
    const listen = await cairn(
      'start',
      '--data-dir',
      join(directory, 'p'),
      ...QUIET,
      '--listen',
      'nonsense',
    )
    assert.ok(listen.code === 2 || listen.code === 1, listen.err)
    assert.match(listen.err, /nonsense/)
    const port = await freePort()
    const other = launch([
      'start',
      '--data-dir',
      join(directory, 'q'),
      '--json',
      ...QUIET,
      '--listen',
      `/ip4/127.0.0.1/tcp/${port}`,
    ])
    await once(other.child.stdout ?? other.child, 'data')
    const busy = await cairn(
      'start',
      '--data-dir',
      join(directory, 'r'),
      ...QUIET,
      '--listen',
      `/ip4/127.0.0.1/tcp/${port}`,
    )
    assert.equal(busy.code, 1, busy.err)
    assert.match(busy.err, new RegExp(`${port}`))
    other.child.kill('SIGINT')
    await other.ended
  })
})
