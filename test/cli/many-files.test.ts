/** `add --recursive` of many small files: a few connections, the order of the output kept. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { systemClock } from '../../src/common/clock.ts'
import { silentLogger } from '../../src/common/logger.ts'
import { ADDS_AT_ONCE } from '../../src/interfaces/cli/actions/add.ts'
import { run } from '../../src/interfaces/cli/run.ts'
import { createHttpApi } from '../../src/interfaces/http/create-api.ts'
import type { WebServer } from '../../src/interfaces/http/listener.ts'
import { ensureToken } from '../../src/interfaces/http/token.ts'
import { createFakeNode } from '../unit/interfaces/fake-node.ts'

const FILES = 60

describe('many files in one add', () => {
  let directory: string
  let folder: string
  let fake: ReturnType<typeof createFakeNode>
  let server: WebServer
  let between: Server
  let connections = 0

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'cairn-many-'))
    folder = join(directory, 'files')
    mkdirSync(folder)
    for (let index = 0; index < FILES; index += 1) {
      writeFileSync(join(folder, String(index).padStart(3, '0')), `number ${index}`)
    }
    fake = createFakeNode()
    server = createHttpApi(
      {
        node: fake.node,
        token: await ensureToken(directory),
        logger: silentLogger,
        clock: systemClock,
        gatewayUrl: () => undefined,
        shutdown: () => {},
      },
      { host: '127.0.0.1', port: 0, allowedHosts: [], version: '1' },
    )
    await server.start()
    const port = Number(new URL(server.url ?? '').port)
    connections = 0
    // What stands between counts the connections.
    between = createServer((socket) => {
      connections += 1
      const inner = connect(port, '127.0.0.1')
      socket.pipe(inner).pipe(socket)
      for (const end of [socket, inner]) {
        end.on('error', () => {
          socket.destroy()
          inner.destroy()
        })
      }
    }).listen(0, '127.0.0.1')
    await once(between, 'listening')
    const api = `http://127.0.0.1:${(between.address() as AddressInfo).port}`
    const file = { pid: process.pid, version: '1', startedAt: 0, api, gateway: null }
    writeFileSync(join(directory, 'node.json'), JSON.stringify(file))
  })
  afterEach(async () => {
    await server.stop()
    between.close()
    rmSync(directory, { recursive: true })
  })

  async function add(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    let out = ''
    let err = ''
    const sink = new Writable({
      write: (chunk, _encoding, done) => {
        out += chunk
        done()
      },
    })
    const all = ['add', '--public', '--recursive', folder, '--data-dir', directory, ...args]
    const code = await run(all, {
      terminal: { out: sink, err: { write: (text) => (err += text) } },
      environment: {},
      signal: new AbortController().signal,
    })
    return { code, out, err }
  }

  /** The first files take longest: each waits until some after it are done. */
  function slowFirst(): () => number {
    const original = fake.node.files.add
    let running = 0
    let most = 0
    let finished = 0
    fake.node.files.add = async (source, options, work) => {
      running += 1
      most = Math.max(most, running)
      const result = await original(source, options, work)
      const wanted = Number(options.name) % ADDS_AT_ONCE === 0 ? finished + ADDS_AT_ONCE - 1 : 0
      const until = Date.now() + 200
      while (finished < wanted && Date.now() < until) await new Promise(setImmediate)
      running -= 1
      finished += 1
      return result
    }
    return () => most
  }

  it('keeps its connections and the order', async () => {
    const most = slowFirst()
    const { code, out, err } = await add()
    assert.equal(code, 0, err)
    const names = out.split('\n').flatMap((line) => /^files\/(\d+) /.exec(line)?.[1] ?? [])
    assert.deepEqual(names, [...names].sort())
    assert.equal(names.length, FILES)
    assert.match(err, /60 files added/)
    assert.ok(connections <= ADDS_AT_ONCE, `${connections} connections`)
    assert.ok(most() > 1 && most() <= ADDS_AT_ONCE, `${most()} at a time`)
  })

  it('one that is refused does not keep the others out, and stands where it was', async () => {
    const original = fake.node.files.add
    fake.node.files.add = async (source, options, work) => {
      if (options.name === '007') throw new Error('no')
      return original(source, options, work)
    }
    const { code, out } = await add('--json')
    assert.equal(code, 1)
    const { added, failed } = JSON.parse(out) as Record<string, { path: string }[]>
    assert.deepEqual([added?.length, failed?.length], [FILES - 1, 1])
    assert.deepEqual(
      failed?.map(({ path }) => path),
      [join(folder, '007')],
    )
    const paths = (added ?? []).map(({ path }) => path)
    assert.deepEqual(paths, [...paths].sort())
    assert.ok(connections <= ADDS_AT_ONCE + 2, `${connections} connections`)
  })

  it('a node that goes away ends the add: exit code 3', async () => {
    const original = fake.node.files.add
    let count = 0
    fake.node.files.add = async (source, options, work) => {
      count += 1
      if (count === 10) {
        between.close()
        void server.stop()
      }
      return original(source, options, work)
    }
    const { code } = await add()
    assert.ok(code === 3 || code === 6, `${code}`)
    assert.ok(count < FILES, `${count} were sent`)
  })
})
