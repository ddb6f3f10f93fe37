import assert from 'node:assert/strict'
import { NONCE_BYTES, type SealedHeader } from '../../../../src/chain/block.ts'
import { decodeHeader, encodeHeader } from '../../../../src/chain/codec.ts'
import { nextDifficulty } from '../../../../src/chain/difficulty.ts'
import { checkWork } from '../../../../src/chain/pow.ts'
import { readDevice } from '../../../../src/chain/state/devices.ts'
import { publicKeyOf, sha256 } from '../../../../src/common/crypto.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { readCatalog } from '../../../../src/services/backup/catalog.ts'
import { findBackups } from '../../../../src/services/backup/find.ts'
import {
  folderOf,
  type Manifest,
  segmentName,
  workBytes,
} from '../../../../src/services/backup/manifest.ts'
import { type Restored, restoreBackups } from '../../../../src/services/backup/restore.ts'
import { createCleaner, ORPHAN_MS } from '../../../../src/services/backup/retention.ts'
import { packSegment } from '../../../../src/services/backup/segment.ts'
import { verifyDestination } from '../../../../src/services/backup/verify.ts'
import { type BackupWriter, createWriter } from '../../../../src/services/backup/writer.ts'
import { ALL_WORK, forgedManifest } from '../../../helpers/backup/forged.ts'
import { type BackupWorld, createBackupWorld, key } from '../../../helpers/backup-world.ts'
import { seedOf } from '../../../helpers/chain-node.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal
const isProven = (header: SealedHeader): boolean => {
  try {
    checkWork(header)
    return true
  } catch {
    return false
  }
}
const YEAR = 365 * 86_400_000

