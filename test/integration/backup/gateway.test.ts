/** A backup from the CID of its manifest alone: only a gateway is asked, and it is not believed. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { readCatalog } from '../../../src/services/backup/catalog.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import { createGatewayDestination } from '../../../src/services/backup/destinations/gateway.ts'
import { createPinataDestination } from '../../../src/services/backup/destinations/pinata.ts'
import { cidPlan } from '../../../src/services/backup/environment/cid.ts'
import { findBackups } from '../../../src/services/backup/find.ts'
import { destinationsFrom } from '../../../src/services/backup/from-environment.ts'
import { cidOfObject, isBackupCid } from '../../../src/services/backup/ipfs-place.ts'
import { encodeIndex, signManifest } from '../../../src/services/backup/manifest.ts'
import { restoreBackups } from '../../../src/services/backup/restore.ts'
import { createSlotKeeper, createSlotMaker } from '../../../src/services/backup/slot-keeper.ts'
import { createWriter } from '../../../src/services/backup/writer.ts'
import { type LocalService, type Reply, serve } from '../../helpers/backup/local-service.ts'
import { PINATA_KEYS, type PinataServer, startPinata } from '../../helpers/backup/pinata.ts'
import { type BackupWorld, createBackupWorld, key } from '../../helpers/backup-world.ts'

const signal = new AbortController().signal
const logger = silentLogger
/** Less than the first segment of the test: its CID is not that of its bytes. */
const BLOCK_BYTES = 4096

