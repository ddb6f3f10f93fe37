/** Real nodes on disks that fail, and commands that people get wrong: clear words, and nothing lost. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { run } from '../../src/interfaces/cli/run.ts'
import {
  eventually,
  exportPeers,
  freePort,
  type RealNode,
  startRealNode,
} from '../helpers/real-node.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = process.env.TEST_BUNDLE ?? join(root, 'bin/cairn.js')
const PATIENCE_MS = 60_000

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** One command, in this process: what it says is the same. */
async function cairn(dataDir: string, ...args: string[]): Promise<Ran> {
  let out = ''
  let err = ''
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      out += chunk.toString()
      done()
    },
  })
  const code = await run(['--data-dir', dataDir, ...args], {
    terminal: { out: sink, err: { write: (text) => (err += text) } },
    environment: {},
    signal: new AbortController().signal,
  })
  return { code, out, err }
}

async function names(dataDir: string): Promise<string[]> {
  const { items } = JSON.parse((await cairn(dataDir, 'ls', '--json')).out)
  return items.map(({ name }: { name: string }) => name).sort()
}

/** Whether all files are listed and their bytes are held here. */
async function holds(dataDir: string, count: number): Promise<boolean> {
  const { items } = JSON.parse((await cairn(dataDir, 'ls', '--json')).out)
  return items.length === count && items.every(({ local }: { local: boolean }) => local)
}

/** Ways to damage a database of `bytes`. */
const DAMAGE: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'no header': (bytes) => Buffer.concat([Buffer.alloc(100, 7), bytes.subarray(100)]),
  'cut off': (bytes) => bytes.subarray(0, Math.floor(bytes.length / 8192) * 4096),
  // The kind of each page after the first is none that there is.
  'every page': (bytes) => {
    const bad = Buffer.from(bytes)
    for (let at = 4096; at < bad.length; at += 4096) bad[at] = 0x7f
    return bad
  },
  'another file': () => Buffer.from('hello'),
}

