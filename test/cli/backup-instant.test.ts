/**
 * A node that is killed in the very moment in which its last answer arrives, and whose disk is wiped: what was
 * acknowledged over HTTP comes back, but for what the last second had not shipped and no peer has heard of.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import S3rver from 's3rver'
import { wordsFromSecret } from '../../src/common/mnemonic.ts'
import type { Check, FullStatus } from '../../src/interfaces/http/api.ts'
import type { RecordSummary } from '../../src/interfaces/http/api-chain.ts'
import type { FileSummary, Vote } from '../../src/interfaces/http/api-files.ts'
import { type RealPostgres, startPostgres } from '../helpers/backup/postgres.ts'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const FLOOR = ['--difficulty-floor', '1']
const BUCKET = 'backups-of-cairn'
/** Milliseconds for which a record waits for others that go with it, and some for the write on a busy machine. */
const UNSHIPPED_MS = 1000 + 3000
/** Milliseconds of files that are added one after the other: longer, so that some have to be there. */
const BURST_MS = UNSHIPPED_MS + 500
/** Milliseconds of files of which none is shipped. */
const SHORT_BURST_MS = 300

type Env = Readonly<Record<string, string>>
/** `at` is called in the turn in which the answer begins to arrive. */
type Call = <T>(method: string, path: string, body?: object | string, at?: () => void) => Promise<T>

interface Recorded {
  readonly record: string
}

/** What was acknowledged, in its order. */
interface Acknowledged extends Recorded {
  readonly at: number
}