describe('a backup from its CID alone', () => {
  let world: BackupWorld
  let server: PinataServer
  let account: Destination
  const open: { close?(): Promise<void>; stop?(): Promise<void> }[] = []

  beforeEach(async () => {
    world = await createBackupWorld()
    server = await startPinata(BLOCK_BYTES)
    const url = new URL(server.origin)
    account = createPinataDestination(
      { clock: systemClock },
      { name: 'pinata', key: { jwt: PINATA_KEYS.jwt }, api: url, gateway: url },
    )
    open.push(server, account)
  })
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await (each.close ?? each.stop)?.()
  })

  /** Writes a backup with some segments, one of them large; the CID of its manifest. */
  const save = async (passphrase?: string): Promise<string> => {
    const make = createSlotMaker(world.components, key, 4)
    const slot = createSlotKeeper(
      { destination: account, store: world.node.store, make, logger },
      { key, passphrase },
    )
    await slot.ensure(signal)
    const slotOf = (recipient: string) => slot.ref(recipient, signal)
    const writer = createWriter(world.components, { destination: account, owner: world.owner })
    const once = () => writer.save({ name: 'test', manual: true, signal, slotOf })
    for (let n = 0; n < 30; n++) await world.say()
    await world.mine()
    await once()
    await world.say('pending')
    writer.unsure()
    const { object } = (await once()) ?? assert.fail()
    return cidOfObject(await account.get(object, signal))
  }
  const gateway = (cid: string, ...more: LocalService[]): Destination => {
    const gateways = [...more, server].map(({ origin }) => new URL(origin))
    const made = createGatewayDestination(
      { clock: systemClock },
      { name: 'by gateway', cid, gateways },
    )
    open.push(made)
    return made
  }
  /** A gateway that gives something else. */
  const other = async (
    answer: (path: string, response: ServerResponse) => Reply | undefined,
  ): Promise<LocalService> => {
    const service = await serve(({ url }, response) => answer(url.pathname, response))
    open.push(service)
    return service
  }
  const restore = async (
    destination: Destination,
    opener: Parameters<typeof findBackups>[1]['opener'] = { key },
  ): Promise<void> => {
    const found = await findBackups({ destinations: [destination], logger }, { opener }, signal)
    const target = world.scratch()
    try {
      const { backups } = found ?? assert.fail('nothing was found')
      const { problems } = await restoreBackups(
        { target, clock: world.clock, logger },
        { backups, key },
        signal,
      )
      assert.deepEqual(problems, [])
      assert.equal(target.store.tip().id, world.node.store.tip().id)
      assert.equal(target.store.pendingCount(), 1)
    } finally {
      await target.close()
    }
  }

  it('comes back whole without the account, also what is larger than a block', async () => {
    const cid = await save()
    const { backups } = await readCatalog(account, { prefix: '', signal })
    const places = backups.flatMap(({ manifest }) => manifest.segments.map((each) => each.cid))
    assert.ok(
      places.some((place) => place !== undefined),
      'a segment has a CID of its own',
    )
    assert.ok(places.some((place) => place === undefined))
    server.pins.clear()
    await restore(gateway(cid))
  })

  it('opens with the passphrase, which stood at no name', async () => {
    const cid = await save('good words')
    server.pins.clear()
    await restore(gateway(cid), { passphrase: 'good words' })
    const opener = { passphrase: 'other words' }
    const wrong = findBackups({ destinations: [gateway(cid)], logger }, { opener }, signal)
    await assert.rejects(wrong, { code: 'BACKUP_PASSPHRASE' })
  })

  it('follows the list of full segments', async () => {
    await save()
    const { backups } = await readCatalog(account, { prefix: '', signal })
    const newest = backups.toSorted((a, b) => b.manifest.number - a.manifest.number)[0]
    const {
      signature: _,
      object,
      bytes: __,
      work: ___,
      ...unsigned
    } = newest?.manifest ?? assert.fail()
    const index = encodeIndex(unsigned.segments)
    const name = `${object.slice(0, object.lastIndexOf('/'))}/0.index`
    const sha256 = Buffer.from(
      new Uint8Array(await crypto.subtle.digest('SHA-256', Buffer.from(index))),
    )
    const manifest = signManifest(
      {
        ...unsigned,
        segments: [],
        sealed: { name, sha256: new Uint8Array(sha256), size: index.length },
      },
      world.components.signer.sign,
    )
    for (const bytes of [index, manifest.bytes]) {
      server.content.set(cidOfObject(bytes), Buffer.from(bytes))
    }
    await restore(gateway(cidOfObject(manifest.bytes)))
  })

  it('takes from the next gateway what one has not, or has other bytes of', async () => {
    const cid = await save()
    const none = await other(() => ({ status: 404 }))
    const wrong = await other(() => ({ status: 200, body: 'something else' }))
    await restore(gateway(cid, none, wrong))
    const lists = (...at: LocalService[]): Promise<unknown> => {
      const gateways = at.map(({ origin }) => new URL(origin))
      const init = { name: 'by gateway', cid, gateways }
      const made = createGatewayDestination({ clock: systemClock }, init)
      open.push(made)
      return made.list('', signal)
    }
    await assert.rejects(lists(wrong, none), { code: 'DESTINATION_DIFFERS' })
    await assert.rejects(lists(none), { code: 'OBJECT_NOT_FOUND' })
    const busy = await other(() => ({ status: 429, headers: { 'retry-after': '5' } }))
    await assert.rejects(lists(busy), { code: 'DESTINATION_BUSY' })
  })

  it('reads no more of an endless answer than the object may have', async () => {
    const cid = await save()
    let sent = 0
    const endless = await other((_, response) => {
      response.writeHead(200)
      const more = (): void => {
        sent += 65_536
        if (!response.destroyed && response.write(Buffer.alloc(65_536))) setImmediate(more)
        else response.once('drain', more)
      }
      more()
      return undefined
    })
    const made = createGatewayDestination(
      { clock: systemClock },
      { name: 'endless', cid, gateways: [new URL(endless.origin)] },
    )
    open.push(made)
    await assert.rejects(made.list('', signal), {
      code: 'DESTINATION_FAILED',
      message: /more than/,
    })
    assert.ok(sent < 16 * 1024 * 1024, `${sent} bytes`)
    await restore(gateway(cid, endless))
  })

  it('gives up a gateway that hangs, also in the middle of an answer', async () => {
    const cid = await save()
    for (const begin of ['', 'some bytes']) {
      let asked = (): void => {}
      const isAsked = new Promise<void>((resolve) => {
        asked = resolve
      })
      const hangs = await other((_, response) => {
        if (begin !== '') response.writeHead(200).write(begin)
        asked()
        return undefined
      })
      const made = createGatewayDestination(
        { clock: world.clock },
        { name: 'hangs', cid, gateways: [new URL(hangs.origin)] },
      )
      open.push(made)
      const listing = made.list('', signal)
      listing.catch(() => {})
      await isAsked
      world.clock.time += 15_000
      await assert.rejects(listing, { code: 'DESTINATION_SLOW' })
    }
  })

  it('follows a gateway to the host of a CID, and nowhere without TLS', async () => {
    const cid = await save()
    const moved = await other((path) =>
      path.startsWith('/ipfs/')
        ? { status: 301, headers: { location: path.replace('/ipfs/', '/content/') } }
        : { status: 200, body: server.content.get(path.slice('/content/'.length)) ?? '' },
    )
    const lists = (at: LocalService): Promise<unknown> => {
      const gateways = [new URL(at.origin)]
      const made = createGatewayDestination(
        { clock: systemClock },
        { name: 'moved', cid, gateways },
      )
      open.push(made)
      return made.list('', signal)
    }
    await lists(moved)
    const away = await other((path) => ({
      status: 302,
      headers: { location: `${server.origin}${path}` },
    }))
    await assert.rejects(lists(away), { code: 'DESTINATION_FAILED' })
    const round = await other((path) => ({ status: 302, headers: { location: path } }))
    await assert.rejects(lists(round), { code: 'DESTINATION_FAILED' })
  })

  it('says what is no backup, and cannot be written to', async () => {
    const cid = await save()
    const text = Buffer.from('some other content')
    server.content.set(cidOfObject(text), text)
    await assert.rejects(gateway(cidOfObject(text)).list('', signal), { code: 'BACKUP_MANIFEST' })
    const readOnly = gateway(cid)
    await assert.rejects(readOnly.put('a/b', text, { signal }), { code: 'DESTINATION_REFUSED' })
    await assert.rejects(readOnly.remove('a/b', signal), { code: 'DESTINATION_REFUSED' })
    await assert.rejects(readOnly.get('a/b', signal), { code: 'OBJECT_NOT_FOUND' })
  })

  it('is named by the environment, by its CID or a link, with the gateways that are set', async () => {
    const cid = await save()
    for (const given of [cid, `ipfs://${cid}`, `https://gateway.pinata.cloud/ipfs/${cid}`]) {
      assert.ok(isBackupCid(given))
      const { sources, plans, faults } = destinationsFrom({
        CAIRN_BACKUP_CID: given,
        IPFS_GATEWAY_URL: server.origin,
      })
      assert.deepEqual([plans, faults, sources.length], [[], [], 1])
      const init = { clock: systemClock, logger, cidKeepers: [], isRestorePoint: () => false }
      const made = (await sources[0]?.open(init)) ?? assert.fail()
      open.push(made)
      await restore(made)
    }
    assert.match(cidPlan({}, cid).name, /gateway\.pinata\.cloud, ipfs\.io/)
    for (const wrong of ['Qm', `bafybei${cid.slice(7)}`, cid.slice(0, -1), `${cid}a`]) {
      const [fault] = destinationsFrom({ CAIRN_BACKUP_CID: wrong }).faults
      assert.equal(fault?.code, 'DESTINATION_SETTING', wrong)
      assert.throws(() => cidPlan({}, wrong), { code: 'BACKUP_CID' })
    }
  })
})
