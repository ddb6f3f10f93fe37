/** Backups when something is wrong: destinations that are down or never answer, damage, the way back. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, writeFile } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import S3rver from 's3rver'
import { wordsFromSecret } from '../../src/common/mnemonic.ts'
import type { Check, FullStatus } from '../../src/interfaces/http/api.ts'
import type { FileSummary } from '../../src/interfaces/http/api-files.ts'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const FLOOR = ['--difficulty-floor', '1']
const BUCKET = 'backups-of-cairn'
type Env = Readonly<Record<string, string>>

describe('backups in trouble', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places
  const ends: (() => Promise<unknown>)[] = []

  before(async () => {
    places = await createPlaces()
    ends.push(() => places.end())
  })
  after(async () => {
    for (const end of ends.reverse()) await end()
  })

  const add = async (place: Place, name: string): Promise<void> => {
    await writeFile(join(places.directory, name), `content of ${name}`)
    await place.do('add', name, '--public')
  }
  const names = async (place: Place): Promise<(string | null)[]> =>
    (await place.json<{ items: FileSummary[] }>('ls')).items.map(({ name }) => name).sort()
  const status = (place: Place) => place.json<FullStatus>('status')
  const at = async (place: Place, kind: string) =>
    (await status(place)).backups.destinations.find((one) => one.kind === kind) ?? assert.fail(kind)
  const complete = (place: Place, kind: string): Promise<void> =>
    becomes(`everything is in ${kind}`, async () => {
      const { behind, newest } = await at(place, kind)
      return !behind && newest !== null
    })
  const start = (place: Place, env: Env, ...args: string[]) =>
    place.serve(['start', '--name', 'Ada', '--device-name', 'host', ...FLOOR, ...args], { env })
  const words = (): Env => ({ CAIRN_RECOVERY_WORDS: wordsFromSecret(randomBytes(32)).join(' ') })
  const folder = (name: string): Env => ({ CAIRN_BACKUP_FOLDER: join(places.directory, name) })
  /** A port on which something listens that takes connections and says nothing. */
  const silentPort = async (): Promise<number> => {
    const sockets = new Set<Socket>()
    const server: Server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    ends.push(async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    })
    const address = server.address()
    return address !== null && typeof address === 'object' ? address.port : assert.fail()
  }
  const s3At = (port: number): Env => ({
    S3_BUCKET_NAME: BUCKET,
    S3_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
  })
  const freePort = async (): Promise<number> => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    await new Promise((resolve) => server.close(resolve))
    return address !== null && typeof address === 'object' ? address.port : assert.fail()
  }

  it('B8 without any destination there is a loud warning, once at the start, in the status, by the doctor', async () => {
    const place = places.place('none')
    await start(place, {})
    const { backups } = await status(place)
    assert.match(backups.warnings.join(), /BACKUPS NOT CONFIGURED.*ACTION REQUIRED/)
    assert.match(await place.do('status'), /! BACKUPS NOT CONFIGURED/)
    const { checks } = await place.json<{ checks: Check[] }>('doctor')
    const found = checks.find(({ name }) => name === 'backups')
    assert.equal(found?.result, 'warning')
    assert.match(found?.remedy ?? '', /CAIRN_BACKUP_FOLDER/)
    const { code, err } = await place.run(['backup', 'create'])
    assert.equal(code, 1)
    assert.match(err, /no backup destination/)
    await place.stop()
  })

  it('C9 D3 one is down and one never answers: the node runs, warns, stops in time, and catches up', async () => {
    const place = places.place('down')
    const port = await freePort()
    const good = { ...words(), ...folder('good') }
    await start(place, good)
    await place.stop()
    const silent = `postgresql://a:b@127.0.0.1:${await silentPort()}/cairn`
    const began = performance.now()
    await start(place, { ...good, ...s3At(port), DATABASE_URL: silent })
    assert.ok(performance.now() - began < 10_000, 'the start waits for none of them')
    await add(place, 'one.txt')
    await complete(place, 'folder')
    await becomes('what is down is told', async () => (await at(place, 's3')).failures > 0)
    const { lastError, behind } = await at(place, 's3')
    assert.equal(lastError?.code, 'DESTINATION_UNREACHABLE')
    assert.equal(behind, true)
    assert.equal((await at(place, 'postgres')).behind, true)
    assert.match((await status(place)).backups.warnings.join(), /Backups to s3 .* fail/)
    const { checks } = JSON.parse((await place.run(['doctor', '--json'])).out)
    const found = (checks as Check[]).find(({ name }) => name.startsWith('backups to s3'))
    assert.match(found?.remedy ?? '', /reach/)
    const directory = join(places.directory, 's3')
    await mkdir(directory)
    const server = new S3rver({
      address: '127.0.0.1',
      port,
      silent: true,
      directory,
      configureBuckets: [{ name: BUCKET, configs: [] }],
    })
    await server.run()
    ends.push(() => server.close())
    await complete(place, 's3')
    assert.equal((await at(place, 's3')).lastError, null)
    const stopping = performance.now()
    await place.stop('SIGTERM')
    assert.ok(performance.now() - stopping < 12_000, 'the stop waits for a bounded time')
  })

  it('C7 no new network begins while a destination cannot be reached, unless told to', async () => {
    const place = places.place('unknown')
    const env = { ...words(), ...s3At(await freePort()) }
    const all = [
      'start',
      ...FLOOR,
      '--port',
      '0',
      '--gateway-port',
      '0',
      '--listen',
      '/ip4/127.0.0.1/tcp/0',
    ]
    const { code, err } = await place.run(all, { env })
    assert.equal(code, 6, err)
    assert.match(err, /--new-network/)
    assert.equal(existsSync(join(place.dataDir, 'network.json')), false)
    const half = await place.run(all, { env: { S3_BUCKET_NAME: BUCKET } })
    assert.equal(half.code, 2, half.err)
    assert.match(half.err, /configured by half/)
    const inside = { CAIRN_BACKUP_FOLDER: join(place.dataDir, 'backups') }
    assert.match((await place.run(all, { env: inside })).err, /in the data directory/)
    await start(place, env, '--new-network')
    const listed = await place.run(['backup', 'list'])
    assert.equal(listed.code, 1, listed.out)
    assert.match(listed.out, /no backup could be read/)
    assert.match(listed.out, /! s3 .*does not answer/)
    for (const command of ['prune', 'drill']) {
      const done = await place.run(['backup', command])
      assert.equal(done.code, 1, done.out)
      assert.match(done.out, /! s3 .*does not answer/)
    }
    await place.stop()
  })

  it('A13 a damaged database is made whole from backups, and stays the same device', async () => {
    const place = places.place('damaged')
    const env = { ...words(), ...folder('of whole') }
    const before = await start(place, env)
    await add(place, 'one.txt')
    await becomes('a block', async () => (await status(place)).chain.pending === 0)
    const { chain } = await status(place)
    await place.stop()
    const file = await open(join(place.dataDir, 'cairn.sqlite'), 'r+')
    await file.write(Buffer.alloc(65_536, 0x5a), 0, 65_536, 0)
    await file.close()
    const after = await start(place, env)
    assert.equal(after.device, before.device)
    assert.equal(after.network, before.network)
    assert.ok((await status(place)).chain.height >= chain.height)
    assert.deepEqual(await names(place), ['one.txt'])
    await place.stop()
  })

  it('C5 a restore by command never goes back unless told to, and puts aside what was there', async () => {
    const place = places.place('command')
    const env = { ...words(), ...folder('of command') }
    const run = async (...args: string[]) => place.run(['backup', ...args], { env })
    await start(place, env)
    await add(place, 'one.txt')
    await becomes('a block', async () => (await status(place)).chain.pending === 0)
    await place.do('backup', 'create', '--name', 'before the move')
    await place.do('backup', 'verify', 'before the move')
    await place.do('backup', 'drill')
    await add(place, 'two.txt')
    await becomes('another block', async () => (await status(place)).chain.pending === 0)
    const live = await run('restore', 'before the move')
    assert.equal(live.code, 1, live.err)
    assert.match(live.err, /behind what is here/)
    await complete(place, 'folder')
    const newest = await run('restore', 'newest')
    assert.match(newest.out, /Restored from/, newest.err)
    await place.stop()
    const behind = await run('restore', 'before the move', '--yes')
    assert.match(behind.err, /--allow-rollback/)
    assert.equal(behind.code, 1)
    const back = await run('restore', 'before the move', '--yes', '--allow-rollback')
    assert.equal(back.code, 0, back.err)
    assert.match(back.out, /before-restore-/)
    await start(place, env)
    assert.deepEqual(await names(place), ['one.txt'])
    const none = await run('restore', 'never made')
    assert.equal(none.code, 4)
    await place.stop()
  })

  it('C10 C11 a wrong passphrase, other words: each is told by its name, and nothing is founded', async () => {
    const place = places.place('keys')
    const passphrase = { CAIRN_BACKUP_PASSPHRASE: 'correct horse battery staple' }
    const wrong = { CAIRN_BACKUP_PASSPHRASE: 'not that one at all' }
    const env = { ...words(), ...passphrase, ...folder('of keys') }
    await start(place, env)
    await complete(place, 'folder')
    await place.stop()
    const doctor = async (more: Env): Promise<Check | undefined> => {
      const run = await place.run(['doctor', '--json'], { env: { ...folder('of keys'), ...more } })
      const { checks } = JSON.parse(run.out) as { checks: Check[] }
      return checks.find(({ name }) => name.startsWith('backups at '))
    }
    assert.equal((await doctor({}))?.result, 'ok', 'the key is in the directory')
    assert.equal((await doctor(wrong))?.result, 'warning', 'the next start sets it')
    await place.remove()
    const all = [
      'start',
      ...FLOOR,
      '--port',
      '0',
      '--gateway-port',
      '0',
      '--listen',
      '/ip4/127.0.0.1/tcp/0',
    ]
    assert.equal((await doctor(env))?.result, 'ok')
    assert.match((await doctor(passphrase))?.says ?? '', /the passphrase given here fits them/)
    assert.match((await doctor({}))?.says ?? '', /nothing is given that opens them/)
    assert.equal((await doctor({}))?.result, 'failed')
    const unopened = await doctor(wrong)
    assert.equal(unopened?.result, 'failed', unopened?.says)
    const foreign = await doctor(words())
    assert.equal(foreign?.result, 'failed')
    assert.match(foreign?.says ?? '', /another recovery kit/)
    const none = await place.run(all, { env: folder('of keys') })
    assert.equal(none.code, 5, none.out + none.err)
    assert.match(none.err, /no key to open them/)
    const other = await place.run(all, { env: { ...words(), ...folder('of keys') } })
    assert.equal(other.code, 7, other.err)
    assert.match(other.err, /another recovery kit .*\(BACKUP_KEY_OTHER\)/)
    assert.equal(existsSync(join(place.dataDir, 'network.json')), false)
  })
})
