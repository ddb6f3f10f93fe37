/**
 * The main job, on real processes and real bytes: what is added on one device is listed and fetched on the
 * others, also after the first one is gone.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { finished } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import type { FileInfo, FileSummary } from '../../src/services/files/types.ts'
import type { Page } from '../../src/services/page.ts'
import {
  eventually,
  exportPeers,
  freePort,
  type RealNode,
  startRealNode,
} from '../helpers/real-node.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const PROGRAM = join(root, 'bin/cairn.js')
const LARGE_BYTES = 256 * 1024 * 1024
const PIECE_BYTES = 4 * 1024 * 1024
const DOCUMENTS = 60
const MANY = 120_000

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** One command, as a person types it. */
async function cairn(node: RealNode, ...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [PROGRAM, ...args, '--data-dir', node.dataDir], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text
  })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  return { code, out, err }
}

async function done(node: RealNode, ...args: string[]): Promise<string> {
  const run = await cairn(node, ...args)
  assert.equal(run.code, 0, `cairn ${args.join(' ')}: ${run.err}`)
  return run.out
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(path)) hash.update(part)
  return hash.digest('hex')
}

async function writeLarge(path: string): Promise<void> {
  const out = createWriteStream(path)
  for (let written = 0; written < LARGE_BYTES; written += PIECE_BYTES) {
    if (!out.write(randomBytes(PIECE_BYTES)))
      await new Promise<void>((go) => void out.once('drain', () => go()))
  }
  out.end()
  await finished(out)
}

/** Real documents: the readme files of what this project is made of, some in folders. */
async function writeFolder(folder: string): Promise<Map<string, string>> {
  await mkdir(join(folder, 'documents'), { recursive: true })
  const modules = join(root, 'node_modules')
  let count = 0
  for (const name of (await readdir(modules)).sort()) {
    if (count >= DOCUMENTS || name.startsWith('.') || name.startsWith('@')) continue
    for (const document of ['README.md', 'CHANGELOG.md', 'package.json']) {
      const source = join(modules, name, document)
      const found = await stat(source).catch(() => undefined)
      if (found?.isFile() !== true) continue
      const place = count % 2 === 0 ? folder : join(folder, 'documents')
      await copyFile(source, join(place, `${name}-${document}`))
      count += 1
    }
  }
  await writeLarge(join(folder, 'large.bin'))
  const hashes = new Map<string, string>()
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    hashes.set(entry.name, await hashOf(join(entry.parentPath, entry.name)))
  }
  return hashes
}

async function listed(node: RealNode): Promise<readonly FileSummary[]> {
  const page: Page<FileSummary> = JSON.parse(await done(node, 'ls', '--json'))
  return page.items
}

describe('three real processes', function () {
  this.timeout(10 * MANY)
  let directory: string
  const nodes = new Map<string, RealNode>()

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-three-'))
  })
  after(async () => {
    for (const node of nodes.values()) if (node.running()) await node.kill()
    await rm(directory, { recursive: true, force: true })
  })

  it('a folder added on A is listed by B, and fetched by C from B after A was killed', async () => {
    const peersFile = join(directory, 'peers.json')
    const portA = await freePort()
    const dataDir = join(directory, 'a')
    const a = await startRealNode({ dataDir, name: 'Ada', peerPort: portA })
    nodes.set('a', a)
    await exportPeers(a, peersFile)
    const b = await startRealNode({
      dataDir: join(directory, 'b'),
      name: 'Ben',
      peerPort: await freePort(),
      peersFile,
    })
    nodes.set('b', b)

    const folder = join(directory, 'folder')
    const hashes = await writeFolder(folder)
    assert.ok(hashes.size >= 50, `${hashes.size} files`)
    await done(a, 'add', folder, '--recursive', '--public', '--wait', 'confirmed')

    await eventually('B lists and holds all files', MANY, async () => {
      const files = await listed(b)
      return files.length === hashes.size && files.every(({ local }) => local)
    })
    for (const file of await listed(b))
      assert.equal(file.sha256, hashes.get(file.name ?? ''), file.file)

    await a.kill()
    const bPeers = join(directory, 'peers-of-b.json')
    await exportPeers(b, bPeers)
    const c = await startRealNode({
      dataDir: join(directory, 'c'),
      name: 'Cleo',
      peerPort: await freePort(),
      peersFile: bPeers,
      // C fetches what it is asked for, so that what arrives was asked for here.
      settings: { replication: 'nothing' },
    })
    nodes.set('c', c)
    await eventually(
      'C lists all files',
      MANY,
      async () => (await listed(c)).length === hashes.size,
    )
    for (const { file, name } of await listed(c)) {
      const target = join(directory, 'fetched', basename(name ?? file))
      await mkdir(join(directory, 'fetched'), { recursive: true })
      await done(c, 'get', file, '-o', target)
      assert.equal(await hashOf(target), hashes.get(name ?? ''), file)
    }

    await done(b, 'vote', 'large.bin', 'authentic', '--comment', 'the bytes are the ones I saw')
    await eventually('C sees the vote and the score', MANY, async () => {
      const info: FileInfo = JSON.parse(await done(c, 'info', 'large.bin', '--json'))
      return info.tally.score === 100 && info.tally.authentic === 1
    })

    const again = await startRealNode({ dataDir, name: 'Ada', peerPort: portA, peersFile: bPeers })
    nodes.set('a', again)
    await eventually('A returns and agrees', MANY, async () => {
      const tips = new Set<string>()
      let pending = 0
      for (const node of [again, b, c]) {
        const status = JSON.parse(await done(node, 'status', '--json'))
        tips.add(status.chain.tip)
        pending += status.chain.pending
      }
      const info: FileInfo = JSON.parse(await done(again, 'info', 'large.bin', '--json'))
      return tips.size === 1 && pending === 0 && info.tally.score === 100
    })
    for (const node of [again, b, c]) assert.equal(await node.stop(), 0)
  })
})
