/** Starts, stops and uploads at their edges: real processes and real sockets. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Page } from '../../src/services/page.ts'
import { eventually, freePort, type RealNode, startRealNode } from '../helpers/real-node.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url))
const COMMAND_MS = 60_000
const QUIET = '--port 0 --gateway-port 0 --listen /ip4/127.0.0.1/tcp/0 --difficulty-floor 1'

interface Listed {
  readonly name: string
}

describe('edges of a real node', function () {
  this.timeout(2 * COMMAND_MS)
  // Not a timer: it would run from the load of this file on. Each test has its own limit.
  const { signal } = new AbortController()
  let directory: string
  const children = new Set<ChildProcess>()
  const nodes = new Set<RealNode>()

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-edges-'))
  })
  after(async () => {
    for (const node of nodes) if (node.running()) await node.kill()
    for (const child of children) {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    }
    await rm(directory, { recursive: true, force: true })
  })

  /** A command to its end. */
  async function cairn(
    ...args: string[]
  ): Promise<{ code: number | null; out: string; err: string }> {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: COMMAND_MS,
      killSignal: 'SIGKILL',
    })
    children.add(child)
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    const [code] = await once(child, 'close')
    return { code, out, err }
  }

  async function real(name: string): Promise<RealNode> {
    const dataDir = join(directory, name)
    const node = await startRealNode({ dataDir, name: 'Ada', peerPort: await freePort() })
    nodes.add(node)
    return node
  }

  const add = (node: RealNode, name: string, body: Readable): Promise<unknown> =>
    node.client.work(
      'POST',
      '/api/v1/files',
      { query: { name, visibility: 'public' }, body },
      signal,
    )
  const names = async (node: RealNode): Promise<string[]> =>
    (await node.client.get<Page<Listed>>('/api/v1/files', { limit: 1000 }, signal)).items
      .map(({ name }) => name)
      .sort()

  describe('a port in use', () => {
    let taken: Server
    let port: string
    before(async () => {
      taken = createServer().listen(0, '127.0.0.1')
      await once(taken, 'listening')
      const address = taken.address()
      assert.ok(address !== null && typeof address === 'object')
      port = String(address.port)
    })
    after(() => taken.close())

    for (const [flag, what] of [
      ['--gateway-port', 'IPFS gateway'],
      ['--port', 'HTTP API'],
    ] as const) {
      it(`${flag}: said with the way out; nothing stays behind, and another port helps`, async () => {
        const dataDir = join(directory, `taken${flag}`)
        const start = ['start', '--data-dir', dataDir, '--json', ...QUIET.split(' ')]
        const { code, out } = await cairn(...start, flag, port)
        assert.equal(code, 1)
        const { error } = JSON.parse(out)
        assert.equal(error.code, 'PORT_IN_USE')
        assert.match(error.message, new RegExp(`${port} on 127\\.0\\.0\\.1.*${what}.*${flag}`))
        assert.equal(existsSync(join(dataDir, 'node.json')), false)
        const child = spawn(process.execPath, [PROGRAM, ...start], {
          stdio: ['ignore', 'pipe', 'pipe'],
        })
        children.add(child)
        const [text] = await once(child.stdout, 'data')
        assert.match(JSON.parse(String(text)).gateway, /^http:/)
        const ended = once(child, 'exit')
        child.kill('SIGTERM')
        assert.deepEqual(await ended, [0, null])
      })
    }
  })

  it('a data directory that nobody can write, root neither: said in words', async function () {
    // Nothing can be made in this file system of the kernel, whatever the rights are.
    if (!existsSync('/proc/self')) {
      console.log('      skipped: this system has no /proc')
      this.skip()
    }
    for (const dataDir of ['/proc/cairn', '/proc/self']) {
      const { code, out } = await cairn(
        'start',
        '--data-dir',
        dataDir,
        '--json',
        ...QUIET.split(' '),
      )
      const { error } = JSON.parse(out)
      assert.deepEqual([code, error.code], [1, 'DATA_DIRECTORY_NOT_WRITABLE'], out)
      assert.match(error.message, /cannot be written/)
    }
  })

  it('kill -9 while it stops: what was acknowledged is there, and the next start opens', async () => {
    const acknowledged: string[] = []
    let node = await real('killed')
    for (let round = 0; round < 4; round += 1) {
      const before = `before-${round}`
      await add(node, before, Readable.from([Buffer.from(before)]))
      acknowledged.push(before)
      const uploads = Array.from({ length: 8 }, (_, index) => {
        const name = `during-${round}-${index}`
        return add(node, name, Readable.from([Buffer.alloc(300_000, name)])).then(
          () => acknowledged.push(name),
          () => {},
        )
      })
      const file = join(directory, 'killed', 'node.json')
      assert.ok(existsSync(file))
      await node.client.call('POST', '/api/v1/shutdown', {}, signal)
      // Gone first when the stop begins; the rounds kill at different places of it.
      if (round > 0) {
        await eventually('the stop began', COMMAND_MS, () => !existsSync(file) || !node.running())
        for (let turn = 0; turn < (round - 1) * 200; turn += 1) await new Promise(setImmediate)
      }
      await node.kill()
      await Promise.all(uploads)
      node = await real('killed')
      const found = await names(node)
      for (const name of acknowledged) assert.ok(found.includes(name), `${name} in round ${round}`)
      const bytes = await node.client.open(
        'GET',
        `/api/v1/files/${acknowledged.at(-1)}/content`,
        {},
        signal,
      )
      for await (const _ of bytes);
    }
    assert.equal(await node.stop(), 0)
  })

  describe('uploads over the raw API', () => {
    let node: RealNode
    let token: string
    before(async () => {
      node = await real('uploads')
      token = (await readFile(join(node.dataDir, 'token'), 'utf8')).trim()
    })
    after(() => node.stop())

    function post(name: string, length: number | undefined): Socket {
      const { hostname, port } = new URL(node.client.url)
      const socket = connect(Number(port), hostname)
      socket.setEncoding('utf8')
      socket.on('error', () => {})
      socket.write(
        [
          `POST /api/v1/files?visibility=public&name=${name} HTTP/1.1`,
          'Host: localhost',
          `Authorization: Bearer ${token}`,
          length === undefined ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`,
          '',
          '',
        ].join('\r\n'),
      )
      return socket
    }
    async function answer(socket: Socket): Promise<string> {
      let text = ''
      socket.on('data', (part: string) => {
        text += part
      })
      await once(socket, 'close')
      return text
    }

    it('less than was declared: nothing is added', async () => {
      for (const cut of ['end', 'destroy'] as const) {
        const socket = post('short', 100_000)
        socket.write(Buffer.alloc(50_000))
        const said = answer(socket)
        await new Promise((resolve) => socket.write('', resolve))
        socket[cut]()
        assert.ok(!/ 201 /.test(await said))
      }
      assert.ok(!(await names(node)).includes('short'))
    })
    it('more than was declared: what was declared is added, the rest is no request', async () => {
      const socket = post('long', 10)
      const said = answer(socket)
      socket.write('0123456789and more of it\r\n\r\n')
      const text = await said
      // The connection may be cut before the answer: what follows the declared bytes is no HTTP.
      assert.match(text, /^$|^HTTP\/1\.1 (201|400) /)
      assert.ok(!/"code":"INTERNAL"/.test(text))
      if ((await names(node)).includes('long')) {
        const bytes = await node.client.open('GET', '/api/v1/files/long/content', {}, signal)
        let content = ''
        for await (const part of bytes) content += String(part)
        assert.equal(content, '0123456789')
      }
    })
    it('chunks that end in nonsense: nothing is added', async () => {
      const socket = post('chunks', undefined)
      const said = answer(socket)
      socket.write('5\r\nhello\r\nnonsense\r\n')
      assert.ok(!/ 201 /.test(await said))
      assert.ok(!(await names(node)).includes('chunks'))
    })
    it('many that send a byte now and then do not keep others from being served', async () => {
      const slow = Array.from({ length: 50 }, (_, index) => post(`slow-${index}`, 1_000_000))
      const drip = setInterval(() => {
        for (const socket of slow) socket.write('x')
      }, 200)
      try {
        const started = performance.now()
        for (let index = 0; index < 20; index += 1) {
          await add(node, `quick-${index}`, Readable.from([Buffer.from(`quick ${index}`)]))
        }
        assert.ok(performance.now() - started < 10_000)
        assert.equal((await names(node)).filter((name) => name.startsWith('quick-')).length, 20)
      } finally {
        clearInterval(drip)
        for (const socket of slow) socket.destroy()
      }
      assert.ok(!(await names(node)).some((name) => name.startsWith('slow-')))
    })
  })
})
