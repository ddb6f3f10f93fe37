import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { readNetwork } from '../../../src/node/network-choice.ts'
import { type CairnNode, createNode } from '../../../src/node/node.ts'
import { type RestoreOptions, restoreDirectory } from '../../../src/node/restoring.ts'
import { readCatalog } from '../../../src/services/backup/catalog.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import { createFolderDestination } from '../../../src/services/backup/destinations/folder.ts'
import { backupError } from '../../../src/services/backup/errors.ts'
import { backupKeyOfKit } from '../../../src/services/backup/keys.ts'
import { createUnseen } from '../../../src/services/backup/unseen.ts'
import { createWriter } from '../../../src/services/backup/writer.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import { ALL_WORK, forgedManifest } from '../../helpers/backup/forged.ts'
import { type BackupWorld, createBackupWorld, key, kit } from '../../helpers/backup-world.ts'
import { seedOf } from '../../helpers/chain-node.ts'
import { until } from '../network/nodes.ts'

const signal = new AbortController().signal

describe('a data directory from backups', function () {
  this.timeout(30_000)
  let root: string
  let dataDir: string
  let world: BackupWorld
  let folder: Destination
  const running = new Set<CairnNode>()

  const save = async (): Promise<void> => {
    const writer = createWriter(world.components, { destination: folder, owner: world.owner })
    await writer.save({ name: 'test', manual: true, signal })
  }
  const restore = (more: Partial<RestoreOptions> = {}) =>
    restoreDirectory(
      { dataDir, logger: silentLogger, destinations: [folder], key, ...more },
      signal,
    )
  const start = async (prepare?: (node: CairnNode) => void): Promise<CairnNode> => {
    const node = await createNode(
      {
        dataDir,
        name: 'nobody',
        deviceName: 'nothing',
        listen: [],
        difficultyFloor: 1,
        version: 'test',
        logger: silentLogger,
      },
      AbortSignal.timeout(20_000),
    )
    prepare?.(node)
    await node.start()
    running.add(node)
    return node
  }
  const stop = async (node: CairnNode): Promise<void> => {
    running.delete(node)
    await node.stop()
  }
  const away = (): Destination => ({
    ...folder,
    list: async () => {
      throw backupError('DESTINATION_UNREACHABLE', { destination: 'folder', why: 'unplugged' })
    },
  })

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'cairn-restore-'))
    dataDir = join(root, 'data')
    world = await createBackupWorld()
    folder = createFolderDestination({ clock: systemClock }, { path: join(root, 'backups') })
  })
  afterEach(async () => {
    for (const node of running) await stop(node)
    await rm(root, { recursive: true, force: true })
  })

  it('is a device of the user, which admits itself, with all that was there', async () => {
    await world.say('confirmed.txt')
    await world.mine()
    await world.say('pending.txt')
    await save()
    const restored = (await restore()) ?? assert.fail('nothing was restored')
    assert.equal(restored.height, 2)
    assert.equal(restored.user, world.node.chain.user)
    assert.equal(restored.putAside, undefined)
    assert.notEqual(restored.device, world.node.device)
    const node = await start()
    assert.equal(node.founded, false)
    assert.equal(node.identity.device, restored.device)
    assert.equal(node.identity.user, world.node.chain.user)
    assert.equal(node.identity.userName, 'ada')
    const isIn = (): boolean =>
      node.members.devices().some(({ device, active }) => device === restored.device && active)
    await until(isIn, 'the device is admitted by the restore key', 20_000)
    const names = node.files.list({ limit: 10 }).items.map(({ name }) => name)
    assert.deepEqual(names.sort(), ['confirmed.txt', 'pending.txt'])
    await stop(node)
    assert.equal(await restore(), undefined, 'a directory with a network stays as it is')
  })

  it('opens with the recovery kit too, which it keeps', async () => {
    await save()
    const restored = await restore({ key: undefined, kit, deviceName: 'new laptop' })
    assert.ok(restored !== undefined)
    const node = await start()
    assert.equal((await node.recovery.show()).length, 24)
    await until(() => node.identity.deviceName === 'new laptop', 'its name', 20_000)
  })

  it('is left alone when there are no backups, or no destinations', async () => {
    assert.equal(await restore(), undefined)
    assert.equal(await restore({ destinations: [] }), undefined)
    const node = await start()
    assert.equal(node.founded, true)
  })

  it('begins no new network while a destination cannot be reached, unless told to', async () => {
    await save()
    const why = /cannot be read \(.+: .+\)/
    await assert.rejects(restore({ destinations: [away()] }), {
      code: 'BACKUP_UNREACHABLE',
      message: why,
    })
    assert.equal(existsSync(join(dataDir, 'network.json')), false)
    assert.equal(await restore({ destinations: [away()], newNetwork: true }), undefined)
    assert.ok((await restore()) !== undefined, 'it comes back later')
  })

  it('begins none either when the backups do not open', async () => {
    await save()
    const other = backupKeyOfKit(seedOf('other kit'))
    await assert.rejects(restore({ key: other }), { code: 'BACKUP_UNREADABLE' })
    await assert.rejects(restore({ key: undefined }), { code: 'BACKUP_KEY_MISSING' })
    assert.equal(existsSync(join(dataDir, 'network.json')), false)
  })

  it('goes on where it was interrupted, with the same device', async () => {
    await world.say()
    await world.mine()
    await save()
    let gets = 0
    const cut: Destination = {
      ...folder,
      get: (name, given) => {
        if (name.endsWith('.car.zst.age')) gets += 1
        return gets > 0 ? Promise.reject(new Error('cut')) : folder.get(name, given)
      },
    }
    await assert.rejects(restore({ destinations: [cut] }), { code: 'BACKUP_UNREADABLE' })
    assert.ok(existsSync(join(dataDir, 'restoring.json')))
    assert.equal(existsSync(join(dataDir, 'network.json')), false)
    const restored = await restore()
    assert.equal(restored?.height, 2)
    assert.equal(restored.putAside, undefined)
    assert.equal(existsSync(join(dataDir, 'restoring.json')), false)
  })

  it('remembers a destination that fell silent in the middle, unless somebody chose the backup', async () => {
    await world.say('old.txt')
    await world.mine()
    await save()
    const other = createFolderDestination({ clock: systemClock }, { path: join(root, 'other') })
    const fallsSilent: Destination = {
      ...other,
      list: (prefix, given) => folder.list(prefix, given),
      get: (name, given) => {
        if (!name.endsWith('.car.zst.age')) return folder.get(name, given)
        const details = { destination: other.name, seconds: 30 }
        return Promise.reject(backupError('DESTINATION_SLOW', details))
      },
    }
    const destinations = [fallsSilent, folder]
    const chosen = await restore({ destinations, selection: { id: '0' } })
    assert.deepEqual(chosen?.late, [])
    const restored = await restore({ destinations, replace: true })
    assert.equal(restored?.height, 2)
    assert.deepEqual(restored.late, [other.name])
    const { db } = openDatabase({
      path: join(dataDir, 'cairn.sqlite'),
      now: systemClock.now,
      logger: silentLogger,
    })
    const unseen = createUnseen(createChainStore(db))
    assert.deepEqual([unseen.has(other), unseen.has(folder)], [true, false])
    db.close()
  })

  it('leaves what an unfinished try has of another network', async () => {
    await save()
    const cut: Destination = {
      ...folder,
      get: (name, given) =>
        name.endsWith('.car.zst.age') ? Promise.reject(new Error('cut')) : folder.get(name, given),
    }
    await assert.rejects(restore({ destinations: [cut] }), { code: 'BACKUP_UNREADABLE' })
    const params = { ...world.node.params, salt: seedOf('another').subarray(0, 16) }
    world = await createBackupWorld({ params })
    const second = createFolderDestination({ clock: systemClock }, { path: join(root, 'second') })
    const writer = createWriter(world.components, { destination: second, owner: world.owner })
    await writer.save({ name: 'test', manual: true, signal })
    const wanted = world.node.chain.network
    await assert.rejects(restore({ wanted }), { code: 'BACKUP_NETWORK' })
    const restored = await restore({ destinations: [folder, second], wanted })
    assert.equal(restored?.network, wanted)
    assert.equal(restored.user, world.node.chain.user)
    assert.ok(restored.putAside !== undefined)
  })

  it('goes back only when told to, and puts aside what was there', async () => {
    await world.say('old.txt')
    await world.mine()
    await save()
    await restore()
    let mined = 0
    const node = await start((starting) => {
      starting.events.on('block:connect', () => {
        mined += 1
      })
    })
    await until(() => mined > 0, 'a block on top of the backup', 20_000)
    await stop(node)
    await assert.rejects(restore({ replace: true }), { code: 'BACKUP_BEHIND' })
    const back = await restore({ replace: true, allowRollback: true })
    assert.equal(back?.height, 2)
    assert.ok(back.putAside !== undefined)
    assert.ok((await readdir(back.putAside)).includes('keys'))
    const again = await start()
    assert.equal(again.identity.device, back.device)
  })

  it('leaves a directory as it was when what was promised is not there', async () => {
    await world.say('old.txt')
    await world.mine()
    await save()
    await restore()
    let mined = 0
    const node = await start((starting) => {
      starting.events.on('block:connect', () => {
        mined += 1
      })
    })
    await until(() => mined > 0, 'a block on top of the backup', 20_000)
    const { device } = node.identity
    await stop(node)
    const { backups } = await readCatalog(folder, { prefix: '', signal })
    const [{ manifest: real } = assert.fail()] = backups
    const before = (await readdir(dataDir)).sort()
    // Somebody who may write there says that it has all the work of the world.
    const forged = forgedManifest(real, 'eve', { number: 99, chainwork: ALL_WORK })
    await folder.put(forged.object, forged.bytes, { signal })
    await assert.rejects(restore({ replace: true }), { code: 'BACKUP_BEHIND' })
    assert.deepEqual((await readdir(dataDir)).sort(), before)
    const damaged: Destination = {
      ...folder,
      get: async (name, own) => {
        if (name.endsWith('.car.zst.age'))
          throw backupError('BACKUP_DAMAGED', { name, why: 'test' })
        return folder.get(name, own)
      },
    }
    await assert.rejects(restore({ replace: true, allowRollback: true, destinations: [damaged] }), {
      code: 'BACKUP_UNREADABLE',
    })
    assert.deepEqual((await readdir(dataDir)).sort(), before)
    const again = await start()
    assert.equal(again.identity.device, device)
  })

  it('RESTORE_UNFINISHED: no network begins where a restore did not end, unless told to', async () => {
    await world.say('old.txt')
    await world.mine()
    await save()
    const broken: Destination = {
      ...folder,
      get: async (name, own) => {
        if (!name.endsWith('.car.zst.age')) return folder.get(name, own)
        throw backupError('OBJECT_NOT_FOUND', { destination: 'folder', name })
      },
    }
    await assert.rejects(restore({ destinations: [broken] }), { code: 'BACKUP_UNREADABLE' })
    await assert.rejects(start(), { code: 'RESTORE_UNFINISHED' })
    const empty = createFolderDestination({ clock: systemClock }, { path: join(root, 'empty') })
    assert.equal(await restore({ destinations: [empty] }), undefined)
    await assert.rejects(start(), { code: 'RESTORE_UNFINISHED' })
    assert.equal((await restore())?.network, world.node.chain.network, 'it goes on')
    assert.deepEqual(readNetwork(dataDir), world.node.params)
    await stop(await start())
    await rm(dataDir, { recursive: true })
    await assert.rejects(restore({ destinations: [broken] }), { code: 'BACKUP_UNREADABLE' })
    assert.equal(await restore({ destinations: [broken], newNetwork: true }), undefined)
    assert.equal((await start()).founded, true)
  })
})
