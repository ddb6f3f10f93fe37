import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { systemClock } from '../../../src/common/clock.ts'
import { codeOf } from '../../../src/common/errors.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import { mustEnd } from '../../../src/services/backup/destinations/answers.ts'
import { createGcsDestination } from '../../../src/services/backup/destinations/gcs.ts'
import { readServiceAccount } from '../../../src/services/backup/destinations/google-token.ts'
import { createPinataDestination } from '../../../src/services/backup/destinations/pinata.ts'
import { createPinningServiceDestination } from '../../../src/services/backup/destinations/pinning-service.ts'
import { createS3Destination } from '../../../src/services/backup/destinations/s3.ts'
import { startGoogle } from '../../helpers/backup/google.ts'
import { json, type LocalService, type Reply, serve } from '../../helpers/backup/local-service.ts'

const never = new AbortController().signal
const bytes = new Uint8Array(100_000).fill(7)
const SECRETS = /very-secret|PRIVATE KEY/

let credentials = ''
/** Google gives a token first: what goes wrong comes after it. */
const TOKEN = json(200, { access_token: 'very-secret-token', expires_in: 3600 })

/** Each destination that is a service, at an address where anything may answer. */
const DESTINATIONS: Readonly<Record<string, (origin: string) => Destination>> = {
  s3: (origin) =>
    createS3Destination(
      { clock: systemClock },
      {
        name: 's3 test',
        bucketUrl: new URL(`${origin}/vault`),
        region: 'auto',
        accessKeyId: 'very-secret-id',
        secretAccessKey: 'very-secret-key',
        prefix: '',
      },
    ),
  gcs: (origin) =>
    createGcsDestination(
      { clock: systemClock },
      {
        name: 'gcs test',
        bucket: 'vault',
        account: readServiceAccount(
          JSON.stringify({ ...JSON.parse(credentials), token_uri: `${origin}/token` }),
          'gcs',
        ),
        endpoint: new URL(origin),
        prefix: '',
      },
    ),
  pinata: (origin) =>
    createPinataDestination(
      { clock: systemClock },
      {
        name: 'pinata test',
        key: { jwt: 'very-secret-token' },
        api: new URL(origin),
        gateway: new URL(origin),
      },
    ),
  'pinning service': (origin) =>
    createPinningServiceDestination(
      {
        clock: systemClock,
        content: {
          provide: async () => ({ cid: 'bafy', origins: [], release: async () => {} }),
          connect: async () => {},
        },
      },
      {
        name: 'pinning test',
        endpoint: new URL(origin),
        token: 'very-secret-token',
        gateway: new URL(origin),
      },
    ),
}

const VERBS: Readonly<Record<string, (at: Destination, signal: AbortSignal) => Promise<unknown>>> =
  {
    put: (at, signal) => at.put('a/b', bytes, { signal }),
    get: (at, signal) => at.get('a/b', signal),
    list: (at, signal) => at.list('a/', signal),
    remove: (at, signal) => at.remove('a/b', signal),
  }