describe('backups at a destination to which others may write', () => {
  let world: BackupWorld
  let destination: MemoryDestination
  let writer: BackupWriter

  const save = async (): Promise<void> => {
    await world.say()
    await world.mine()
    await writer.save({ name: 'test', manual: false, signal })
  }
  const manifests = async (): Promise<Manifest[]> => {
    const { backups } = await readCatalog(destination, { prefix: '', signal })
    return backups
      .map(({ manifest }) => manifest)
      .toSorted((a, b) => b.number - a.number || b.time - a.time)
  }
  const put = async (manifest: Manifest): Promise<void> =>
    destination.put(manifest.object, manifest.bytes, { signal })
  const restore = async (destinations: readonly MemoryDestination[]): Promise<Restored> => {
    const target = world.scratch()
    try {
      const opener = { key }
      const components = { destinations, logger: silentLogger }
      const found = await findBackups(components, { opener }, signal)
      const { backups } = found ?? assert.fail('nothing was found')
      const { clock } = world
      return await restoreBackups({ target, clock, logger: silentLogger }, { backups, key }, signal)
    } finally {
      await target.close()
    }
  }
  const restored = async (): Promise<string> => (await restore([destination])).tip
  const cleaner = (last: number) =>
    createCleaner(
      { destination, clock: world.clock },
      {
        network: world.owner.network,
        user: world.owner.user,
        policy: { last },
        userOf: (device) => readDevice(world.node.store.state, device)?.user,
      },
    )

  beforeEach(async () => {
    world = await createBackupWorld()
    destination = createMemoryDestination({ now: world.clock.now })
    writer = createWriter(world.components, { destination, owner: world.owner })
    await save()
  })

  it('come back although many say that they are the user’s, newer, and have more work', async () => {
    const [real = assert.fail()] = await manifests()
    const person = real.person ?? assert.fail()
    for (let n = 0; n < 60; n++) {
      const change = { number: 99, chainwork: ALL_WORK, height: 1_000_000 }
      // Each names another object that is none.
      const name = `${person.name}.${n}`
      await destination.put(name, new Uint8Array(100), { signal })
      await put(forgedManifest(real, `eve ${n}`, { ...change, person: { ...person, name } }))
    }
    assert.equal(await restored(), world.node.store.tip().id)
  })

  it('are found among more manifests than are read', async () => {
    const [real = assert.fail()] = await manifests()
    // Their folders come before and behind in the order of names.
    for (const letter of ['1', 'z']) {
      const folder = `${real.network}/${letter.repeat(52)}`
      for (let n = 0; n < 4200; n++) {
        const number = String(n).padStart(10, '0')
        const object = `${folder}/${number}-20260101T000000Z-0123456789abcdef.manifest`
        destination.objects.set(object, { bytes: new Uint8Array(3), stored: 0 })
      }
    }
    const { unread } = await readCatalog(destination, { prefix: '', signal })
    assert.equal(unread, 8401 - 4096)
    assert.equal(await restored(), world.node.store.tip().id)
  }).timeout(10_000)

  it('come back although another destination promises more, and gives it as slowly as it may', async () => {
    const [real = assert.fail()] = await manifests()
    const [segment = assert.fail()] = real.segments
    const hostile = createMemoryDestination({ name: 'hostile', kind: 'postgres' })
    const { bytes } = destination.objects.get(segmentName(real, segment)) ?? assert.fail()
    for (const eve of ['eve', 'mallory']) {
      const segments = Array.from({ length: 200 }, () => ({ ...segment, records: 1 }))
      const forged = forgedManifest(real, eve, { chainwork: ALL_WORK, sealed: null, segments })
      await hostile.put(forged.object, forged.bytes, { signal })
      await hostile.put(segmentName(forged, segment), bytes, { signal })
    }
    hostile.before = (call, name) => {
      if (call === 'get' && name.endsWith('.car.zst.age')) world.clock.time += 29_000
    }
    await world.say()
    await world.mine()
    await writer.save({ name: 'test', manual: false, signal })
    const result = await restore([hostile, destination])
    assert.equal(result.tip, world.node.store.tip().id)
    assert.ok(result.problems.some(({ code }) => code === 'DESTINATION_SLOW'))
    assert.ok(hostile.gets.length < 20, `${hostile.gets.length} objects`)
  })

  it('come back although a block of the future is added, which no device has sealed', async () => {
    const { store } = world.node
    const [real = assert.fail()] = await manifests()
    const ancestors = store
      .mainHeaders(0, 100)
      .map((bytes) => decodeHeader(bytes).header)
      .toReversed()
    const [parent = assert.fail()] = ancestors
    const time = world.clock.now() + 86_400_000
    const { difficultyFloor } = world.node.params
    const found: SealedHeader[] = []
    for (let count = 0; found.length === 0; count++) {
      const nonce = new Uint8Array(NONCE_BYTES)
      new DataView(nonce.buffer).setUint32(0, count)
      const header = encodeHeader({
        ...parent,
        parent: store.tip().id,
        height: parent.height + 1,
        time,
        difficulty: nextDifficulty(difficultyFloor, ancestors, time),
        miner: publicKeyOf('ed25519', seedOf('eve')),
        seal: new Uint8Array(64),
        nonce,
      })
      if (isProven(header)) found.push(header)
    }
    const [{ id, bytes: header } = assert.fail()] = found
    const content = { blocks: [{ header, body: new Uint8Array(9) }], records: [] }
    const object = await packSegment(content, { root: id, recipient: key.recipient })
    const height = parent.height + 1
    const entry = { sha256: sha256(object), size: object.length, plain: 900, tier: 0 }
    const forged = forgedManifest(real, 'eve', {
      chainwork: workBytes(1n),
      sealed: null,
      segments: [{ ...entry, from: height, to: height, tip: id, records: 0 }],
    })
    await destination.put(segmentName(forged, entry), object, { signal })
    await put(forged)
    assert.equal(await restored(), store.tip().id)
  })

  it('are cleaned up as if nobody else wrote there', async () => {
    for (let n = 0; n < 5; n++) {
      world.clock.time += 700_000
      await save()
    }
    const real = await manifests()
    const [newest = assert.fail()] = real
    world.clock.time += 700_000
    for (let n = 0; n < 5; n++) {
      const missing = { name: `${newest.object}.index`, sha256: new Uint8Array(32), size: 9 }
      const change = { number: 99, time: world.clock.now() + n, chainwork: ALL_WORK }
      await put(forgedManifest(newest, `eve ${n}`, { ...change, sealed: missing }))
    }
    const garbage = `${folderOf(newest)}garbage.car.zst.age`
    await destination.put(garbage, new Uint8Array(3), { signal })
    const clean = cleaner(3)
    assert.equal((await clean.clean(undefined, signal)).backups, 3)
    const objects = (await manifests()).map(({ object }) => object)
    for (const { object } of real.slice(0, 3)) assert.ok(objects.includes(object))
    world.clock.time += ORPHAN_MS
    await clean.clean(undefined, signal)
    assert.ok(!destination.objects.has(garbage), 'a list that is not there stops nobody')
    assert.equal(await restored(), world.node.store.tip().id)
  })

  it('are verified, and not what others say is newer', async () => {
    const [real = assert.fail()] = await manifests()
    await put(forgedManifest(real, 'eve', { number: 99, chainwork: ALL_WORK }))
    const verified = await verifyDestination(
      destination,
      {
        network: real.network,
        user: real.user,
        key,
        recipient: key.recipient,
        chain: world.node.store,
      },
      signal,
    )
    assert.equal(verified.object, real.object)
    assert.deepEqual(verified.problems, [])
  })

  it('are not thrown away by a clock that is a year ahead', async () => {
    for (let n = 0; n < 5; n++) {
      world.clock.time += 3_600_000
      await save()
    }
    const ahead = { ...world.clock, now: () => world.clock.time + YEAR }
    const clean = createCleaner(
      { destination, clock: ahead },
      { network: world.owner.network, user: world.owner.user, policy: { days: 30 } },
    )
    assert.equal((await clean.clean(undefined, signal)).backups, 0)
  })

  it('are not thrown away because who wrote them had a clock that was years behind', async () => {
    const slow = { ...world.clock, now: () => world.clock.time - 3 * YEAR }
    const behind = createWriter(
      { ...world.components, clock: slow },
      { destination, owner: world.owner },
    )
    const saved = await behind.save({ name: 'test', manual: true, signal })
    const days = createCleaner(
      { destination, clock: world.clock },
      { network: world.owner.network, user: world.owner.user, policy: { days: 30 } },
    )
    world.clock.time += 700_000
    await save()
    await days.clean(undefined, signal)
    assert.ok(destination.objects.has(saved?.object ?? ''))
  })
})