describe('a node that is killed as its last answer arrives', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places
  let postgres: RealPostgres
  const ends: (() => Promise<unknown>)[] = []

  before(async () => {
    places = await createPlaces()
    ends.push(() => places.end())
    postgres = await startPostgres()
    ends.push(() => postgres.stop())
  })
  after(async () => {
    for (const end of ends.reverse()) await end()
  })

  const start = async (place: Place, env: Env): Promise<Call> => {
    const args = ['start', '--name', 'Ada', '--device-name', 'host', ...FLOOR]
    return callOf(place, (await place.serve(args, { env })).api)
  }
  const names = async (call: Call): Promise<(string | null)[]> => {
    const { items } = await call<{ items: FileSummary[] }>('GET', '/api/v1/files?limit=1000')
    return items.map(({ name }) => name)
  }
  const add = (call: Call, name: string, visibility = 'private'): Promise<Recorded> =>
    call('POST', `/api/v1/files?name=${name}&visibility=${visibility}`, `content of ${name}`)
  /** Which of them a node knows. */
  const presenceOf = (done: readonly Acknowledged[]) => async (call: Call) => {
    const { items } = await call<{ items: RecordSummary[] }>('GET', '/api/v1/records?limit=1000')
    const ids = new Set(items.map(({ record }) => record))
    return done.map(({ record }) => ids.has(record))
  }
  /** @returns what is missing: the last ones, and none before one that is there */
  const noneIsLeftOut = (done: readonly Acknowledged[], isThere: readonly boolean[]) => {
    const [before, missing] = [isThere.filter(Boolean).length, isThere.indexOf(false)]
    assert.ok(missing < 0 || before === missing, 'none is left out in the middle')
    return done.slice(before)
  }

  /** Ada's node with what is shipped, Ben as its peer, and his file. */
  const found = async (
    place: Place,
    env: Env,
  ): Promise<{ ben: Place; benCall: Call; ada: Call }> => {
    const ada = await start(place, env)
    const ben = places.place(`ben of ${randomBytes(4).toString('hex')}`)
    const input = await place.do('invite')
    const joined = await ben.serve(['join', '-', '--name', 'Ben', '--device-name', 'desk'], {
      input,
    })
    const benCall = await callOf(ben, joined.api)
    await add(benCall, 'of-ben.txt', 'public')
    await becomes('Ada has the file of Ben', async () => (await names(ada)).includes('of-ben.txt'))
    await add(ada, 'shipped.txt')
    await ada('POST', '/api/v1/files/of-ben.txt/votes', { verdict: 'suspicious' })
    await ada('POST', '/api/v1/files/shipped.txt/grants', { user: 'Ben' })
    await becomes('everything is backed up', async () => {
      const { destinations } = (await ada<FullStatus>('GET', '/api/v1/status')).backups
      return destinations.every(({ behind, newest }) => !behind && newest !== null)
    })
    return { ben, benCall, ada }
  }

  /** Files, a vote, a grant; the node is dead before this process has read the last answer. */
  const addAndKill = async (ada: Call, place: Place, ms: number): Promise<Acknowledged[]> => {
    const done: Acknowledged[] = []
    const note = ({ record }: Recorded): void => void done.push({ record, at: performance.now() })
    const until = performance.now() + ms
    for (let number = 0; performance.now() < until || number === 0; number += 1) {
      note(await add(ada, `late-${number}.txt`))
    }
    const vote = { verdict: 'authentic', comment: 'seen at the last moment' }
    note(await ada('POST', '/api/v1/files/of-ben.txt/votes', vote))
    let killed: Promise<void> | undefined
    const grant = await ada<Recorded>(
      'POST',
      '/api/v1/files/late-0.txt/grants',
      { user: 'Ben' },
      () => {
        killed = place.kill()
      },
    )
    note(grant)
    assert.ok(killed !== undefined, 'the last call was answered')
    await killed
    await place.remove()
    return done
  }

  /** Nothing is told that is not so. */
  const honest = async (call: Call): Promise<void> => {
    const { alarms, files, backups } = await call<FullStatus>('GET', '/api/v1/status')
    assert.deepEqual(alarms, [])
    assert.deepEqual([backups.warnings, backups.faults], [[], []])
    assert.equal(files.local + files.missing, files.count)
    const { items } = await call<{ items: Check[] }>('GET', '/api/v1/checks?deep=true')
    assert.deepEqual(
      items.filter(({ result }) => result === 'failed'),
      [],
    )
  }
  const shippedIsThere = async (call: Call): Promise<void> => {
    await becomes('what was shipped is there', async () => {
      const all = await names(call)
      return all.includes('shipped.txt') && all.includes('of-ben.txt')
    })
    const grants = await call<{ items: unknown[] }>('GET', '/api/v1/files/shipped.txt/grants')
    assert.equal(grants.items.length, 1)
    const { items } = await call<{ items: Vote[] }>('GET', '/api/v1/files/of-ben.txt/votes')
    assert.ok(
      items.some(({ user }) => user.name === 'Ada'),
      'a vote of Ada',
    )
    const members = await call<{ items: { name: string }[] }>('GET', '/api/v1/users')
    assert.deepEqual(members.items.map(({ name }) => name).sort(), ['Ada', 'Ben'])
  }

  const alone = async (name: string, env: Env): Promise<void> => {
    const place = places.place(name)
    const { ben, ada } = await found(place, env)
    await ben.stop()
    const done = await addAndKill(ada, place, BURST_MS)
    const back = await start(place, env)
    await shippedIsThere(back)
    const missing = noneIsLeftOut(done, await presenceOf(done)(back))
    const killedAt = done.at(-1)?.at ?? 0
    for (const { at } of missing) {
      assert.ok(killedAt - at <= UNSHIPPED_MS, `lost: ${Math.round(killedAt - at)} ms old`)
    }
    assert.ok(missing.length < done.length, 'some of them were shipped meanwhile')
    await honest(back)
    const { files } = await back<FullStatus>('GET', '/api/v1/status')
    assert.equal(files.local, 0, 'contents were not backed up, and it does not say they are here')
    await place.stop()
  }

  it('PostgreSQL: what was not shipped comes back from the peer', async () => {
    const env = { DATABASE_URL: await postgres.database(), CAIRN_BACKUP_PASSPHRASE: 'good words' }
    const place = places.place('with a peer')
    const { ben, benCall, ada } = await found(place, env)
    const done = await addAndKill(ada, place, SHORT_BURST_MS)
    const isThere = presenceOf(done)
    // What was on its way to the peer in the last milliseconds may have arrived nowhere.
    const heard = await isThere(benCall)
    assert.ok(heard[0], 'the peer heard of it')
    const back = await start(place, env)
    await shippedIsThere(back)
    await becomes('all that the peer knows is there', async () => {
      const had = await isThere(back)
      return heard.every((isKnown, at) => had[at] === true || !isKnown)
    })
    noneIsLeftOut(done, await isThere(back))
    await honest(back)
    await Promise.all([place.stop(), ben.stop()])
  })

  it('PostgreSQL, no peer: only what the last second acknowledged is missing', async () => {
    const env = { DATABASE_URL: await postgres.database(), CAIRN_BACKUP_PASSPHRASE: 'good words' }
    await alone('postgres', env)
  })

  it('a folder, no peer', async () => {
    const CAIRN_BACKUP_FOLDER = join(places.directory, 'second disk')
    await alone('folder', { CAIRN_BACKUP_FOLDER, ...words() })
  })

  it('S3, no peer', async () => {
    const directory = join(places.directory, 'objects')
    await mkdir(directory)
    const server = new S3rver({
      address: '127.0.0.1',
      port: 0,
      silent: true,
      directory,
      configureBuckets: [{ name: BUCKET, configs: [] }],
    })
    const { port } = await server.run()
    ends.push(() => server.close())
    await alone('s3', {
      S3_BUCKET_NAME: BUCKET,
      S3_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
      ...words(),
    })
  })
})

const words = (): Env => ({ CAIRN_RECOVERY_WORDS: wordsFromSecret(randomBytes(32)).join(' ') })

/** Calls of the HTTP API of a node, from this process. */
async function callOf(place: Place, api: string): Promise<Call> {
  const token = (await readFile(join(place.dataDir, 'token'), 'utf8')).trim()
  return (method, path, body, at) => {
    const { promise, resolve, reject } = Promise.withResolvers<never>()
    const type = typeof body === 'object' ? 'application/json' : 'application/octet-stream'
    const headers = {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': type }),
    }
    const sent = request(new URL(path, api), { method, headers }, (response) => {
      at?.()
      let text = ''
      response
        .setEncoding('utf8')
        .on('data', (part: string) => {
          text += part
        })
        .on('error', reject)
        .on('end', () => {
          if ((response.statusCode ?? 0) < 300) resolve(JSON.parse(text) as never)
          else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`))
        })
    })
    sent.on('error', reject)
    sent.end(typeof body === 'object' ? JSON.stringify(body) : body)
    return promise
  }
}