describe('services that are slow, broken or hostile', () => {
  let service: LocalService | undefined
  let destination: Destination | undefined

  before(async () => {
    const google = await startGoogle('vault')
    credentials = google.credentials
    await google.stop()
  })
  afterEach(async () => {
    await destination?.close()
    await service?.stop()
    service = undefined
  })

  const failure = async (attempt: Promise<unknown>): Promise<Error & { details?: object }> => {
    const error = await attempt.then(
      () => assert.fail('it was taken for a success'),
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof Error)
    const shown = `${error.message} ${JSON.stringify('details' in error ? error.details : {})}`
    assert.doesNotMatch(shown, SECRETS)
    assert.doesNotMatch(shown, /words of the service/)
    return error
  }

  const ANSWERS: readonly [string, Reply, string][] = [
    ['401', { status: 401 }, 'DESTINATION_REFUSED'],
    ['403', { status: 403, body: 'words of the service' }, 'DESTINATION_REFUSED'],
    ['402', { status: 402 }, 'DESTINATION_FULL'],
    ['408', { status: 408 }, 'DESTINATION_UNREACHABLE'],
    ['413', { status: 413 }, 'DESTINATION_TOO_LARGE'],
    ['429', { status: 429, headers: { 'retry-after': '7' } }, 'DESTINATION_BUSY'],
    ['500', { status: 500, body: 'words of the service' }, 'DESTINATION_FAILED'],
    ['503', { status: 503, headers: { 'retry-after': '7' } }, 'DESTINATION_BUSY'],
    ['504', { status: 504 }, 'DESTINATION_UNREACHABLE'],
    ['507', { status: 507 }, 'DESTINATION_FULL'],
    [
      'a way to somewhere else',
      { status: 302, headers: { location: 'http://127.0.0.1:1/' } },
      'DESTINATION_FAILED',
    ],
  ]
  for (const [kind, open] of Object.entries(DESTINATIONS)) {
    for (const [what, reply, code] of ANSWERS) {
      it(`${kind}: ${what} is ${code}`, async () => {
        service = await serve(({ url }) => (url.pathname === '/token' ? TOKEN : reply))
        destination = open(service.origin)
        for (const [verb, run] of Object.entries(VERBS)) {
          const error = await failure(run(destination, never))
          assert.equal(codeOf(error), code, verb)
          if (code === 'DESTINATION_BUSY') {
            assert.ok(error.details !== undefined && 'retryAfter' in error.details)
            assert.equal(error.details.retryAfter, 7000)
          }
        }
      })
    }

    it(`${kind}: what is no answer of such a service is not believed`, async () => {
      const garbage = [
        '',
        'garbage',
        '<html>',
        '[]',
        '{}',
        '{"rows":[{}],"results":[{}],"count":1}',
      ]
      for (const body of garbage) {
        service = await serve(({ url }) =>
          url.pathname === '/token' ? TOKEN : { status: 200, body },
        )
        destination = open(service.origin)
        const listing = VERBS.list?.(destination, never) ?? assert.fail()
        // Google leaves `items` out of an empty list; the others have a list in any case.
        const error = await listing.then(
          () => undefined,
          (reason: unknown) => reason,
        )
        if (error !== undefined) assert.equal(codeOf(error), 'DESTINATION_FAILED', body)
        else assert.match(`${kind} ${body}`, /^(?:pinata \{"rows"|gcs \{)/)
        await destination.close()
        await service.stop()
      }
    })

    it(`${kind}: one that accepts and never answers is left at the deadline`, async () => {
      const silent = createServer(() => {}).listen(0, '127.0.0.1')
      await new Promise((resolve) => silent.once('listening', resolve))
      const address = silent.address()
      assert.ok(address !== null && typeof address === 'object')
      const sockets = new Set<{ destroy(): void }>()
      silent.on('connection', (socket) => sockets.add(socket))
      destination = open(`http://127.0.0.1:${address.port}`)
      for (const run of Object.values(VERBS)) {
        const reason = new Error('the deadline')
        const controller = new AbortController()
        const waiting = run(destination, controller.signal)
        setTimeout(() => controller.abort(reason), 30)
        await assert.rejects(waiting, reason)
      }
      await destination.close()
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => silent.close(resolve))
    })

    it(`${kind}: nothing listens`, async () => {
      service = await serve(() => ({ status: 200 }))
      const { origin } = service
      await service.stop()
      service = undefined
      destination = open(origin)
      for (const run of Object.values(VERBS)) {
        const error = await failure(run(destination, never))
        assert.equal(codeOf(error), 'DESTINATION_UNREACHABLE')
        assert.match(error.message, /ECONNREFUSED/)
      }
    })

    it(`${kind}: an answer that is cut is none`, async () => {
      service = await serve((_, response: ServerResponse) => {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('<ListBucketResult>')
        setImmediate(() => response.destroy())
        return undefined
      })
      destination = open(service.origin)
      for (const run of Object.values(VERBS)) {
        const error = await failure(run(destination, never))
        assert.equal(codeOf(error), 'DESTINATION_UNREACHABLE')
      }
    })

    it(`${kind}: an answer without end is cut`, async () => {
      service = await serve((_, response: ServerResponse) => {
        const chunk = Buffer.alloc(1024 * 1024, 32)
        const more = (): void => {
          while (!response.destroyed && response.write(chunk));
          if (!response.destroyed) response.once('drain', more)
        }
        response.writeHead(200)
        more()
        return undefined
      })
      destination = open(service.origin)
      const error = await failure(destination.list('', never))
      assert.equal(codeOf(error), 'DESTINATION_FAILED')
    })
  }

  it('an answer that comes before the whole body was taken counts', async () => {
    service = await serve(() => ({ status: 500 }))
    const early = createServer((socket) => {
      socket.once('data', () => {
        socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
      })
      socket.on('error', () => {})
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => early.once('listening', resolve))
    const address = early.address()
    assert.ok(address !== null && typeof address === 'object')
    destination = DESTINATIONS.s3?.(`http://127.0.0.1:${address.port}`) ?? assert.fail()
    const large = new Uint8Array(4_000_000)
    const error = await failure(destination.put('a/b', large, { signal: never }))
    assert.ok(['DESTINATION_TOO_LARGE', 'DESTINATION_UNREACHABLE'].includes(codeOf(error)))
    await new Promise((resolve) => early.close(resolve))
  })

  it('a service that pins something else than it was asked to', async () => {
    const pin = { cid: 'bafyother', name: 'a/b' }
    const created = new Date(0).toISOString()
    const row = { requestid: '1', status: 'pinned', created, pin, delegates: [] }
    service = await serve(({ method }) =>
      method === 'POST' ? json(202, row) : json(200, { count: 0, results: [] }),
    )
    destination = DESTINATIONS['pinning service']?.(service.origin) ?? assert.fail()
    const error = await failure(destination.put('a/b', bytes, { signal: never }))
    assert.equal(codeOf(error), 'DESTINATION_FAILED')
  })

  it('a list of a thousand beginnings and no end is read once', async () => {
    const body = `<ListBucketResult>${'<Contents>'.repeat(80_000)}</ListBucketResult>`
    service = await serve(() => ({ status: 200, body }))
    destination = DESTINATIONS.s3?.(service.origin) ?? assert.fail()
    const started = performance.now()
    assert.deepEqual(await destination.list('', never), [])
    // Looked at from each beginning to the end, it takes half a minute.
    assert.ok(performance.now() - started < 2000)
  })

  it('a list that leads on and on ends', () => {
    mustEnd(1_000_000, 'x')
    assert.throws(() => mustEnd(1_000_001, 'x'), { code: 'DESTINATION_FAILED' })
  })

  it('a list that leads in a circle ends', async () => {
    const contents = '<ListBucketResult><IsTruncated>true</IsTruncated>'
    const next = '<NextContinuationToken>same</NextContinuationToken></ListBucketResult>'
    service = await serve(() => ({ status: 200, body: contents + next }))
    destination = DESTINATIONS.s3?.(service.origin) ?? assert.fail()
    const error = await failure(destination.list('', never))
    assert.equal(codeOf(error), 'DESTINATION_FAILED')
  })
})