describe('a node on a disk that fails', function () {
  this.timeout(3 * PATIENCE_MS)
  let directory: string
  const nodes: RealNode[] = []

  async function start(dataDir: string, init: { peersFile?: string } = {}): Promise<RealNode> {
    const node = await startRealNode({
      dataDir,
      name: 'Ada',
      peerPort: await freePort(),
      ...init,
    })
    nodes.push(node)
    return node
  }

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-disk-'))
  })
  afterEach(async () => {
    for (const node of nodes.splice(0)) if (node.running()) await node.kill()
  })
  after(() => rm(directory, { recursive: true, force: true }))

  it('a damaged database: put aside, everything back from journal and peer, nothing fetched twice', async () => {
    const peersFile = join(directory, 'peers.json')
    const other = join(directory, 'other')
    const kept = join(directory, 'kept')
    const ben = await start(other)
    await exportPeers(ben, peersFile)
    const ada = await start(kept, { peersFile })
    const mine = join(directory, 'mine.bin')
    const his = join(directory, 'his.bin')
    await writeFile(mine, randomBytes(2_500_000))
    await writeFile(his, randomBytes(2_500_000))
    assert.equal((await cairn(kept, 'add', '--public', mine, '--wait', 'confirmed')).code, 0)
    assert.equal((await cairn(other, 'add', '--public', his, '--wait', 'confirmed')).code, 0)
    await eventually('both hold both', PATIENCE_MS, () => holds(kept, 2))
    assert.equal(await ada.stop(), 0)
    const database = readFileSync(join(kept, 'cairn.sqlite'))
    const blocks = (dataDir: string): string[] =>
      readdirSync(join(dataDir, 'content'), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && entry.name.endsWith('.data'))
        .map((entry) => `${entry.name} ${statSync(join(entry.parentPath, entry.name)).ino}`)
        .sort()

    for (const [how, damage] of Object.entries(DAMAGE)) {
      const dataDir = join(directory, how)
      await cp(kept, dataDir, { recursive: true })
      await writeFile(join(dataDir, 'cairn.sqlite'), damage(database))
      const before = blocks(dataDir)
      const node = await start(dataDir, { peersFile })
      await eventually(`${how}: all is back`, PATIENCE_MS, () => holds(dataDir, 2))
      assert.deepEqual(await names(dataDir), ['his.bin', 'mine.bin'])
      assert.deepEqual(blocks(dataDir), before, `${how}: no block was written again`)
      const aside = readdirSync(dataDir).filter((name) => name.includes('.sqlite.damaged-'))
      assert.equal(aside.length, 1, how)
      const status = JSON.parse((await cairn(dataDir, 'status', '--json')).out)
      assert.equal(status.alarms[0]?.code, 'DATABASE_DAMAGED', how)
      assert.match(status.alarms[0].message, new RegExp(aside[0] ?? ''))
      assert.equal(await node.stop(), 0)
    }
    assert.equal(await ben.stop(), 0)

    const alone = join(directory, 'alone')
    await cp(kept, alone, { recursive: true })
    const bad = DAMAGE['every page']?.(database) ?? Buffer.alloc(0)
    await writeFile(join(alone, 'cairn.sqlite'), bad)
    await start(alone)
    await eventually('own files come from the journal', PATIENCE_MS, async () =>
      (await names(alone)).includes('mine.bin'),
    )
    const copy = join(directory, 'copy.bin')
    assert.equal((await cairn(alone, 'get', 'mine.bin', '-o', copy)).code, 0)
    assert.deepEqual(readFileSync(copy), readFileSync(mine))
  })

  it('a damaged block: said in words without a peer, healed with one', async () => {
    const peersFile = join(directory, 'peers-2.json')
    const a = join(directory, 'block-a')
    const b = join(directory, 'block-b')
    const path = join(directory, 'whole.bin')
    const bytes = randomBytes(3_000_000)
    await writeFile(path, bytes)
    const ada = await start(a)
    await exportPeers(ada, peersFile)
    const ben = await start(b, { peersFile })
    assert.equal((await cairn(a, 'add', '--public', path)).code, 0)
    await eventually('Ben holds it', PATIENCE_MS, () => holds(b, 1))
    await ben.stop()
    const [largest] = readdirSync(join(a, 'content'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.data'))
      .map((entry) => join(entry.parentPath, entry.name))
      .sort((x, y) => statSync(y).size - statSync(x).size)
    const block = readFileSync(largest ?? '')
    block[500] = (block[500] ?? 0) ^ 1
    writeFileSync(largest ?? '', block)

    const copy = join(directory, 'whole-copy.bin')
    for (const args of [
      ['cat', 'whole.bin'],
      ['get', 'whole.bin', '-o', copy],
    ]) {
      const run = await cairn(a, ...args)
      assert.deepEqual([run.code, /damaged on this disk/.test(run.err)], [7, true], run.err)
    }
    assert.equal(existsSync(copy), false)
    await eventually('it is not here whole', PATIENCE_MS, async () => !(await holds(a, 1)))
    const { files } = JSON.parse((await cairn(a, 'status', '--json')).out)
    assert.deepEqual([files.local, files.missing], [0, 1])

    await start(b, { peersFile })
    await eventually('get heals it', PATIENCE_MS, async () => {
      return (await cairn(a, 'get', 'whole.bin', '-o', copy)).code === 0
    })
    assert.deepEqual(readFileSync(copy), bytes)
    await eventually('it is here again', PATIENCE_MS, () => holds(a, 1))
  })

  it('a full disk: the large add is refused, nothing is lost, and room helps', async function () {
    const mount = join(directory, 'small-disk')
    await mkdir(mount)
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'none', mount])
    if (mounted.status !== 0) return this.skip()
    try {
      const dataDir = join(mount, 'data')
      const node = await start(dataDir)
      const small = join(directory, 'small.txt')
      const large = join(directory, 'large.bin')
      await writeFile(small, 'small')
      await writeFile(large, randomBytes(30_000_000))
      const reserve = join(mount, 'reserve')
      await writeFile(reserve, Buffer.alloc(8_000_000))
      assert.equal((await cairn(dataDir, 'add', '--public', small)).code, 0)
      const full = await cairn(dataDir, 'add', '--public', large, '--json')
      assert.equal(JSON.parse(full.out).error.code, 'STORAGE_FULL')
      assert.equal(full.code, 6)
      spawnSync('dd', ['if=/dev/zero', `of=${join(mount, 'filler')}`, 'bs=4096'])
      const later = join(directory, 'later.txt')
      await writeFile(later, 'later')
      const none = await cairn(dataDir, 'add', '--public', later)
      assert.deepEqual([none.code, /no space left/.test(none.err)], [6, true], none.err)
      assert.deepEqual(await names(dataDir), ['small.txt'])
      assert.equal((await cairn(dataDir, 'cat', 'small.txt')).out, 'small')
      await rm(join(mount, 'filler'))
      await rm(reserve)
      const again = await cairn(dataDir, 'add', '--public', later, '--wait', 'confirmed')
      assert.equal(again.code, 0, again.err)
      assert.equal(await node.stop(), 0)
      const second = await start(dataDir)
      assert.deepEqual(await names(dataDir), ['later.txt', 'small.txt'])
      assert.equal(await second.stop(), 0)
    } finally {
      for (const node of nodes) if (node.running()) await node.kill()
      spawnSync('umount', [mount])
    }
  })

  it('strange files and strange outputs', async function () {
    if (process.platform === 'win32') return this.skip()
    const dataDir = join(directory, 'strange')
    const folder = join(directory, 'folder')
    await start(dataDir)
    await mkdir(folder)
    await writeFile(join(folder, 'good.txt'), 'good')
    await writeFile(join(folder, 'bad\u202ename.txt'), 'x')
    await writeFile(join(folder, 'red\u001b[31m.txt'), 'x')
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0x62, 0xff])]), 'x')
    await symlink('/etc', join(folder, 'link'))
    spawnSync('mkfifo', [join(folder, 'pipe')])
    const added = await cairn(dataDir, 'add', '--public', '--recursive', folder, '--json')
    const { added: good, failed } = JSON.parse(added.out)
    assert.deepEqual(
      good.map(({ name }: { name: string }) => name),
      ['good.txt'],
    )
    assert.equal(failed.length, 3)
    assert.match(JSON.stringify(failed), /not valid UTF-8/)
    assert.match(added.err, /left out.*link[\s\S]*left out.*pipe/)
    assert.notEqual(added.code, 0)

    const good1 = join(folder, 'good.txt')
    for (const name of ['', '..', 'a/b', 'x'.repeat(10_000), 'x\u0007', 'é'.repeat(5_000)]) {
      const run = await cairn(dataDir, 'add', '--public', good1, '--name', name)
      assert.deepEqual([run.code, /^cairn: The name /.test(run.err)], [2, true], run.err)
    }
    for (const name of ['', '.', '..']) {
      const run = await cairn(dataDir, 'info', name)
      assert.deepEqual([run.code, /names nothing/.test(run.err)], [2, true], run.err)
    }
    assert.equal((await cairn(dataDir, 'info', 'x'.repeat(10_000))).code, 4)

    const sh = (script: string) =>
      spawnSync('sh', ['-c', script.replaceAll('CAIRN', `"${process.execPath}" "${PROGRAM}"`)], {
        encoding: 'utf8',
        timeout: PATIENCE_MS,
        env: { ...process.env, CAIRN_DATA_DIR: dataDir },
      })
    const fullOutput = sh('CAIRN ls > /dev/full')
    assert.equal(fullOutput.status, 1)
    assert.match(fullOutput.stderr, /^cairn: Standard output cannot be written.*\n$/)
    const closed = sh('CAIRN ls | true')
    assert.deepEqual([closed.status, closed.stderr], [0, ''])
    const piped = sh(`(echo from a pipe > "${folder}/pipe") & CAIRN add --public "${folder}/pipe"`)
    assert.equal(piped.status, 0, piped.stderr)
    assert.equal((await cairn(dataDir, 'cat', 'pipe')).out, 'from a pipe\n')

    // Nobody writes to it: Ctrl-C still ends the command.
    const waiting = spawn(
      process.execPath,
      [PROGRAM, '--data-dir', dataDir, 'add', '--public', join(folder, 'pipe'), '--name', 'w'],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const ended = once(waiting, 'exit')
    const writer = spawnSync('sh', ['-c', 'sleep 1'])
    assert.equal(writer.status, 0)
    waiting.kill('SIGINT')
    assert.deepEqual((await ended)[0], 1)

    await rm(join(dataDir, 'token'))
    const tokenless = await cairn(dataDir, 'ls')
    assert.deepEqual(
      [tokenless.code, /token is missing.*process \d+/.test(tokenless.err)],
      [5, true],
    )
  })
})
