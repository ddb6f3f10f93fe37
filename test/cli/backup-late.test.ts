/** A destination that hangs while a wiped machine starts; a clock that is behind; a peers file of another network. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import S3rver from 's3rver'
import { wordsFromSecret } from '../../src/common/mnemonic.ts'
import type { Check, FullStatus } from '../../src/interfaces/http/api.ts'
import type { FileSummary } from '../../src/interfaces/http/api-files.ts'
import {
  becomes,
  COMMAND_MS,
  createPlaces,
  type Place,
  type Places,
  type Started,
} from '../helpers/person.ts'

const FLOOR = ['--difficulty-floor', '1']
const QUIET = ['--port', '0', '--gateway-port', '0', '--listen', '/ip4/127.0.0.1/tcp/0']
const BUCKET = 'backups-of-cairn'
type Env = Readonly<Record<string, string>>

/** A port that passes everything on, or takes connections and says nothing. */
interface Gate {
  readonly port: number
  shut(): void
  open(): void
  close(): Promise<void>
}

async function createGate(to: number): Promise<Gate> {
  const sockets = new Set<Socket>()
  let isShut = false
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    return socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  }
  const server = createServer((socket) => {
    keep(socket)
    if (isShut) return
    const there = keep(connect(to, '127.0.0.1'))
    socket.pipe(there).pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const end = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const address = server.address()
  return {
    port: address !== null && typeof address === 'object' ? address.port : assert.fail(),
    shut: () => {
      isShut = true
      end()
    },
    open: () => {
      isShut = false
      end()
    },
    close: async () => {
      end()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

describe('a restore at a start', function () {
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

  const start = (place: Place, env: Env, ...args: string[]) =>
    place.serve(['start', '--name', 'Ada', '--device-name', 'host', ...FLOOR, ...args], { env })
  const words = (): Env => ({ CAIRN_RECOVERY_WORDS: wordsFromSecret(randomBytes(32)).join(' ') })
  const add = async (place: Place, ...names: string[]): Promise<void> => {
    for (const name of names) await writeFile(join(places.directory, name), `content of ${name}`)
    await place.do('add', ...names)
  }
  const status = (place: Place) => place.json<FullStatus>('status')
  const names = async (place: Place): Promise<(string | null)[]> =>
    (await place.json<{ items: FileSummary[] }>('ls')).items.map(({ name }) => name).sort()
  const shows = (place: Place, ...wanted: string[]): Promise<void> =>
    becomes(
      `${wanted.join(' and ')} are there`,
      async () => {
        const found = await names(place)
        return wanted.every((name) => found.includes(name))
      },
      COMMAND_MS,
    )
  const settled = (place: Place): Promise<void> =>
    becomes('everything is in a block and backed up', async () => {
      const { backups, chain } = await status(place)
      return (
        chain.pending === 0 &&
        backups.destinations.every(({ behind, newest }) => !behind && newest !== null)
      )
    })
  const startS3 = async (): Promise<Gate> => {
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
    const gate = await createGate(port)
    ends.push(
      () => server.close(),
      () => gate.close(),
    )
    return gate
  }
  const s3At = ({ port }: Gate): Env => ({
    S3_BUCKET_NAME: BUCKET,
    S3_ENDPOINT_URL: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'S3RVER',
    AWS_SECRET_ACCESS_KEY: 'S3RVER',
  })

  it('waits a moment for one that hangs, and takes its newer backup in when it answers', async () => {
    // Without the words: what a key of the user was, only a backup says.
    const kit = { CAIRN_BACKUP_PASSPHRASE: 'good words' }
    const gate = await startS3()
    const s3 = s3At(gate)
    const folder = { CAIRN_BACKUP_FOLDER: join(places.directory, 'older') }
    const place = places.place('late')
    const first = await start(place, { ...kit, ...folder })
    await add(place, 'old.txt')
    await settled(place)
    await place.stop()
    // Now to S3 alone, and with a new key of the user: a device is shut out.
    await start(place, { ...kit, ...s3 })
    const phone = places.place('phone')
    const input = await place.do('invite', '--device')
    await phone.serve(['join', '-', '--device-name', 'phone'], { input })
    await phone.stop()
    await place.do('devices', 'revoke', 'phone')
    await settled(place)
    await add(place, 'new.txt')
    await settled(place)
    await place.stop()
    await place.remove()
    await phone.remove()

    gate.shut()
    const began = performance.now()
    const back = (await start(place, { ...kit, ...folder, ...s3 })) as Started & {
      readonly restored: { readonly late: readonly string[] }
    }
    const took = performance.now() - began
    assert.ok(took < 20_000, `${took} ms`)
    assert.equal(back.network, first.network)
    assert.deepEqual(back.restored.late, [`s3 ${BUCKET}`])
    await shows(place, 'old.txt')
    await add(place, 'meanwhile.txt')
    await becomes('a block', async () => (await status(place)).chain.pending === 0)
    assert.match((await status(place)).backups.warnings.join(), /s3 .*silent at the restore/)
    assert.ok(!(await names(place)).includes('new.txt'))

    gate.open()
    await shows(place, 'old.txt', 'new.txt', 'meanwhile.txt')
    await becomes('nothing is missing', async () =>
      (await status(place)).backups.warnings.every((each) => !/silent/.test(each)),
    )
    await settled(place)
    const devices = await place.do('devices')
    assert.match(devices, /phone .*revoked/)
    await place.stop()
    await place.remove()
    // What came late is in the other destination now.
    await start(place, { ...kit, ...folder })
    await shows(place, 'old.txt', 'new.txt', 'meanwhile.txt')
    await place.stop()
  })

  it('takes what came late at the next start, when this one ended before', async () => {
    const kit = words()
    const gate = await startS3()
    const s3 = s3At(gate)
    const folder = { CAIRN_BACKUP_FOLDER: join(places.directory, 'older too') }
    const place = places.place('next')
    await start(place, { ...kit, ...folder })
    await settled(place)
    await place.stop()
    await start(place, { ...kit, ...s3 })
    await add(place, 'new.txt')
    await settled(place)
    await place.stop()
    await place.remove()
    gate.shut()
    await start(place, { ...kit, ...folder, ...s3 })
    await place.kill()
    gate.open()
    await start(place, { ...kit, ...folder, ...s3 })
    await shows(place, 'new.txt')
    await place.stop()
  })

  it('the doctor says how far the clock is behind the backups, before a start', async () => {
    const folder = { CAIRN_BACKUP_FOLDER: join(places.directory, 'of tomorrow') }
    const place = places.place('clock')
    await start(place, { ...words(), ...folder })
    await settled(place)
    await place.stop()
    await place.remove()
    const doctor = async (): Promise<Check[]> =>
      JSON.parse((await place.run(['doctor', '--json'], { env: folder })).out).checks
    const good = await doctor()
    const looked = good.find(({ name }) => name === `backups at ${folder.CAIRN_BACKUP_FOLDER}`)
    assert.match(looked?.says ?? '', /the newest of/)
    assert.ok(good.every(({ name, result }) => name !== 'clock' || result === 'ok'))
    const files = await readdir(folder.CAIRN_BACKUP_FOLDER, { recursive: true })
    const manifest = files.find((name) => name.endsWith('.manifest')) ?? assert.fail()
    // As one looks that was written by a clock that is three hours and some minutes ahead of this one.
    const ahead = new Date(Date.now() + 3 * 3_600_000 + 300_000).toISOString()
    const time = `${ahead.slice(0, 19).replace(/[-:]/g, '')}Z`
    const later = manifest.replace(/-\d{8}T\d{6}Z-/, `-${time}-`)
    await rename(
      join(folder.CAIRN_BACKUP_FOLDER, manifest),
      join(folder.CAIRN_BACKUP_FOLDER, later),
    )
    const found = (await doctor()).find(({ name, result }) => name === 'clock' && result !== 'ok')
    assert.match(found?.says ?? '', /3 hours [45] minutes before the newest backup/)
    assert.match(found?.remedy ?? '', /NTP/)
  })

  it('keeps to the network of the peers file, or says which is which', async () => {
    const kit = words()
    const folder = { CAIRN_BACKUP_FOLDER: join(places.directory, 'of two') }
    const one = places.place('one')
    const backed = await start(one, { ...kit, ...folder })
    await add(one, 'of-one.txt')
    await settled(one)
    await one.stop()
    await one.remove()

    const two = places.place('two')
    const other = await start(two, {}, '--open')
    const peers = join(places.directory, 'peers.json')
    await writeFile(peers, await two.do('peers', 'export'))
    const args = ['start', '--peers', peers, ...FLOOR, ...QUIET]
    const refused = await one.run(args, { env: { ...kit, ...folder } })
    assert.equal(refused.code, 1, refused.err)
    for (const part of [backed.network, other.network, '--new-network', 'peers file']) {
      assert.ok(refused.err.includes(part), refused.err)
    }
    assert.equal(existsSync(join(one.dataDir, 'network.json')), false)

    // Told to leave them alone, it goes to the network of the peers file, and backs up beside them.
    const joined = await start(one, { ...kit, ...folder }, '--peers', peers, '--new-network')
    assert.equal(joined.network, other.network)
    await add(one, 'of-two.txt')
    await settled(one)
    await one.stop()
    await one.remove()
    const again = await start(one, { ...kit, ...folder }, '--peers', peers)
    assert.equal(again.network, other.network)
    await shows(one, 'of-two.txt')
    await Promise.all([one.stop(), two.stop()])
  })
})
