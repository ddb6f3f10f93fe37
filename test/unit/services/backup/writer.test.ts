import assert from 'node:assert/strict'
import { signRecord } from '../../../../src/chain/codec.ts'
import { signEd25519 } from '../../../../src/common/crypto.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { backupRoot } from '../../../../src/common/recovery-keys.ts'
import { lastFirst, readCatalog } from '../../../../src/services/backup/catalog.ts'
import { type Found, findBackups } from '../../../../src/services/backup/find.ts'
import { backupKeyOfKit } from '../../../../src/services/backup/keys.ts'
import { planSave } from '../../../../src/services/backup/lineage.ts'
import { manifestNumber, signManifest } from '../../../../src/services/backup/manifest.ts'
import { restoreBackups } from '../../../../src/services/backup/restore.ts'
import type { Owner } from '../../../../src/services/backup/standing.ts'
import { type BackupWriter, createWriter } from '../../../../src/services/backup/writer.ts'
import { type BackupWorld, createBackupWorld, key } from '../../../helpers/backup-world.ts'
import { seedOf } from '../../../helpers/chain-node.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal
const logger = silentLogger

describe('writing backups', () => {
  let world: BackupWorld
  let destination: MemoryDestination
  let writer: BackupWriter

  const open = (at = destination, of = world): BackupWriter => {
    const made = createWriter(of.components, { destination: at, owner: of.owner })
    of.node.events.on('record:pending', ({ record }) => made.note(record))
    of.node.events.on('block:disconnect', () => made.unsure())
    return made
  }
  const save = (by = writer, more = {}) => by.save({ name: 'test', manual: false, signal, ...more })
  const find = async (): Promise<Found> => {
    const found = await findBackups(
      { destinations: [destination], logger },
      { opener: { key } },
      signal,
    )
    return found ?? assert.fail('nothing was found')
  }
  /** Restores into an empty chain and compares with the node's. */
  const assertRestores = async (): Promise<void> => {
    const found = await find()
    const target = world.scratch()
    try {
      const { problems } = await restoreBackups(
        { target, clock: world.clock, logger },
        { backups: found.backups, key },
        signal,
      )
      assert.deepEqual(problems, [])
      assert.equal(target.store.tip().id, world.node.store.tip().id)
      assert.deepEqual(target.store.stateDigest(), world.node.store.stateDigest())
      const ids = (store: typeof target.store) => store.pending().map(({ record }) => record.id)
      assert.deepEqual(ids(target.store), ids(world.node.store))
    } finally {
      await target.close()
    }
  }

  beforeEach(async () => {
    world = await createBackupWorld()
    destination = createMemoryDestination()
    writer = open()
  })

  it('D4 bring back blocks, state, pending records and the person', async () => {
    for (let n = 0; n < 5; n++) {
      await world.say()
      await world.mine()
    }
    await world.say('pending')
    const saved = await save()
    assert.equal(saved?.height, 6)
    await assertRestores()
    const { person } = await find()
    assert.deepEqual(person.restore, seedOf('ada restore'))
    assert.deepEqual(person.userKeys, [seedOf('ada user')])
    assert.equal(person.userName, 'ada')
  })

  it('write only what is new', async () => {
    await save()
    assert.equal(await save(), undefined, 'nothing is new')
    const { length } = destination.puts
    await world.say()
    assert.equal((await save())?.number, 1)
    assert.equal(destination.puts.length - length, 2, 'a segment and a manifest')
    await world.mine()
    assert.equal((await save())?.number, 2)
    assert.equal((await save(writer, { manual: true }))?.number, 3, 'somebody asked')
    assert.equal(destination.puts.length - length, 5)
    await assertRestores()
  })

  it('keep few segments, and write each record a few times at most', async () => {
    let written = 0
    let one = 0
    for (let n = 0; n < 150; n++) {
      await world.say()
      await world.mine()
      const saved = await save()
      written += saved?.written ?? 0
      if (n === 0) one = saved?.written ?? 0
      assert.ok((saved?.segments ?? 99) <= 3 * 7, `${saved?.segments} segments`)
    }
    assert.ok(written < 150 * one * 3.2, `${written} bytes for 150 records, ${one} for the first`)
    await assertRestores()
  })

  it('go on where a program before has stopped', async () => {
    await world.say()
    await world.mine()
    await save()
    const { length } = destination.puts
    const next = open()
    await world.say()
    const saved = await save(next)
    assert.equal(saved?.number, 1)
    assert.deepEqual(
      destination.puts.slice(length).map((name) => name.slice(name.indexOf('.'))),
      ['.person.age', '.car.zst.age', '.manifest'],
    )
    await assertRestores()
  })

  it('leave the backup before as it was when they are interrupted', async () => {
    await save()
    const manifests = () =>
      [...destination.objects.keys()].filter((name) => manifestNumber(name) !== undefined)
    await world.say()
    destination.before = (call, name) => {
      if (call === 'put' && name.endsWith('.manifest')) throw new Error('cut')
    }
    await assert.rejects(save(), /cut/)
    assert.equal(manifests().length, 1)
    destination.before = () => {}
    assert.equal((await save())?.number, 2, 'the one before may have arrived')
    await assertRestores()
  })

  it('survive a failure of any call, also one that stored its object all the same', async function () {
    this.timeout(20_000)
    for (let failing = 0; failing < 24; failing++) {
      world = await createBackupWorld()
      destination = createMemoryDestination()
      writer = open()
      const { put } = destination
      let calls = 0
      destination.before = (call) => {
        calls += 1
        if (calls === failing && call !== 'put') throw new Error('cut')
      }
      destination.put = async (name, bytes, options) => {
        await put(name, bytes, options)
        if (calls === failing) throw new Error('cut after all')
      }
      for (let n = 0; n < 6; n++) {
        await world.say()
        if (n % 2 === 1) await world.mine()
        await save().catch(() => {})
        // Another program on the same device, now and then.
        if (n === 3) writer = open()
      }
      calls = 100
      await world.say('last')
      await save()
      await assertRestores()
    }
  })

  it('are the newest although the clock went back', async () => {
    await save()
    for (const name of ['one', 'two', 'three', 'four']) {
      world.clock.time -= 10_000
      await world.say(name)
      await save()
    }
    await assertRestores()
  })

  it('have a number each, also one whose answer was lost', async () => {
    const { put } = destination
    destination.put = async (name, bytes, options) => {
      await put(name, bytes, options)
      if (name.endsWith('.manifest')) throw new Error('cut after all')
    }
    await assert.rejects(save(), /cut/)
    destination.put = put
    await world.say('last')
    assert.equal((await save())?.number, 1)
    await assertRestores()
  })

  it('follow the chain into another branch', async () => {
    const rival = await createBackupWorld()
    await save()
    for (const each of [world, rival]) {
      await each.say(each === world ? 'ours' : 'theirs')
      await each.mine()
    }
    await save()
    const other = rival.node.store
    await rival.say('more')
    await rival.mine()
    const headers = other.mainHeaders(1, 100)
    await world.node.chain.planHeaders(headers, rival.node.device)
    const bodies = [1, 2, 3].map((height) => {
      const id = other.idAt(height) ?? assert.fail()
      return { id, body: other.body(id) ?? assert.fail() }
    })
    await world.node.chain.acceptBodies(bodies, rival.node.device)
    assert.equal(world.node.store.tip().id, other.tip().id, 'a reorg')
    assert.ok(world.node.store.pendingCount() > 0, 'what was said here is pending')
    await save()
    await assertRestores()
  })

  it('begin anew when the chain changes its mind while they are written', async () => {
    const rival = await createBackupWorld()
    await world.say('ours')
    await world.mine()
    await rival.say('theirs')
    await rival.mine()
    await rival.say('more')
    await rival.mine()
    const other = rival.node.store
    let switched = false
    destination.before = async (call, name) => {
      if (call !== 'put' || !name.endsWith('.car.zst.age') || switched) return
      switched = true
      await world.node.chain.planHeaders(other.mainHeaders(1, 100), rival.node.device)
      const bodies = [1, 2, 3].map((height) => {
        const id = other.idAt(height) ?? assert.fail()
        return { id, body: other.body(id) ?? assert.fail() }
      })
      await world.node.chain.acceptBodies(bodies, rival.node.device)
    }
    const saved = await save()
    assert.ok(switched && world.node.store.tip().id === other.tip().id, 'a reorg')
    assert.equal(saved?.height, 3)
    await assertRestores()
  })

  it('write everything anew when they are asked to, or when the last one is damaged', async () => {
    await world.say()
    await world.mine()
    await save()
    for (const name of destination.objects.keys()) {
      if (name.endsWith('.car.zst.age')) destination.objects.delete(name)
    }
    assert.equal((await save(writer, { full: true, manual: true }))?.number, 1)
    await assertRestores()
  })

  it('tell where IPFS has their manifest', async () => {
    const { put } = destination
    destination.put = (name, bytes, options) => {
      options.onPlace?.(`bafk-${name.slice(-8)}`, `https://gateway.example/ipfs/${name}`)
      return put(name, bytes, options)
    }
    const saved = await save()
    assert.deepEqual(saved?.place, {
      cid: 'bafk-manifest',
      link: `https://gateway.example/ipfs/${saved?.object}`,
    })
  })

  it('wait until the device has a user', async () => {
    const owner = { ...world.owner, user: () => undefined }
    const early = createWriter(world.components, { destination, owner })
    await assert.rejects(save(early), { code: 'BACKUP_NOT_READY' })
  })

  it('are encrypted for the recipient that an own device has signed, where the kit is not here', async () => {
    const owner = { ...world.owner, key: undefined }
    const without = createWriter(world.components, { destination, owner })
    await assert.rejects(save(without), { code: 'BACKUP_NO_RECIPIENT' })
    await save()
    await world.say()
    const saved = await save(without)
    assert.equal(saved?.number, 1)
    const { backups } = await readCatalog(destination, { prefix: '', signal })
    const found = backups.map(({ manifest }) => manifest)
    assert.ok(found.every(({ recipient }) => recipient === key.recipient))
    assert.ok(
      found.every(({ person }) => person?.name === found[0]?.person?.name),
      'it names the person',
    )
    await assertRestores()
  })

  it('are encrypted for whom the kit has vouched, where the kit is not here and nobody wrote before', async () => {
    const user = world.node.chain.user ?? assert.fail()
    const root = backupRoot(key.secret, world.owner.network, user)
    const recipient = key.recipient
    let known: Uint8Array | undefined
    const owner: Owner = {
      ...world.owner,
      key: undefined,
      vouched: async () => ({ recipient, root: known }),
    }
    const without = createWriter(world.components, { destination, owner })
    await save(without)
    const newest = async () => {
      const { backups } = await readCatalog(destination, { prefix: '', signal })
      return backups.toSorted(lastFirst)[0]?.manifest ?? assert.fail()
    }
    assert.equal((await newest()).person, null, 'it cannot say whose it is yet')
    known = root
    await save(without)
    const { person } = await newest()
    assert.ok(person !== null)
    await assertRestores()
    // What a device with the key wrote there says more, and stays.
    await save(createWriter(world.components, { destination, owner: world.owner }))
    const better = (await newest()).person?.name
    assert.notEqual(better, person.name)
  })

  it('are for nobody else than the kit has vouched for, whatever stands at the destination', async () => {
    const other = backupKeyOfKit(seedOf('the kit of a thief'))
    // A stolen device, not yet revoked, names another recipient in a backup of its own.
    await save(
      createWriter(world.components, { destination, owner: { ...world.owner, key: other } }),
    )
    const vouched = async () => ({ recipient: key.recipient, root: undefined })
    const owner = { ...world.owner, key: undefined, vouched }
    await world.say()
    const saved = await save(createWriter(world.components, { destination, owner }))
    const { backups } = await readCatalog(destination, { prefix: '', signal })
    const found = backups.find(({ manifest }) => manifest.object === saved?.object)?.manifest
    assert.equal(found?.recipient, key.recipient)
    assert.equal(found?.person, null)
  })

  it('take no recipient from a stranger', async () => {
    const eve = await createBackupWorld({ name: 'eve' })
    const forger = createWriter(
      {
        ...eve.components,
        signer: { device: eve.node.device, sign: (message) => signEd25519(seedOf('eve'), message) },
      },
      { destination, owner: eve.owner },
    )
    await forger.save({ name: 'forged', manual: true, signal })
    const owner = { ...world.owner, key: undefined }
    const without = createWriter(world.components, { destination, owner })
    await assert.rejects(save(without), { code: 'BACKUP_NO_RECIPIENT' })
    // One who says that her device is Ada's: the signatures hold, the admission does not.
    const { backups } = await readCatalog(destination, { prefix: '', signal })
    const {
      signature: _,
      object: __,
      bytes: ___,
      work: ____,
      ...unsigned
    } = backups[0]?.manifest ?? assert.fail()
    const user = world.node.chain.user ?? assert.fail()
    const sign = (message: Uint8Array) => signEd25519(seedOf('eve'), message)
    const admission = signRecord(
      {
        type: 'device.add',
        network: world.owner.network,
        user,
        device: eve.node.device,
        sequence: 0,
        previous: null,
        seen: world.node.store.tip().id,
        time: 1,
        body: {
          name: 'phone',
          encryptionKey: seedOf('x'),
          proof: { type: 'restore', signature: new Uint8Array(64) },
        },
      },
      sign,
    )
    const forged = signManifest({ ...unsigned, user, admission: admission.bytes }, sign)
    await destination.put(forged.object, forged.bytes, { signal })
    const all = await readCatalog(destination, { prefix: '', signal })
    assert.ok(all.backups.some(({ manifest }) => manifest.user === user))
    await assert.rejects(save(without), { code: 'BACKUP_NO_RECIPIENT' })
  })

  it('look through all pending records when the chain has left a segment', async () => {
    await world.say('a.txt')
    const { store } = world.node
    const tip = store.tip()
    const entry = {
      sha256: new Uint8Array(32),
      size: 1,
      plain: 1,
      tier: 0,
      from: 1,
      to: tip.height,
      tip: store.idAt(0) ?? assert.fail(),
      records: 0,
    }
    const left = planSave(store, [{ entry, carried: new Set() }], [])
    assert.equal(left?.after, 0)
    assert.equal(left.records.length, 1)
    const good = { entry: { ...entry, tip: tip.id }, carried: new Set<never>() }
    assert.equal(planSave(store, [good], []), undefined)
    assert.equal(planSave(store, [good], undefined)?.records.length, 1)
  })
})
