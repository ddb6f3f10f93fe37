/** Backups that are found by a CID alone, and what a passphrase opens from the first moment on: by processes. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { wordsFromSecret } from '../../src/common/mnemonic.ts'
import type { BackupView, FullStatus } from '../../src/interfaces/http/api.ts'
import type { FileSummary } from '../../src/interfaces/http/api-files.ts'
import { json, type LocalService, serve } from '../helpers/backup/local-service.ts'
import { PINATA_KEYS, type PinataServer, startPinata } from '../helpers/backup/pinata.ts'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const FLOOR = ['--difficulty-floor', '1']
const QUIET = ['--port', '0', '--gateway-port', '0', '--listen', '/ip4/127.0.0.1/tcp/0']
type Env = Readonly<Record<string, string>>

describe('backups by a CID alone', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places
  let pinata: PinataServer
  let host: LocalService
  const variables = new Map<string, string>()
  const ends: (() => Promise<unknown>)[] = []
  let account: Env

  before(async () => {
    places = await createPlaces()
    host = await serve(({ url, body }) => {
      const { value } = JSON.parse(body.toString()) as { value: string }
      variables.set(url.pathname.split('/').at(-1) ?? '', value)
      return json(200, {})
    })
    ends.push(
      () => host.stop(),
      () => places.end(),
    )
  })
  beforeEach(async () => {
    // Segments of the tests are larger than a block.
    const server = await startPinata(2048)
    ends.unshift(() => server.stop())
    pinata = server
    account = {
      PINATA_JWT: PINATA_KEYS.jwt,
      PINATA_API_URL: pinata.origin,
      PINATA_GATEWAY_URL: pinata.origin,
      RENDER_API_KEY: 'render-key',
      RENDER_SERVICE_ID: 'srv-1',
      RENDER_API_URL: host.origin,
    }
  })
  after(async () => {
    for (const end of ends) await end()
  })

  const start = (place: Place, env: Env, ...args: string[]) =>
    place.serve(['start', '--name', 'Ada', '--device-name', 'host', ...FLOOR, ...args], { env })
  const words = (): string => wordsFromSecret(randomBytes(32)).join(' ')
  const add = async (place: Place, name: string): Promise<void> => {
    await writeFile(join(places.directory, name), `content of ${name}`)
    await place.do('add', name, '--public')
  }
  const shows = (place: Place, ...wanted: string[]): Promise<void> =>
    becomes(`${wanted.join(' and ')} are there`, async () => {
      const { items } = await place.json<{ items: FileSummary[] }>('ls')
      const found = items.map(({ name }) => name)
      return wanted.every((name) => found.includes(name))
    })
  const complete = (place: Place): Promise<void> =>
    becomes('everything is backed up', async () => {
      const { backups, chain } = await place.json<FullStatus>('status')
      const isThere = backups.destinations.every(({ behind, newest }) => !behind && newest !== null)
      return isThere && chain.pending === 0
    })
  const gatewayOnly = (): Env => ({ IPFS_GATEWAY_URL: pinata.origin })

  it('D2 the CID that the host keeps is read at the next start, with the passphrase alone', async () => {
    const place = places.place('host')
    const passphrase = { CAIRN_BACKUP_PASSPHRASE: 'good words' }
    const { network } = await start(place, { ...account, ...passphrase })
    await add(place, 'one.txt')
    await complete(place)
    await place.stop('SIGTERM')
    const log = await readFile(join(place.dataDir, 'logs', 'cairn.log'), 'utf8')
    await place.remove()
    const CAIRN_BACKUP_CID = variables.get('CAIRN_BACKUP_CID') ?? assert.fail('no CID was kept')
    assert.ok(log.includes(`CID: ${CAIRN_BACKUP_CID} View at: ${pinata.origin}/ipfs/`), log)
    // The account is gone: what a gateway has is all that there is.
    const env = { ...gatewayOnly(), ...passphrase, CAIRN_BACKUP_CID }
    const nowhere = { ...env, IPFS_GATEWAY_URL: 'http://127.0.0.1:9' }
    const silent = await place.run(['start', ...FLOOR, ...QUIET], { env: nowhere })
    assert.equal(silent.code, 6, silent.err)
    assert.match(silent.err, /--new-network/)
    assert.equal(existsSync(join(place.dataDir, 'network.json')), false)
    const back = await start(place, env)
    assert.equal(back.network, network)
    await shows(place, 'one.txt')
    await place.stop()
  })

  it('C5 a restore by CID needs no destination; a link does too, also into a running node', async () => {
    const place = places.place('by hand')
    const kit = words()
    const { network } = await start(place, { ...account, CAIRN_RECOVERY_WORDS: kit })
    await add(place, 'two.txt')
    await complete(place)
    await place.do('backup', 'create', '--name', 'by hand')
    const { items } = await place.json<{ items: BackupView[] }>('backup', 'list')
    const cid = items.find(({ name }) => name === 'by hand')?.cid ?? assert.fail()
    const live = await place.run(['backup', 'restore', '--cid', `${pinata.origin}/ipfs/${cid}`])
    assert.ok(live.code === 0 || /behind what is here/.test(live.err), live.err)
    await place.stop()

    const other = places.place('by cid')
    const file = join(places.directory, 'words')
    await writeFile(file, kit)
    const restore = (...args: string[]) =>
      other.run(['backup', 'restore', ...args, '--recovery-words-file', file], {
        env: gatewayOnly(),
      })
    const none = await restore()
    assert.equal(none.code, 2)
    assert.match(none.err, /--cid/)
    const wrong = await restore('--cid', 'bafynothing')
    assert.equal(wrong.code, 2, wrong.err)
    assert.match(wrong.err, /bafkrei/)
    const done = await restore('--cid', cid)
    assert.equal(done.code, 0, done.err)
    assert.match(done.out, /Restored from IPFS bafkrei/)
    const back = await start(other, {})
    assert.equal(back.network, network)
    await shows(other, 'two.txt')
    await other.stop()
  })

  it('most work wins over the CID that is named', async () => {
    const place = places.place('both')
    const kit = { CAIRN_RECOVERY_WORDS: words() }
    const folder = { CAIRN_BACKUP_FOLDER: join(places.directory, 'newer') }
    const { network } = await start(place, { ...account, ...kit })
    await add(place, 'old.txt')
    await complete(place)
    await place.stop()
    const CAIRN_BACKUP_CID = variables.get('CAIRN_BACKUP_CID') ?? assert.fail()
    await start(place, { ...kit, ...folder })
    await add(place, 'new.txt')
    await complete(place)
    await place.stop()
    await place.remove()
    const back = await start(place, { ...kit, ...folder, ...gatewayOnly(), CAIRN_BACKUP_CID })
    assert.equal(back.network, network)
    await shows(place, 'old.txt', 'new.txt')
    await place.stop()
  })

  it('B3 a first start that is stopped at once has set the passphrase', async () => {
    const place = places.place('short')
    const env = {
      CAIRN_BACKUP_FOLDER: join(places.directory, 'short life'),
      CAIRN_BACKUP_PASSPHRASE: 'good words',
    }
    const { network } = await start(place, env)
    await place.stop('SIGTERM')
    await place.remove()
    const back = await start(place, env)
    assert.equal(back.network, network)
    await place.stop('SIGTERM')
  })
})
