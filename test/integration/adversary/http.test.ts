import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '../../../src/common/logger.ts'
import { type Daemon, startDaemon } from '../../../src/interfaces/daemon.ts'
import { type Ask, ask, type Reply } from '../../unit/interfaces/request.ts'
import { until } from '../network/nodes.ts'

describe('a hostile client: HTTP and gateway', function () {
  this.timeout(30_000)
  let dir: string
  let daemon: Daemon
  let api: URL
  let gateway: URL
  let root: string
  let file: string

  const authorized = (path: string, options: Ask = {}): Promise<Reply> =>
    ask(`${api.origin}${path}`, {
      ...options,
      headers: { authorization: `Bearer ${daemon.token}`, ...options.headers },
    })
  const at = (path: string, options: Ask = {}): Promise<Reply> =>
    ask(`${gateway.origin}${path}`, options)

  /** Bytes as they are, and what comes back until the other side ends or is silent. */
  const raw = async (url: URL, text: string, ms = 500): Promise<string> => {
    const socket = connect(Number(url.port), url.hostname)
    let answer = ''
    socket.on('data', (data: Buffer) => {
      answer += data.toString('latin1')
    })
    socket.on('error', () => {})
    socket.setTimeout(ms, () => socket.destroy())
    socket.write(text)
    await new Promise((resolve) => socket.once('close', resolve))
    return answer
  }
  const lives = async (): Promise<void> => {
    assert.equal((await authorized('/api/v1/status')).status, 200)
    assert.equal((await at(`/ipfs/${root}`)).body.toString(), PAGE)
  }
  const pending = (): number => daemon.node.chain.summary().pending

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cairn-http-'))
    const config = {
      host: '127.0.0.1',
      port: 0,
      gateway: true,
      gateway_port: 0,
      listen: [],
      difficulty_floor: 1,
      name: 'Ada',
      device_name: 'laptop',
    }
    daemon = await startDaemon(
      { logger: silentLogger },
      { dataDir: dir, version: 'test', config: config as never },
      AbortSignal.timeout(20_000),
    )
    api = new URL(daemon.file.api)
    gateway = new URL(daemon.file.gateway ?? '')
    const added = await authorized('/api/v1/files?visibility=public&name=page.html', {
      method: 'POST',
      body: PAGE,
    })
    assert.equal(added.status, 201, added.text)
    root = added.json.root
    file = added.json.file
    await until(() => pending() === 0, 'all is in the chain', 20_000)
  })
  after(async () => {
    await daemon.stop()
    await rm(dir, { recursive: true, force: true })
  })

  it('every refusal of the API is JSON with a request id', async () => {
    const cases: [string, Ask][] = [
      ['/', {}],
      ['/api/v1/../../token', {}],
      ['/api/v1/files/%2e%2e%2f%2e%2e%2ftoken', {}],
      ['/api/v1/files/%00', {}],
      [`/api/v1/files/${'a'.repeat(5000)}`, {}],
      ['/api/v1/status', { method: 'BREW' as never }],
      ['/api/v1/status', { method: 'OPTIONS', headers: { origin: 'http://evil.example' } }],
      ['/api/v1/status', { headers: { authorization: 'Bearer wrong' } }],
      ['/api/v1/status', { headers: { authorization: 'Basic eDp5' } }],
      ['/api/v1/status', { headers: { host: 'rebound.example' } }],
      ['/api/v1/files?limit=99999999999999999999', {}],
      ['/api/v1/records/undefined', {}],
      ['/api/v1/chain/blocks/-1', {}],
      [`/api/v1/files/${'%F0%9F%92%A9'.repeat(40)}`, {}],
    ]
    for (const [path, options] of cases) {
      const reply = await authorized(path, options)
      assert.ok(reply.status >= 400 && reply.status < 500, `${path}: ${reply.status}`)
      assert.match(String(reply.headers['content-type']), /^application\/json/, path)
      assert.equal(typeof reply.json.error.code, 'string', path)
      assert.equal(typeof reply.headers['x-request-id'], 'string', path)
      assert.equal(reply.headers['access-control-allow-origin'], undefined)
      assert.ok(!reply.text.includes(daemon.token))
      assert.ok(!reply.text.includes(dir), path)
    }
    await lives()
  })

  it('raw nonsense, smuggling and slow headers end in an answer or a closed connection', async () => {
    const auth = `Host: ${api.host}\r\nAuthorization: Bearer ${daemon.token}\r\n`
    const smuggled = 'GET /api/v1/status HTTP/1.1\r\n\r\n'
    const texts = [
      'nonsense\r\n\r\n',
      '\0\0\0\0\r\n\r\n',
      `GET / HTTP/9.9\r\n${auth}\r\n`,
      `GET /health HTTP/1.1\r\n\r\n`,
      `GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`,
      `POST /api/v1/files/x/votes HTTP/1.1\r\n${auth}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`,
      `POST /api/v1/files/x/votes HTTP/1.1\r\n${auth}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde${smuggled}`,
      `POST /api/v1/files/x/votes HTTP/1.1\r\n${auth}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      `POST /api/v1/files/x/votes HTTP/1.1\r\n${auth}Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n`,
      `POST /api/v1/files/x/votes HTTP/1.1\r\n${auth}Content-Length: -1\r\n\r\n`,
      `GET /health HTTP/1.1\r\n${auth}X-Big: ${'x'.repeat(200_000)}\r\n\r\n`,
      `GET /${'x'.repeat(200_000)} HTTP/1.1\r\n${auth}\r\n`,
      `GET /health HTTP/1.1\r\n${auth}X: a\r\n\tfolded\r\n\r\n`,
      `CONNECT evil.example:80 HTTP/1.1\r\n${auth}\r\n`,
      `GET /health HTTP/1.1\r\n${auth}Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n`,
    ]
    for (const url of [api, gateway]) {
      for (const text of texts) {
        const answer = await raw(url, text, 300)
        assert.ok((answer.match(/^HTTP\/1.1 200/gm) ?? []).length <= 1, text.slice(0, 80))
        assert.ok(!answer.includes(daemon.token))
      }
    }
    await lives()
  })

  it('bodies: too large, not JSON, of the wrong kind', async () => {
    const path = `/api/v1/files/${file}/votes`
    const bodies = [
      '{',
      '[]',
      'null',
      `"${'x'.repeat(60_000)}"`,
      '['.repeat(60_000),
      '{"__proto__":{"a":1}}',
    ]
    for (const body of bodies) {
      const reply = await authorized(path, { method: 'POST', body })
      assert.equal(reply.status, 400, body.slice(0, 30))
    }
    const large = await authorized(path, { method: 'POST', body: 'x'.repeat(1_000_000) })
    assert.equal(large.status, 413)
    await lives()
  })

  it('an upload that is cut off adds nothing and leaves nothing', async () => {
    const before = daemon.node.files.list({ limit: 100 }).items.length
    const cut = request(`${api.origin}/api/v1/files?visibility=public&name=cut.bin`, {
      method: 'POST',
      headers: { authorization: `Bearer ${daemon.token}`, 'content-length': 50_000_000 },
    })
    cut.on('error', () => {})
    cut.write(Buffer.alloc(5_000_000, 7))
    await until(() => (cut.socket?.bytesWritten ?? 0) > 4_000_000, 'some of it is sent')
    cut.destroy()
    await lives()
    assert.equal(daemon.node.files.list({ limit: 100 }).items.length, before)
  })

  it('names of files and of downloads put nothing into headers', async () => {
    for (const name of ['a"b.txt', "a'b;c=d.html", 'é\u{1f4a9}.svg', `${'x'.repeat(251)}.txt`]) {
      const query = `visibility=public&name=${encodeURIComponent(name)}`
      const added = await authorized(`/api/v1/files?${query}`, { method: 'POST', body: 'x' })
      assert.equal(added.status, 201, added.text)
      const got = await authorized(`/api/v1/files/${added.json.file}/content`)
      assert.equal(got.status, 200)
      assert.match(String(got.headers['content-disposition']), /^attachment; filename="[^"\r\n]*"/)
    }
    for (const name of [
      'a\r\nX-Evil: 1',
      'a/b',
      '..',
      'a\u0000b',
      'a\u202eb',
      '',
      'x'.repeat(256),
    ]) {
      const query = `visibility=public&name=${encodeURIComponent(name)}`
      const added = await authorized(`/api/v1/files?${query}`, { method: 'POST', body: 'x' })
      assert.equal(added.status, 400, JSON.stringify(name))
    }
    for (const name of ['a%0d%0aX-Evil:%201', '%22%3b', '%ff', 'x'.repeat(3000), '%E2%80%AE']) {
      const reply = await at(`/ipfs/${root}?filename=${name}`)
      assert.equal(reply.headers['x-evil'], undefined)
      assert.ok(reply.status < 500, `${name.slice(0, 20)}: ${reply.status}`)
    }
  })

  it('what somebody wrote is never a live page on the origin of the API', async () => {
    const reply = await authorized(`/api/v1/files/${file}/content`)
    assert.equal(reply.body.toString(), PAGE)
    assert.match(String(reply.headers['content-disposition']), /^attachment/)
    assert.equal(reply.headers['x-content-type-options'], 'nosniff')
    const policy = String(reply.headers['content-security-policy'])
    assert.match(policy, /sandbox/)
    assert.notEqual(api.port, gateway.port)
  })

  it('the gateway gives no way out of /ipfs and nothing that is not public', async () => {
    const paths = [
      '/ipfs/../../token',
      '/ipfs/%2e%2e/%2e%2e/token',
      `/ipfs/${root}/../../../token`,
      `/ipfs/${root}/%2e%2e/token`,
      '/token',
      '/keys/device',
      '/ipfs/',
      '/ipfs/x',
      '/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG',
      '/ipfs/bafkqaaa',
      `/ipfs/bafkqb${'a'.repeat(4000)}`,
      '/ipfs/bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
      `/ipfs/${root}?format=junk`,
      `/ipfs/${root}?format=raw&format=car`,
      `/ipfs/${root}?format=car&dag-scope=x&entity-bytes=9:-:1`,
      '/api/v1/status',
      '/ipns/example.com',
    ]
    for (const path of paths) {
      const text = await raw(
        gateway,
        `GET ${path} HTTP/1.1\r\nHost: ${gateway.host}\r\nConnection: close\r\n\r\n`,
        12_000,
      )
      assert.match(text, /^HTTP\/1.1 [2345]\d\d/, path)
      assert.doesNotMatch(text, /^HTTP\/1.1 500/, path)
      assert.ok(!text.includes(daemon.token), path)
    }
    assert.equal((await at('/ipfs/x', { method: 'POST' })).status, 405)
    await lives()
  })

  it('ranges that cannot be', async () => {
    const size = PAGE.length
    const ranges: [string, number][] = [
      ['bytes=-1', 206],
      [`bytes=0-${'9'.repeat(40)}`, 206],
      [`bytes=${size}-`, 416],
      ['bytes=5-1', 200],
      ['bytes=--1', 200],
      ['bytes=-0', 416],
      ['elephants=1-2', 200],
      [`bytes=${'9'.repeat(400)}-`, 416],
    ]
    for (const [range, status] of ranges) {
      const reply = await at(`/ipfs/${root}`, { headers: { range } })
      assert.equal(reply.status, status, range)
    }
    const many = `bytes=${Array.from({ length: 500 }, (_, at2) => `${at2}-${at2}`).join(',')}`
    const reply = await at(`/ipfs/${root}`, { headers: { range: many } })
    assert.ok(reply.body.length <= 10 * size)
  })

  it('events: an id that cannot be, and two hundred requests at once', async () => {
    for (const id of ['x', '0-0', `z-${'9'.repeat(30)}`, '-1', 'a-1\u00e9']) {
      const text = await raw(
        api,
        `GET /api/v1/events HTTP/1.1\r\nHost: ${api.host}\r\nAuthorization: Bearer ${daemon.token}\r\nLast-Event-ID: ${id}\r\n\r\n`,
        200,
      )
      assert.match(text, /^HTTP\/1.1 200/)
      assert.match(text, /event: gap/, id)
    }
    const paths = Array.from({ length: 200 }, (_, n) =>
      n % 2 === 0 ? authorized('/api/v1/status') : at(`/ipfs/${root}`),
    )
    const replies = await Promise.all(paths)
    assert.ok(replies.every(({ status }) => status === 200))
  })

  it('reading writes nothing', async () => {
    await until(() => pending() === 0, 'all is in the chain', 20_000)
    const journal = await readFile(join(dir, 'journal'))
    const { tip } = daemon.node.chain.summary()
    const content = (await readdir(join(dir, 'content'), { recursive: true })).length
    const document = (await authorized('/openapi.json')).json
    for (const [path, operations] of Object.entries<Record<string, unknown>>(document.paths)) {
      if (operations.get === undefined || path.includes('events')) continue
      await authorized(path.replace(/\{\w+\}/g, file))
    }
    await at(`/ipfs/${root}?format=car`)
    assert.equal(daemon.node.chain.summary().tip, tip)
    assert.deepEqual(await readFile(join(dir, 'journal')), journal)
    const after = (await readdir(join(dir, 'content'), { recursive: true })).length
    assert.equal(after, content)
    assert.equal(pending(), 0)
  })
})

const PAGE = '<!doctype html><script>alert(document.domain)</script>'
