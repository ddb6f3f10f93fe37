import assert from 'node:assert/strict'
import { silentLogger } from '../../../../src/common/logger.ts'
import { readCatalog } from '../../../../src/services/backup/catalog.ts'
import type { Destination } from '../../../../src/services/backup/destination.ts'
import { backupError } from '../../../../src/services/backup/errors.ts'
import { findBackups, linesOf, type Opener } from '../../../../src/services/backup/find.ts'
import { backupKeyOfKit } from '../../../../src/services/backup/keys.ts'
import { manifestNumber, signManifest } from '../../../../src/services/backup/manifest.ts'
import {
  checkNotBehind,
  type Restored,
  restoreBackups,
} from '../../../../src/services/backup/restore.ts'
import type { ScratchChain } from '../../../../src/services/backup/scratch.ts'
import { selected } from '../../../../src/services/backup/selection.ts'
import { createWriter } from '../../../../src/services/backup/writer.ts'
import { type BackupWorld, createBackupWorld, key } from '../../../helpers/backup-world.ts'
import { seedOf } from '../../../helpers/chain-node.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal
const logger = silentLogger

describe('restoring', () => {
  let world: BackupWorld
  let target: ScratchChain
  let postgres: MemoryDestination
  let s3: MemoryDestination
  let folder: MemoryDestination

  const saveTo = async (at: MemoryDestination, of = world): Promise<void> => {
    const writer = createWriter(of.components, { destination: at, owner: of.owner })
    await writer.save({ name: 'test', manual: true, signal })
  }
  const find = (destinations: readonly Destination[], opener: Opener = { key }) =>
    findBackups({ destinations, logger }, { opener }, signal)
  const restore = async (destinations: readonly Destination[]): Promise<Restored> => {
    const found = (await find(destinations)) ?? assert.fail('nothing was found')
    return restoreBackups(
      { target, clock: world.clock, logger },
      { backups: found.backups, key },
      signal,
    )
  }
  const codes = ({ problems }: Restored) => problems.map(({ code }) => code)
  const grow = async (name?: string): Promise<void> => {
    await world.say(name)
    await world.mine()
  }
  const objects = (at: MemoryDestination, end: string) =>
    [...at.objects]
      .filter(([name]) => name.endsWith(end))
      .map(([name, { bytes }]) => ({ name, bytes }))
  const damage = (bytes: Uint8Array | undefined): void => {
    assert.ok(bytes !== undefined)
    bytes[bytes.length - 20] = (bytes.at(-20) ?? 0) ^ 1
  }

  beforeEach(async () => {
    world = await createBackupWorld()
    target = world.scratch()
    postgres = createMemoryDestination({ kind: 'postgres', name: 'postgres' })
    s3 = createMemoryDestination({ kind: 's3', name: 's3' })
    folder = createMemoryDestination({ kind: 'folder', name: 'folder' })
  })
  afterEach(() => target.close())

  it('takes the chain with most work, wherever it is', async () => {
    await saveTo(postgres)
    await grow()
    await saveTo(folder)
    await grow()
    await saveTo(s3)
    const restored = await restore([postgres, folder, s3])
    assert.equal(restored.tip, world.node.store.tip().id)
    assert.deepEqual(
      restored.sources.map(({ destination }) => destination),
      ['s3', 'folder', 'postgres'],
    )
    assert.deepEqual(codes(restored), [])
    assert.deepEqual(
      [...folder.gets, ...postgres.gets].filter((name) => name.endsWith('.age')),
      [],
      'nothing is read twice',
    )
  })

  it('asks PostgreSQL, IPFS, object storage, folders in this order when all have the same', async () => {
    const all = (['folder', 'gcs', 's3', 'ipfs', 'postgres'] as const).map((kind) =>
      createMemoryDestination({ kind, name: kind }),
    )
    for (const each of all) await saveTo(each)
    const found = (await find(all)) ?? assert.fail()
    const order = linesOf(found.backups).map(([first]) => first?.destination.kind)
    assert.deepEqual([order[0], order[1], order[4]], ['postgres', 'ipfs', 'folder'])
  })

  it('makes the union of all records pending', async () => {
    const rival = await createBackupWorld()
    await world.say('only in one')
    await saveTo(postgres)
    await rival.say('only in the other')
    await rival.mine()
    await saveTo(s3, rival)
    const restored = await restore([postgres, s3])
    assert.equal(restored.tip, rival.node.store.tip().id)
    assert.deepEqual(
      target.store.pending().map(({ record }) => record.id),
      world.node.store.pending().map(({ record }) => record.id),
    )
    assert.equal(target.store.pendingCount(), 1)
  })

  it('goes on with another destination when a segment is damaged', async () => {
    await grow()
    await saveTo(postgres)
    await saveTo(folder)
    damage(objects(postgres, '.car.zst.age')[0]?.bytes)
    const restored = await restore([postgres, folder])
    assert.equal(restored.tip, world.node.store.tip().id)
    assert.deepEqual(codes(restored), ['BACKUP_DAMAGED'])
    assert.deepEqual(restored.sources[0]?.destination, 'folder')
  })

  it('keeps what stands before the damage when there is nothing else', async () => {
    const writer = createWriter(world.components, { destination: s3, owner: world.owner })
    const heights: number[] = []
    for (let n = 0; n < 3; n++) {
      await grow()
      await writer.save({ name: 'test', manual: false, signal })
      heights.push(world.node.store.tip().height)
    }
    for (const { name } of objects(s3, '.manifest').slice(0, 2)) s3.objects.delete(name)
    const puts = s3.puts.filter((name) => name.endsWith('.car.zst.age'))
    assert.equal(puts.length, 3, 'a segment for each')
    damage(s3.objects.get(puts[1] ?? '')?.bytes)
    await assert.rejects(restore([s3]), { code: 'BACKUP_UNREADABLE' })
    assert.equal(target.store.tip().height, heights[0])
  })

  it('goes on with the backup before when the newest is damaged', async () => {
    const writer = createWriter(world.components, { destination: s3, owner: world.owner })
    const save = () => writer.save({ name: 'test', manual: true, signal })
    await grow()
    await save()
    const tip = world.node.store.tip().id
    await grow()
    await save()
    damage(objects(s3, '.car.zst.age')[1]?.bytes)
    const restored = await restore([s3])
    assert.equal(restored.tip, tip)
    assert.deepEqual(codes(restored), ['BACKUP_DAMAGED'])
  })

  it('says when the clock is behind the backups, and takes no older one in their place', async () => {
    await grow()
    await saveTo(folder)
    world.clock.time += 3 * 3_600_000
    await grow()
    await saveTo(s3)
    world.clock.time -= 2 * 3_600_000 + 5 * 60_000
    await assert.rejects(restore([folder, s3]), {
      code: 'BACKUP_CLOCK',
      message: /is behind the backup .* by 2 hours 5 minutes.*Set the clock/,
    })
    world.clock.time += 3 * 3_600_000
    assert.equal((await restore([folder, s3])).tip, world.node.store.tip().id)
  })

  it('says that nothing could be read', async () => {
    await saveTo(s3)
    for (const { name } of objects(s3, '.car.zst.age')) s3.objects.delete(name)
    await assert.rejects(restore([s3]), { code: 'BACKUP_UNREADABLE', message: /OBJECT_NOT_FOUND/ })
    const [manifest] = objects(s3, '.manifest')
    s3.objects.set(manifest?.name ?? '', { bytes: new Uint8Array(3), stored: 0 })
    await assert.rejects(find([s3]), { code: 'BACKUP_UNREADABLE', message: /BACKUP_MANIFEST/ })
  })

  it('finds nothing where nothing is, and says when it cannot look', async () => {
    assert.equal(await find([postgres, s3]), undefined)
    s3.before = () => {
      throw backupError('DESTINATION_UNREACHABLE', { destination: 's3', why: 'down' })
    }
    await assert.rejects(find([postgres, s3]), { code: 'BACKUP_UNREACHABLE', message: /s3/ })
    await saveTo(postgres)
    assert.equal((await find([postgres, s3]))?.problems[0]?.code, 'DESTINATION_UNREACHABLE')
  })

  it('opens only what was made for the key', async () => {
    await saveTo(s3)
    const other = backupKeyOfKit(seedOf('other kit'))
    await assert.rejects(find([s3], { key: other }), {
      code: 'BACKUP_UNREADABLE',
      message: /another recovery kit than the one that is given or here \(BACKUP_KEY_OTHER\)/,
    })
    await assert.rejects(find([s3], {}), { code: 'BACKUP_KEY_MISSING' })
  })

  it('believes no network that the key does not vouch for', async () => {
    const { node, owner, components } = await createBackupWorld({ name: 'eve' })
    // Eve knows the recipient, which is public, and writes a chain of her own for it.
    const forged = createWriter(components, {
      destination: s3,
      owner: {
        ...owner,
        key: undefined,
        vouched: async () => ({ recipient: key.recipient, root: undefined }),
      },
    })
    await forged.save({ name: 'forged', manual: true, signal })
    await assert.rejects(find([s3]), { code: 'BACKUP_UNREADABLE', message: /BACKUP_DAMAGED/ })
    // Nor does it help her to name what Ada wrote of herself.
    await saveTo(s3)
    const { backups } = await readCatalog(s3, { prefix: '', signal })
    const hers = backups.find(({ manifest }) => manifest.user === node.chain.user)?.manifest
    const adas = backups.find(({ manifest }) => manifest.user !== node.chain.user)?.manifest
    assert.ok(hers !== undefined && adas !== undefined)
    const { signature: _, object: __, bytes: ___, work: ____, ...unsigned } = hers
    const stolen = signManifest({ ...unsigned, person: adas.person }, components.signer.sign)
    const eves = createMemoryDestination({ name: 'eves' })
    for (const name of [adas.person?.name ?? '', stolen.object]) {
      const bytes = name === stolen.object ? stolen.bytes : s3.objects.get(name)?.bytes
      await eves.put(name, bytes ?? assert.fail(), { signal })
    }
    await assert.rejects(find([eves]), { code: 'BACKUP_UNREADABLE', message: /BACKUP_FORGED/ })
    const found = await find([s3])
    assert.equal(found?.user, world.node.chain.user)
    assert.ok(found?.backups.every(({ manifest }) => manifest.user !== node.chain.user))
  })

  it('leaves other networks alone when it knows which one it wants', async () => {
    await saveTo(s3)
    const found = findBackups(
      { destinations: [s3], logger },
      { opener: { key }, network: world.node.store.tip().id as never },
      signal,
    )
    await assert.rejects(found, {
      code: 'BACKUP_NETWORK',
      message: new RegExp(
        `s3 are of the network ${world.node.chain.network}, .* is of the network .*--new-network`,
      ),
    })
  })

  it('never goes back behind what is here by itself', async () => {
    await saveTo(s3)
    const found = (await find([s3])) ?? assert.fail()
    const { height, chainwork } = world.node.store.tip()
    checkNotBehind(found.backups, { height, chainwork })
    await grow()
    assert.throws(() => checkNotBehind(found.backups, world.node.store.tip()), {
      code: 'BACKUP_BEHIND',
    })
  })

  it('takes the one that is asked for', async () => {
    const writer = createWriter(world.components, { destination: s3, owner: world.owner })
    const save = (name: string) => writer.save({ name, manual: true, signal })
    await save('first')
    const time = world.clock.time
    await grow()
    await save('second')
    const found = (await find([s3])) ?? assert.fail()
    const named = (selection: Parameters<typeof selected>[1]) =>
      selected(found.backups, selection).map(({ manifest }) => manifest.name)
    assert.deepEqual(named({}), ['second', 'first'])
    assert.deepEqual(named({ id: '0' }), ['first'])
    assert.deepEqual(named({ id: 'second' }), ['second'])
    assert.deepEqual(named({ time }), ['first'])
    const { object } = found.backups[0]?.manifest ?? assert.fail()
    assert.deepEqual(named({ id: object }), ['second'])
    assert.deepEqual(named({ id: object.slice(object.lastIndexOf('/') + 1, -20) }), ['second'])
    assert.throws(() => named({ id: 'third' }), { code: 'BACKUP_NONE' })
    assert.throws(() => named({ time: 0 }), { code: 'BACKUP_NONE' })
  })

  it('notices a manifest that promises more than its segments hold', async () => {
    await saveTo(postgres)
    await grow()
    await saveTo(s3)
    // The segments of the longer backup are replaced by none: only the promise is left.
    const promise = objects(s3, '.manifest')[0]?.name ?? assert.fail()
    assert.equal(manifestNumber(promise), 0)
    for (const { name } of objects(s3, '.car.zst.age')) s3.objects.delete(name)
    const restored = await restore([postgres, s3])
    assert.deepEqual(codes(restored), ['OBJECT_NOT_FOUND'])
    assert.equal(restored.height, 1)
  })

  it('BACKUP_INCOMPLETE: a manifest that promises more work than its tip has', async () => {
    await saveTo(postgres)
    const { backups } = await readCatalog(postgres, { prefix: '', signal })
    const {
      signature: _,
      object: __,
      bytes: ___,
      work: ____,
      ...unsigned
    } = backups[0]?.manifest ?? assert.fail()
    const chainwork = new Uint8Array(32).fill(1)
    const promise = signManifest(
      { ...unsigned, number: 1, chainwork },
      world.components.signer.sign,
    )
    await postgres.put(promise.object, promise.bytes, { signal })
    const restored = await restore([postgres])
    assert.deepEqual(codes(restored), ['BACKUP_INCOMPLETE'])
    assert.equal(restored.sources[0]?.object, backups[0]?.manifest.object, 'the one before')
  })
})
