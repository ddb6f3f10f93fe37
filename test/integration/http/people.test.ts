/** People, devices, access: what the routes take, and that secrets are stored by nobody on the way. */
import assert from 'node:assert/strict'
import { systemClock } from '../../../src/common/clock.ts'
import { CairnError } from '../../../src/common/errors.ts'
import { createLogger } from '../../../src/common/logger.ts'
import type { NodeApi } from '../../../src/interfaces/http/api.ts'
import { createHttpApi } from '../../../src/interfaces/http/create-api.ts'
import type { WebServer } from '../../../src/interfaces/http/listener.ts'
import { createFakeNode } from '../../unit/interfaces/fake-node.ts'
import { ask, type Reply } from '../../unit/interfaces/request.ts'

const TOKEN = 'a-token-of-forty-characters-0123456789abc'
const CODE = 'cairn:a-code-that-lets-somebody-in'
const WORDS = ['abandon', 'ability', 'able']

describe('HTTP: people and access', () => {
  let server: WebServer
  let calls: unknown[][]
  let lines: string[]

  beforeEach(async () => {
    calls = []
    lines = []
    const invite = { invite: 'bafyinvite' } as never
    const note =
      (name: string, result: unknown) =>
      (...args: unknown[]): never => {
        calls.push([name, ...args.filter((arg) => !(arg instanceof AbortSignal))])
        if (result instanceof Error) throw result
        return result as never
      }
    const fake = createFakeNode()
    const node: NodeApi = {
      ...fake.node,
      files: { ...fake.node.files, find: (text) => ({ file: `id of ${text}` }) as never },
      invites: {
        create: async (...args) => note('create', { code: CODE, invite })(...args),
        list: () => [],
        cancel: async (...args) => note('cancel', invite)(...args),
      },
      devices: {
        revoke: async (...args) => note('revoke device', {})(...args),
        rename: async (...args) => note('rename', {})(...args),
      },
      recovery: {
        here: true,
        tested: false,
        show: async () => WORDS,
        test: async (...args) => note('test', new Error('broken'))(...args),
      },
      keys: { protected: true, protect: async (...args) => note('protect', undefined)(...args) },
      grants: {
        grant: async (...args) => note('grant', { grant: 'bafygrant' })(...args),
        revoke: async (...args) => note('revoke', [])(...args),
        list: (...args) => note('grants', [])(...args),
        accesses: () => [{ access: 'bafyaccess', outcome: 'denied' } as never],
      },
      holders: {
        add: async (...args) => note('add holder', new CairnError('HOLDER_OWN', 'yours'))(...args),
        remove: async (...args) => note('remove holder', {})(...args),
        list: () => [],
      },
    }
    server = createHttpApi(
      {
        node,
        token: TOKEN,
        logger: createLogger('debug', (line) => void lines.push(line), Date.now),
        clock: systemClock,
        gatewayUrl: () => undefined,
        shutdown: () => {},
      },
      { host: '127.0.0.1', port: 0, allowedHosts: [], version: '1.2.3' },
    )
    await server.start()
  })
  afterEach(() => server.stop())

  const api = (method: string, path: string, json?: unknown): Promise<Reply> =>
    ask(`${server.url}/api/v1${path}`, {
      method,
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      headers: {
        authorization: `Bearer ${TOKEN}`,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      },
    })

  it('each verb reaches its service with what was said', async () => {
    const day = 86_400_000
    const asked: readonly (readonly [string, string, unknown, number, unknown[]])[] = [
      [
        'POST',
        '/invites',
        { kind: 'device', ms: day },
        201,
        ['create', { kind: 'device', ms: day }],
      ],
      ['DELETE', '/invites/bafyinvite', undefined, 200, ['cancel', 'bafyinvite']],
      [
        'POST',
        '/devices/phone/revoke',
        { reason: 'lost' },
        200,
        ['revoke device', 'phone', { reason: 'lost' }],
      ],
      ['POST', '/devices/phone/name', { name: 'x' }, 200, ['rename', 'phone', 'x']],
      ['PUT', '/passphrase', { passphrase: 'horse' }, 200, ['protect', 'horse']],
      ['DELETE', '/passphrase', undefined, 200, ['protect', undefined]],
      [
        'POST',
        '/files/a/grants',
        { user: 'Ben', expires: 5, downloads: 2 },
        201,
        ['grant', 'id of a', 'Ben', { expires: 5, downloads: 2 }],
      ],
      ['GET', '/files/a/grants', undefined, 200, ['grants', 'id of a']],
      ['GET', '/grants', undefined, 200, ['grants']],
      ['DELETE', '/files/a/grants/Ben%20B', undefined, 200, ['revoke', 'id of a', 'Ben B']],
      ['POST', '/files/a/holders', { device: 'nas' }, 409, ['add holder', 'id of a', 'nas']],
      ['DELETE', '/files/a/holders/nas', undefined, 200, ['remove holder', 'id of a', 'nas']],
    ]
    for (const [method, path, json, status, call] of asked) {
      calls = []
      const reply = await api(method, path, json)
      assert.equal(reply.status, status, `${method} ${path}: ${reply.text}`)
      assert.deepEqual(calls, [call])
    }
    const log = (await api('GET', '/files/a/access-log')).json
    assert.deepEqual(log.items, [{ access: 'bafyaccess', outcome: 'denied', record: 'bafyaccess' }])
  })

  it('BAD_REQUEST for what cannot be', async () => {
    const wrong: readonly (readonly [string, string, unknown])[] = [
      ['POST', '/invites', {}],
      ['POST', '/invites', { kind: 'king' }],
      ['POST', '/invites', { kind: 'member', ms: 0 }],
      ['POST', '/devices/phone/name', { name: '' }],
      ['POST', '/devices/phone/revoke', { reason: 'x'.repeat(1001) }],
      ['POST', '/recovery/test', { words: 'x'.repeat(2049) }],
      ['PUT', '/passphrase', { passphrase: '' }],
      ['POST', '/files/a/grants', {}],
      ['POST', '/files/a/grants', { user: 'Ben', downloads: 0 }],
      ['POST', '/files/a/grants', { user: 'Ben', downloads: 1.5 }],
      ['POST', '/files/a/grants', { user: 'Ben', expires: 'friday' }],
      ['POST', '/files/a/holders', {}],
    ]
    for (const [method, path, json] of wrong) {
      const reply = await api(method, path, json)
      assert.deepEqual([reply.status, reply.json.error.code], [400, 'BAD_REQUEST'], path)
    }
    assert.deepEqual(calls, [])
  })

  it('secrets: nobody on the way stores them, and no line of the log holds one', async () => {
    for (const [method, path, json] of [
      ['POST', '/invites', { kind: 'member' }],
      ['POST', '/recovery/words', undefined],
      ['PUT', '/passphrase', { passphrase: 'correct horse' }],
      ['POST', '/recovery/test', { words: WORDS.join(' ') }],
    ] as const) {
      const reply = await api(method, path, json)
      assert.equal(reply.headers['cache-control'], 'no-store', path)
    }
    // The last one fails on purpose: a failure is logged.
    const log = lines.join('\n')
    assert.match(log, /a request failed/)
    for (const secret of [CODE, 'abandon', 'correct horse', TOKEN]) {
      assert.equal(log.includes(secret), false, secret)
    }
  })
})
