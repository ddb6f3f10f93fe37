/** A disk that is wiped: what was backed up comes back, by processes as they run at a host. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import S3rver from 's3rver'
import { wordsFromSecret } from '../../src/common/mnemonic.ts'
import type { FullStatus } from '../../src/interfaces/http/api.ts'
import type { FileSummary } from '../../src/interfaces/http/api-files.ts'
import { startGoogle } from '../helpers/backup/google.ts'
import { startFetcher } from '../helpers/backup/ipfs-node.ts'
import { PINATA_KEYS, startPinata } from '../helpers/backup/pinata.ts'
import { startPinning } from '../helpers/backup/pinning.ts'
import { type RealPostgres, startPostgres } from '../helpers/backup/postgres.ts'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const FLOOR = ['--difficulty-floor', '1']
const BUCKET = 'backups-of-cairn'
type Env = Readonly<Record<string, string>>

describe('a wiped disk', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places
  let postgres: RealPostgres
  const ends: (() => Promise<unknown>)[] = []

  before(async () => {
    places = await createPlaces()
    postgres = await startPostgres()
    ends.push(
      () => postgres.stop(),
      () => places.end(),
    )
  })
  after(async () => {
    for (const end of ends.reverse()) await end()
  })

  /** A file of this name, with a content of its own. */
  const add = async (place: Place, ...names: string[]): Promise<void> => {
    for (const name of names) await writeFile(join(places.directory, name), `content of ${name}`)
    await place.do('add', ...names)
  }
  const names = async (place: Place): Promise<(string | null)[]> =>
    (await place.json<{ items: FileSummary[] }>('ls')).items.map(({ name }) => name).sort()
  /** Names of private files are read after the start. */
  const shows = (place: Place, ...wanted: string[]): Promise<void> =>
    becomes(`${wanted.join(' and ')} are there`, async () => {
      const found = await names(place)
      return wanted.every((name) => found.includes(name))
    })
  const backups = async (place: Place): Promise<FullStatus['backups']> =>
    (await place.json<FullStatus>('status')).backups
  const complete = (place: Place): Promise<void> =>
    becomes('everything is backed up', async () => {
      const { destinations } = await backups(place)
      return destinations.every(({ behind, newest }) => !behind && newest !== null)
    })
  const start = (place: Place, env: Env, ...args: string[]) =>
    place.serve(['start', '--name', 'Ada', '--device-name', 'host', ...FLOOR, ...args], { env })
  const words = (): Env => ({ CAIRN_RECOVERY_WORDS: wordsFromSecret(randomBytes(32)).join(' ') })

  const startS3 = async (): Promise<Env> => {
    const directory = join(places.directory, `s3-${randomBytes(4).toString('hex')}`)
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
    return {
      S3_BUCKET_NAME: BUCKET,
      S3_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'S3RVER',
      AWS_SECRET_ACCESS_KEY: 'S3RVER',
    }
  }
  const startIpfs = async (): Promise<Env> => {
    const server = await startPinata()
    ends.push(() => server.stop())
    return {
      PINATA_JWT: PINATA_KEYS.jwt,
      PINATA_API_URL: server.origin,
      PINATA_GATEWAY_URL: server.origin,
    }
  }

  const wipes = async (place: Place, env: Env): Promise<void> => {
    const first = await start(place, env)
    await add(place, 'one.txt')
    // Right after it was acknowledged, and long before it was to be shipped.
    await place.stop('SIGTERM')
    await place.remove()
    const second = await start(place, env)
    assert.equal(second.network, first.network)
    assert.notEqual(second.device, first.device, 'a fresh device key')
    await shows(place, 'one.txt')
    await add(place, 'two.txt')
    await complete(place)
    await add(place, 'three.txt')
    await place.kill()
    await place.remove()
    const third = await start(place, env)
    assert.equal(third.network, first.network)
    await shows(place, 'one.txt', 'two.txt')
    await place.kill()
  }

  it('A9 A10 B6 D1 comes back from a folder', async () => {
    const CAIRN_BACKUP_FOLDER = join(places.directory, 'second disk')
    await wipes(places.place('folder'), { CAIRN_BACKUP_FOLDER, ...words() })
  })

  it('A9 B2 comes back from S3', async () => {
    await wipes(places.place('s3'), { ...(await startS3()), ...words() })
  })

  it('A9 B4 comes back from Google Cloud Storage', async () => {
    const google = await startGoogle(BUCKET)
    ends.push(() => google.stop())
    const GOOGLE_APPLICATION_CREDENTIALS = join(places.directory, 'google.json')
    await writeFile(GOOGLE_APPLICATION_CREDENTIALS, google.credentials)
    const env = { GCS_BUCKET_NAME: BUCKET, GCS_ENDPOINT_URL: google.origin }
    await wipes(places.place('gcs'), { ...env, GOOGLE_APPLICATION_CREDENTIALS, ...words() })
  })

  it('C3 D2 comes back from IPFS', async () => {
    await wipes(places.place('ipfs'), { ...(await startIpfs()), ...words() })
  })

  it('comes back from a pinning service that fetches', async () => {
    const node = await startFetcher()
    const server = await startPinning({
      token: 'token',
      delegates: node.addresses,
      fetchFrom: (cid, origins) => node.fetch(cid, origins),
    })
    ends.push(
      () => node.stop(),
      () => server.stop(),
    )
    const env = {
      PINNING_SERVICE_URL: server.origin,
      PINNING_SERVICE_TOKEN: 'token',
      IPFS_GATEWAY_URL: server.origin,
    }
    await wipes(places.place('pinning'), { ...env, ...words() })
  })

  it('A9 C1 C2 comes back from PostgreSQL with a passphrase, and from a peer what was not shipped', async () => {
    const env = { DATABASE_URL: await postgres.database(), CAIRN_BACKUP_PASSPHRASE: 'good words' }
    const ada = places.place('ada')
    const ben = places.place('ben')
    const founded = await start(ada, env)
    const input = await ada.do('invite')
    await ben.serve(['join', '-', '--name', 'Ben', '--device-name', 'desk'], {
      input,
    })
    await add(ada, 'granted.txt')
    await writeFile(join(places.directory, 'of-ben.txt'), 'what Ben wrote')
    await ben.do('add', 'of-ben.txt', '--public')
    await becomes('Ada has it', async () => (await names(ada)).includes('of-ben.txt'))
    await ada.do('vote', 'of-ben.txt', 'authentic')
    await becomes('the passphrase is set', async () => (await backups(ada)).passphrase)
    await complete(ada)
    const benKnows = async (count: number): Promise<boolean> =>
      (await ben.json<{ items: FileSummary[] }>('ls')).items.filter(({ local }) => local).length ===
      count
    await add(ada, 'late.txt')
    await ada.do('grant', 'granted.txt', 'Ben')
    await becomes('Ben has heard of it', () => benKnows(3))
    await ada.kill()
    await ada.remove()
    // The peer is there already, and nobody sits at the keyboard.
    const { network } = founded
    const back = await start(ada, env)
    assert.equal(back.network, network)
    await shows(ada, 'granted.txt', 'late.txt', 'of-ben.txt')
    await becomes('the content of private files comes back', async () => {
      const { code, out } = await ada.run(['cat', 'late.txt'])
      return code === 0 && out === 'content of late.txt'
    })
    const { items } = await ada.json<{ items: { user: { name: string } }[] }>(
      'grants',
      'granted.txt',
    )
    assert.deepEqual(
      items.map(({ user }) => user.name),
      ['Ben'],
    )
    const votes = await ada.do('votes', 'of-ben.txt')
    assert.match(votes, /Ada/)
    await becomes('Ben reads what he was granted', async () => {
      const { code, out } = await ben.run(['cat', 'granted.txt'])
      return code === 0 && out === 'content of granted.txt'
    })
    await Promise.all([ada.stop(), ben.stop()])
  })

  it('C2 C8 takes the newest of all copies: older in PostgreSQL, newer in S3, in the middle on disk', async () => {
    const kit = words()
    const old = { DATABASE_URL: await postgres.database() }
    const middle = { CAIRN_BACKUP_FOLDER: join(places.directory, 'middle') }
    const newest = await startS3()
    const place = places.place('order')
    await start(place, { ...kit, ...old })
    await add(place, 'old.txt')
    await place.stop()
    await start(place, { ...kit, ...middle })
    await add(place, 'middle.txt')
    await place.stop()
    await start(place, { ...kit, ...newest })
    await add(place, 'newest.txt')
    await becomes(
      'a block',
      async () => (await place.json<FullStatus>('status')).chain.pending === 0,
    )
    await place.stop()
    await place.remove()
    await start(place, { ...kit, ...old, ...middle, ...newest })
    await shows(place, 'old.txt', 'middle.txt', 'newest.txt')
    await complete(place)
    await place.stop()
    await place.remove()
    // Those that lacked it have it now: the one that was oldest suffices.
    await start(place, { ...kit, ...old })
    await shows(place, 'newest.txt')
    await place.stop()
    await rm(middle.CAIRN_BACKUP_FOLDER, { recursive: true })
  })
})
