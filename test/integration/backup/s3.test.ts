import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import S3rver from 's3rver'
import { systemClock } from '../../../src/common/clock.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import { createS3Destination, type S3Init } from '../../../src/services/backup/destinations/s3.ts'
import { destinationSuite } from '../../contract/destination.ts'
import { type StrictS3, type StrictS3Init, startStrictS3 } from '../../helpers/backup/strict-s3.ts'

const never = new AbortController().signal
const bytes = Uint8Array.of(1, 2, 3)

describe('backups in a real S3 server', () => {
  destinationSuite('s3rver', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'cairn-s3-'))
    const server = new S3rver({
      address: '127.0.0.1',
      port: 0,
      silent: true,
      directory,
      configureBuckets: [{ name: 'backups-of-cairn', configs: [] }],
    })
    const { port } = await server.run()
    const open = (): Destination =>
      createS3Destination(
        { clock: systemClock },
        {
          name: 's3 test',
          bucketUrl: new URL(`http://127.0.0.1:${port}/backups-of-cairn`),
          region: 'us-east-1',
          accessKeyId: 'S3RVER',
          secretAccessKey: 'S3RVER',
          prefix: 'backups/',
        },
      )
    return {
      destination: open(),
      again: async () => open(),
      end: async () => {
        await server.close()
        await rm(directory, { recursive: true, force: true })
      },
    }
  })
})

const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCY' }

describe('backups in S3 whose signatures are checked', () => {
  const opened: { server: StrictS3; destinations: Destination[] }[] = []

  const start = async (init: Partial<StrictS3Init> = {}): Promise<StrictS3> => {
    const server = await startStrictS3({ bucket: 'vault', region: 'auto', ...KEYS, ...init })
    opened.push({ server, destinations: [] })
    return server
  }
  const open = (server: StrictS3, init: Partial<S3Init> = {}): Destination => {
    const destination = createS3Destination(
      { clock: systemClock },
      {
        name: 'r2 vault',
        bucketUrl: new URL(`${server.origin}/vault`),
        region: 'auto',
        prefix: 'backups/',
        ...KEYS,
        ...init,
      },
    )
    opened.find((each) => each.server === server)?.destinations.push(destination)
    return destination
  }
  afterEach(async () => {
    for (const { server, destinations } of opened.splice(0)) {
      for (const each of destinations) await each.close()
      await server.stop()
    }
  })

  destinationSuite('strict S3, small pages', async () => {
    const server = await startStrictS3({ bucket: 'vault', region: 'auto', page: 50, ...KEYS })
    return {
      destination: open(server),
      again: async () => open(server),
      end: () => server.stop(),
    }
  })

  it('refuses a wrong secret, key, region and bucket, and none of them is named', async () => {
    const server = await start()
    const wrong: readonly [Partial<S3Init>, string][] = [
      [{ secretAccessKey: 'another-secret' }, 'SignatureDoesNotMatch'],
      [{ accessKeyId: 'AKIDOTHER' }, 'InvalidAccessKeyId'],
      [{ region: 'eu-west-1' }, 'AuthorizationHeaderMalformed'],
      [{ bucketUrl: new URL(`${server.origin}/other`) }, 'NoSuchBucket'],
    ]
    for (const [init, word] of wrong) {
      const destination = open(server, init)
      for (const attempt of [
        () => destination.put('a/b', bytes, { signal: never }),
        () => destination.get('a/b', never),
        () => destination.list('', never),
        () => destination.remove('a/b', never),
      ]) {
        await assert.rejects(attempt, (error: unknown) => {
          assert.ok(error instanceof Error && 'code' in error && 'details' in error)
          assert.equal(error.code, 'DESTINATION_REFUSED')
          assert.match(error.message, new RegExp(word))
          assert.doesNotMatch(JSON.stringify(error.details) + error.message, /secret|wJalr|AKID/)
          return true
        })
      }
    }
    assert.equal(server.objects.size, 0)
  })

  it('signs with the time of the clock that it is given', async () => {
    const server = await start()
    const destination = createS3Destination(
      { clock: { ...systemClock, now: () => Date.now() - 3_600_000 } },
      {
        name: 'late',
        bucketUrl: new URL(`${server.origin}/vault`),
        region: 'auto',
        prefix: '',
        ...KEYS,
      },
    )
    await assert.rejects(destination.get('a', never), /RequestTimeTooSkewed/)
    await destination.close()
  })

  it('reads back what the service gives no digest of', async () => {
    const silent = await start({ checksums: false })
    await open(silent).put('a/b', bytes, { signal: never })
    assert.deepEqual(silent.taken, ['PUT /vault/backups/a/b', 'GET /vault/backups/a/b'])
    const telling = await start()
    await open(telling).put('a/b', bytes, { signal: never })
    assert.deepEqual(telling.taken, ['PUT /vault/backups/a/b'])
  })

  it('finds out at once when a service that gives no digest stored something else', async () => {
    const server = await start({ checksums: false })
    const destination = open(server)
    const { objects } = server
    const set = objects.set.bind(objects)
    objects.set = (key, object) => set(key, { ...object, bytes: Buffer.of(1, 2, 4) })
    await assert.rejects(destination.put('a/b', bytes, { signal: never }), {
      code: 'DESTINATION_DIFFERS',
    })
    // What another process stored since then is no fault of the service.
    const found = createHash('sha256').update(Buffer.of(1, 2)).digest('hex')
    objects.set = (key) => set(key, { bytes: Buffer.of(1, 2), stored: 0, sha256: found })
    await destination.put('a/b', bytes, { signal: never })
  })

  it('notices other bytes than it stored', async () => {
    const server = await start()
    const destination = open(server)
    await destination.put('a/b', bytes, { signal: never })
    const object = server.objects.get('backups/a/b')
    assert.ok(object)
    object.bytes = Buffer.of(1, 2, 4)
    await assert.rejects(destination.get('a/b', never), { code: 'DESTINATION_DIFFERS' })
  })

  it('passes over the objects of other programs', async () => {
    const server = await start()
    const destination = open(server)
    await destination.put('a/b', bytes, { signal: never })
    const stored = { bytes: Buffer.of(1), stored: 0, sha256: undefined }
    server.objects.set('backups/not a name & more', stored)
    server.objects.set('elsewhere', stored)
    const names = (await destination.list('', never)).map(({ name }) => name)
    assert.deepEqual(names, ['a/b'])
  })
})
