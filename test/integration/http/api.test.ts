import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { Readable } from 'node:stream'
import { systemClock } from '../../../src/common/clock.ts'
import { createLogger, silentLogger } from '../../../src/common/logger.ts'
import { createHttpApi } from '../../../src/interfaces/http/create-api.ts'
import type { WebServer } from '../../../src/interfaces/http/listener.ts'
import { createFakeNode } from '../../unit/interfaces/fake-node.ts'
import { type Ask, ask, type Reply } from '../../unit/interfaces/request.ts'

const TOKEN = 'a-token-of-forty-characters-0123456789abc'

describe('HTTP API', () => {
  let fake: ReturnType<typeof createFakeNode>
  let server: WebServer
  let stops = 0
  let logged: string[] = []

  beforeEach(async () => {
    fake = createFakeNode()
    stops = 0
    logged = []
    server = createHttpApi(
      {
        node: fake.node,
        token: TOKEN,
        logger: createLogger('error', (line) => void logged.push(line), Date.now),
        clock: systemClock,
        gatewayUrl: () => 'http://127.0.0.1:1',
        shutdown: () => {
          stops += 1
        },
      },
      { host: '127.0.0.1', port: 0, allowedHosts: ['cairn.home'], version: '1.2.3' },
    )
    await server.start()
  })
  afterEach(() => server.stop())

  const api = (path: string, options: Ask = {}): Promise<Reply> =>
    ask(`${server.url}${path}`, {
      ...options,
      headers: { authorization: `Bearer ${TOKEN}`, ...options.headers },
    })
  const add = async (name: string, body: Uint8Array | string, query = ''): Promise<string> => {
    const path = `/api/v1/files?visibility=public&name=${encodeURIComponent(name)}${query}`
    const reply = await api(path, { method: 'POST', body })
    assert.equal(reply.status, 201, reply.text)
    return reply.json.file
  }

  describe('who may ask', () => {
    it('health and the document need no token, everything else does', async () => {
      assert.equal((await ask(`${server.url}/health`)).status, 200)
      const document = (await ask(`${server.url}/openapi.json`)).json
      for (const [path, operations] of Object.entries<Record<string, { security?: [] }>>(
        document.paths,
      )) {
        for (const [method, { security }] of Object.entries(operations)) {
          const url = `${server.url}${path.replace(/\{\w+\}/g, 'x')}`
          const { status, json } = await ask(url, { method: method.toUpperCase() })
          if (security !== undefined) continue
          assert.equal(status, 401, `${method} ${path}`)
          assert.equal(json.error.code, 'TOKEN_REQUIRED')
        }
      }
    })
    it('TOKEN_REQUIRED for a wrong, longer or shorter token', async () => {
      for (const token of ['', 'x', TOKEN.slice(1), `${TOKEN}x`, TOKEN.toUpperCase()]) {
        const reply = await api('/api/v1/status', { headers: { authorization: `Bearer ${token}` } })
        assert.equal(reply.status, 401, token)
        assert.equal(reply.headers['www-authenticate'], 'Bearer realm="cairn"')
      }
      assert.equal((await api('/api/v1/status')).status, 200)
    })
    it('B5 X-User-Token is the token too, but not in an address, nor beside another one', async () => {
      const vault = `${server.url}/vault`
      const user = { 'x-user-token': TOKEN }
      assert.equal((await ask(vault, { headers: user })).status, 200)
      assert.equal((await ask(vault)).status, 401)
      assert.equal((await ask(`${vault}?user_token=${TOKEN}`)).status, 401)
      assert.equal((await ask(`${vault}?user_token=${TOKEN}`, { headers: user })).status, 400)
      for (const token of ['', 'x', `${TOKEN}x`]) {
        assert.equal((await ask(vault, { headers: { 'x-user-token': token } })).status, 401)
        const both = { ...user, authorization: `Bearer ${token}` }
        assert.equal((await ask(vault, { headers: both })).status, 401)
      }
      const form = '--X\r\nContent-Disposition: form-data; name="file"\r\n\r\nmine\r\n--X--\r\n'
      const headers = { ...user, 'content-type': 'multipart/form-data; boundary=X' }
      assert.equal((await ask(vault, { method: 'POST', body: form, headers })).status, 400)
    })
    it('HOST_REFUSED for names that are not ours', async () => {
      for (const host of ['evil.example', 'evil.example:5005', '127.0.0.1.evil.example', 'a@b']) {
        assert.equal((await api('/health', { headers: { host } })).status, 421, host)
      }
      for (const host of [
        'localhost:1',
        '127.0.0.1',
        '[::1]:5005',
        '192.168.1.7:5005',
        'cairn.home',
      ]) {
        assert.equal((await api('/health', { headers: { host } })).status, 200, host)
      }
    })
    it('ORIGIN_REFUSED for pages of other origins', async () => {
      for (const origin of ['http://evil.example', 'null', `${server.url}0`]) {
        assert.equal((await api('/health', { headers: { origin } })).status, 403, origin)
      }
      const same = await api('/health', { headers: { origin: server.url ?? '' } })
      assert.equal(same.status, 200)
      assert.equal(same.headers['access-control-allow-origin'], undefined)
    })
  })

  describe('errors', () => {
    it('ROUTE_NOT_FOUND, METHOD_NOT_ALLOWED, PATH_INVALID', async () => {
      assert.equal((await api('/nothing')).json.error.code, 'ROUTE_NOT_FOUND')
      const method = await api('/api/v1/chain', { method: 'DELETE' })
      assert.deepEqual([method.status, method.headers.allow], [405, 'GET'])
      assert.equal((await api('/api/v1/files/%ff')).json.error.code, 'PATH_INVALID')
      assert.equal((await api('/api/v1/files/')).json.error.code, 'PATH_INVALID')
    })
    it('BAD_REQUEST names what was found and what is allowed', async () => {
      const cases: [string, Ask, RegExp][] = [
        ['/api/v1/files?limit=x', {}, /query\.limit.*"x".*whole number from 1 to 1000/],
        ['/api/v1/files?limit=0', {}, /query\.limit/],
        ['/api/v1/files?lmit=3', {}, /query\.lmit.*unknown key.*owner, search/],
        ['/api/v1/files/a/votes', { method: 'POST', body: '{' }, /body.*no JSON/],
        ['/api/v1/files/a/votes', { method: 'POST', body: '[]' }, /body.*an object/],
        [
          '/api/v1/files/a/votes',
          { method: 'POST', body: '{}' },
          /body\.verdict.*nothing.*authentic/,
        ],
        ['/api/v1/files/a/votes', { method: 'POST', body: '{"verdict":"maybe"}' }, /"maybe"/],
        ['/api/v1/files', { method: 'POST', body: 'x' }, /query\.name/],
      ]
      for (const [path, options, message] of cases) {
        const { status, json } = await api(path, options)
        assert.equal(status, 400, path)
        assert.equal(json.error.code, 'BAD_REQUEST')
        assert.match(json.error.message, message)
      }
    })
    it('a visibility that is none; private is the default', async () => {
      const file = { method: 'POST', body: 'x' }
      const wrong = await api('/api/v1/files?name=a&visibility=secret', file)
      assert.deepEqual([wrong.status, wrong.json.error.code], [400, 'BAD_REQUEST'])
      assert.match(wrong.json.error.message, /private/)
      const added = await api('/api/v1/files?name=a', file)
      const { json } = await api(`/api/v1/files/${added.json.file}`)
      assert.equal(json.visibility, 'private')
    })
    it('BODY_TOO_LARGE for JSON, declared or not; the answer arrives although more is sent', async () => {
      const body = Buffer.alloc(3_000_000, 32)
      for (const headers of [
        { 'content-length': `${body.length}` },
        { 'transfer-encoding': 'chunked' },
      ]) {
        const { status, json } = await api('/api/v1/peers', { method: 'POST', body, headers })
        assert.deepEqual([status, json.error.code], [413, 'BODY_TOO_LARGE'])
      }
    })
    it('MEDIA_TYPE_UNKNOWN for a body that is no JSON', async () => {
      const headers = { 'content-type': 'text/plain' }
      const reply = await api('/api/v1/peers', { method: 'POST', body: '{}', headers })
      assert.equal(reply.status, 415)
    })
    it('an unexpected error tells nothing of itself, but its request id', async () => {
      const reply = await api('/api/v1/chain/blocks/x', { headers: { 'x-request-id': 'mine-1' } })
      assert.equal(reply.status, 500)
      assert.equal(reply.headers['x-request-id'], 'mine-1')
      fake.node.chain.summary = () => {
        throw new TypeError('secret detail')
      }
      const { error } = (await api('/api/v1/chain')).json
      assert.equal(error.code, 'INTERNAL')
      assert.ok(!error.message.includes('secret'))
    })
    it('an unexpected error behind progress is told, and stands in the log', async () => {
      fake.node.files.add = async (_source, _options, { onProgress }) => {
        onProgress?.({ bytes: 1, total: null })
        throw new TypeError('secret detail')
      }
      const headers = { accept: 'application/x-ndjson' }
      const path = '/api/v1/files?visibility=public&name=x'
      const { text } = await api(path, { method: 'POST', body: 'x', headers })
      assert.match(text, /"type":"error","error":\{"code":"INTERNAL"/)
      assert.match(logged.join('\n'), /secret detail/)
    })
    it('an ambiguous name lists the candidates', async () => {
      await add('same', '1')
      await add('same', '2')
      const { error } = (await api('/api/v1/files/same')).json
      assert.equal(error.code, 'FILE_AMBIGUOUS')
      assert.equal(error.details.candidates.length, 2)
    })
  })

  describe('files', () => {
    it('come in as a stream and go out whole, by range and by HEAD', async () => {
      const bytes = randomBytes(3_000_000)
      const id = await add('photo ü.jpg', bytes, '&folder=a/b&mediaType=image/jpeg')
      const info = (await api(`/api/v1/files/${id}`)).json
      assert.deepEqual(
        [info.name, info.folder, info.size],
        ['photo ü.jpg', ['a', 'b'], bytes.length],
      )
      assert.equal(info.sha256, createHash('sha256').update(bytes).digest('hex'))
      const path = `/api/v1/files/${encodeURIComponent('photo ü.jpg')}/content`
      const whole = await api(path)
      assert.ok(whole.body.equals(bytes))
      assert.equal(whole.headers['content-type'], 'image/jpeg')
      assert.equal(
        whole.headers['content-disposition'],
        `attachment; filename="photo _.jpg"; filename*=UTF-8''photo%20%C3%BC.jpg`,
      )
      assert.match(String(whole.headers['content-security-policy']), /sandbox/)
      assert.equal(whole.headers['x-content-type-options'], 'nosniff')
      const ranges: [string, number, number][] = [
        ['bytes=0-0', 0, 1],
        ['bytes=100000-199999', 100_000, 200_000],
        ['bytes=2999990-', 2_999_990, 3_000_000],
        ['bytes=-10', 2_999_990, 3_000_000],
        ['bytes=2999990-9999999', 2_999_990, 3_000_000],
      ]
      for (const [range, start, end] of ranges) {
        const part = await api(path, { headers: { range } })
        assert.equal(part.status, 206, range)
        assert.equal(part.headers['content-range'], `bytes ${start}-${end - 1}/3000000`)
        assert.ok(part.body.equals(bytes.subarray(start, end)), range)
      }
      const head = await api(path, { method: 'HEAD' })
      assert.deepEqual(
        [head.status, head.headers['content-length'], head.body.length],
        [200, '3000000', 0],
      )
      const none = await api(path, { headers: { range: 'bytes=3000000-' } })
      assert.deepEqual([none.status, none.headers['content-range']], [416, 'bytes */3000000'])
      const same = await api(path, { headers: { 'if-none-match': whole.headers.etag ?? '' } })
      assert.deepEqual([same.status, same.body.length], [304, 0])
      const changed = await api(path, { headers: { range: 'bytes=0-1', 'if-range': '"other"' } })
      assert.equal(changed.status, 200)
    })
    it('come in as a multipart form, as curl -F sends it', async () => {
      const body = [
        '--XX\r\nContent-Disposition: form-data; name="visibility"\r\n\r\npublic',
        '\r\n--XX\r\nContent-Disposition: form-data; name="folder"\r\n\r\ndocs',
        '\r\n--XX\r\nContent-Disposition: form-data; name="file"; filename="note.txt"\r\nContent-Type: text/plain\r\n\r\nhello',
        '\r\n--XX--\r\n',
      ].join('')
      const headers = { 'content-type': 'multipart/form-data; boundary=XX' }
      const reply = await api('/api/v1/files', { method: 'POST', body, headers })
      assert.equal(reply.status, 201, reply.text)
      assert.equal(reply.headers.location, `/api/v1/files/${reply.json.file}`)
      const info = (await api('/api/v1/files/note.txt')).json
      assert.deepEqual([info.size, info.folder, info.mediaType], [5, ['docs'], 'text/plain'])
      const broken = await api('/api/v1/files', {
        method: 'POST',
        body: body.slice(0, -30),
        headers,
      })
      assert.equal(broken.json.error?.code, 'BODY_INCOMPLETE')
      assert.equal((await api('/api/v1/files')).json.items.length, 1)
      const nothing = await api('/api/v1/files', { method: 'POST', body: '--XX--\r\n', headers })
      assert.equal(nothing.json.error.code, 'BAD_REQUEST')
    })
    it('tell of their progress when asked', async () => {
      const headers = { accept: 'application/x-ndjson' }
      const path = '/api/v1/files?visibility=public&name=big'
      const reply = await api(path, { method: 'POST', body: Buffer.alloc(400_000), headers })
      const lines = reply.text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
      assert.equal(lines.at(-1).type, 'done')
      assert.equal(lines.at(-1).result.size, 400_000)
      assert.ok(lines.length > 1 && lines.slice(0, -1).every(({ type }) => type === 'progress'))
      const fetched = await api('/api/v1/files/big/fetch', { method: 'POST', headers })
      assert.match(
        fetched.text,
        /"type":"progress","bytes":400000,"total":400000[\s\S]*"type":"done"/,
      )
      const early = await api('/api/v1/files?visibility=public', { method: 'POST', headers })
      assert.equal(early.status, 400)
    })
    it('get versions, are listed page by page, removed', async () => {
      const id = await add('a', 'one')
      await api(`/api/v1/files/${id}/versions`, { method: 'POST', body: 'second' })
      assert.equal((await api(`/api/v1/files/${id}/content`)).text, 'second')
      assert.equal((await api(`/api/v1/files/${id}/content?version=1`)).text, 'one')
      assert.equal(
        (await api(`/api/v1/files/${id}/content?version=3`)).json.error.code,
        'VERSION_NOT_FOUND',
      )
      await add('b', 'x')
      const page = (await api('/api/v1/files?limit=1')).json
      const rest = (await api(`/api/v1/files?limit=1&after=${page.next}`)).json
      assert.deepEqual([page.items[0].name, rest.items[0].name, rest.next], ['a', 'b', null])
      await api('/api/v1/files/a', { method: 'DELETE' })
      assert.equal((await api('/api/v1/files')).json.items.length, 1)
      assert.equal((await api('/api/v1/files?all=true')).json.items.length, 2)
    })
    it('votes are cast and shown', async () => {
      const id = await add('a', 'one')
      const body = JSON.stringify({ verdict: 'authentic', comment: 'I know it' })
      const vote = await api('/api/v1/files/a/votes', { method: 'POST', body })
      assert.deepEqual([vote.status, vote.json.version], [201, id])
      assert.equal((await api('/api/v1/files/a/votes')).json.items[0].comment, 'I know it')
    })
    it('an upload that is cut adds nothing and ends the work', async () => {
      const outgoing = request(`${server.url}/api/v1/files?visibility=public&name=cut`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, 'content-length': '1000000' },
      })
      outgoing.on('error', () => {})
      outgoing.write(Buffer.alloc(100_000))
      const signal = await until(() => fake.signals[0])
      outgoing.destroy()
      await aborted(signal)
      assert.equal((await api('/api/v1/files')).json.items.length, 0)
    })
    it('a reader that leaves ends the reading; one that does not read is not fed', async () => {
      await add('big', Buffer.alloc(64_000_000))
      const outgoing = request(`${server.url}/api/v1/files/big/content`, {
        headers: { authorization: `Bearer ${TOKEN}` },
      })
      outgoing.on('error', () => {})
      outgoing.end()
      const signal = await until(() => fake.signals[1])
      assert.ok(!signal.aborted)
      outgoing.destroy()
      await aborted(signal)
    })
    it('many uploads at a time', async () => {
      const bodies = Array.from({ length: 40 }, (_, index) => randomBytes(10_000 + index))
      const done = await Promise.all(
        bodies.map((body, index) =>
          api(`/api/v1/files?visibility=public&name=f${index}`, {
            method: 'POST',
            body: Readable.from([body.subarray(0, 5000), body.subarray(5000)]),
          }),
        ),
      )
      assert.ok(done.every(({ status }) => status === 201))
    })
  })

  it('a record can be waited for', async () => {
    const id = await add('a', 'one')
    const waiting = api(`/api/v1/records/${id}?wait=confirmed&timeout=10`)
    const timeout = await api(`/api/v1/records/${id}?wait=confirmed&timeout=1`)
    assert.equal(timeout.json.state.status, 'pending')
    fake.confirmed.add(id)
    fake.events.emit('record:confirmed', {
      record: id as never,
      type: 'file.add',
      block: 'b' as never,
      height: 1,
    })
    assert.equal((await waiting).json.state.status, 'confirmed')
  })

  it('the chain is exported as a CAR', async () => {
    await add('a', 'one')
    const { CarReader } = await import('@ipld/car/reader')
    const reader = await CarReader.fromBytes((await api('/api/v1/chain/export')).body)
    assert.equal((await reader.getRoots()).length, 1)
    let blocks = 0
    for await (const _ of reader.blocks()) blocks += 1
    assert.equal(blocks, 1)
  })
  it('an answer that breaks on its way is cut: it cannot pass for whole', async () => {
    await add('a', 'one')
    const whole = fake.node.chain.export
    fake.node.chain.export = async function* (signal) {
      yield* whole(signal)
      throw new Error('the disk broke')
    }
    await assert.rejects(api('/api/v1/chain/export'))
  })

  it('status, metrics and the document', async () => {
    const status = (await api('/api/v1/status')).json
    assert.deepEqual([status.urls.gateway, status.pid], ['http://127.0.0.1:1', process.pid])
    assert.equal(status.urls.api, server.url)
    const metrics = await api('/metrics')
    assert.match(metrics.text, /^cairn_chain_height 3$/m)
    assert.match(metrics.headers['content-type'] ?? '', /version=0\.0\.4/)
    const document = (await api('/openapi.json')).json
    assert.equal(document.info.version, '1.2.3')
    assert.deepEqual(
      document.paths['/api/v1/files/{id}/votes'].post.requestBody.content['application/json'].schema
        .required,
      ['verdict'],
    )
  })

  it('shutdown answers first and stops then', async () => {
    const reply = await api('/api/v1/shutdown', { method: 'POST' })
    assert.equal(reply.status, 202)
    await until(() => (stops === 1 ? true : undefined))
  })

  it('PORT_IN_USE names the port and the flag', async () => {
    const port = Number(new URL(server.url ?? '').port)
    const second = createHttpApi(
      {
        node: fake.node,
        token: TOKEN,
        logger: silentLogger,
        clock: systemClock,
        gatewayUrl: () => undefined,
        shutdown: () => {},
      },
      { host: '127.0.0.1', port, allowedHosts: [], version: '1' },
    )
    await assert.rejects(second.start(), { code: 'PORT_IN_USE', message: /--port/ })
  })
})

/** The first value of `read` that is not undefined; looked for at each turn of the event loop, 5 s at most. */
async function until<T>(read: () => T | undefined): Promise<T> {
  const deadline = Date.now() + 5_000
  for (;;) {
    const value = read()
    if (value !== undefined) return value
    assert.ok(Date.now() < deadline, 'it takes too long')
    await new Promise((resolve) => setImmediate(resolve))
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return resolve()
    const timer = setTimeout(() => reject(new Error('the work was not ended')), 5_000)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
