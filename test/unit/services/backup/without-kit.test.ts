import assert from 'node:assert/strict'
import { admissionMessage } from '../../../../src/chain/admissions.ts'
import { signRecord } from '../../../../src/chain/codec.ts'
import { deviceIdOf, type NetworkId, type UserId } from '../../../../src/chain/ids.ts'
import type { UnsignedRecord } from '../../../../src/chain/record.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { backupRoot } from '../../../../src/common/recovery-keys.ts'
import { type Backups, createBackups } from '../../../../src/services/backup/backups.ts'
import { lastFirst, readCatalog } from '../../../../src/services/backup/catalog.ts'
import { othersDrill, tellDrill } from '../../../../src/services/backup/drill-notice.ts'
import { findBackups } from '../../../../src/services/backup/find.ts'
import { backupKeyOfKit } from '../../../../src/services/backup/keys.ts'
import { signManifest } from '../../../../src/services/backup/manifest.ts'
import type { Owner } from '../../../../src/services/backup/standing.ts'
import { verifyDestination } from '../../../../src/services/backup/verify.ts'
import { createWriter } from '../../../../src/services/backup/writer.ts'
import {
  type BackupWorld,
  createBackupWorld,
  key,
  verifier,
} from '../../../helpers/backup-world.ts'
import { seedOf } from '../../../helpers/chain-node.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal

describe('backups on a device without the recovery kit', () => {
  let world: BackupWorld
  let destination: MemoryDestination
  let owner: Owner
  let network: NetworkId
  let user: UserId
  let backups: Backups

  const turns = async (): Promise<void> => {
    for (let n = 0; n < 300; n++) await new Promise(setImmediate)
  }
  const open = (of: Owner): Backups =>
    createBackups(
      {
        ...world.components,
        destinations: [destination],
        owner: of,
        verifier,
        chain: world.node.chain,
        events: world.node.events,
      },
      { params: world.node.params },
    )
  const drilled = () => backups.status()[0]?.drilled

  beforeEach(async () => {
    world = await createBackupWorld()
    network = world.owner.network
    user = world.node.chain.user ?? assert.fail()
    destination = createMemoryDestination({ name: 'one', kind: 's3', now: world.clock.now })
    owner = {
      ...world.owner,
      key: undefined,
      vouched: async () => ({ recipient: key.recipient, root: undefined }),
    }
    backups = open(owner)
  })
  afterEach(async () => {
    const stopping = backups.stop()
    for (let n = 0; n < 100; n++) {
      world.clock.time += 100
      await new Promise(setImmediate)
    }
    await stopping
  })

  it('are compared with what was written, as far as it goes', async () => {
    await world.say()
    await world.mine()
    await backups.save({ name: 'first' }, signal)
    const verified = await backups.verify('one', signal)
    assert.deepEqual([verified.opened, verified.problems], [false, []])
    const [segment = assert.fail()] = [...destination.objects].filter(([name]) =>
      name.endsWith('.car.zst.age'),
    )
    segment[1].bytes[9] = (segment[1].bytes[9] ?? 0) ^ 1
    const damaged = await backups.verify('one', signal)
    assert.deepEqual(
      damaged.problems.map(({ code, object }) => [code, object]),
      [['BACKUP_DAMAGED', segment[0]]],
    )
  })

  it('are compared with what their manifest says and with the chain here', async () => {
    for (let n = 0; n < 2; n++) {
      await world.say()
      await world.mine()
      await createWriter(world.components, { destination, owner: world.owner }).save({
        name: 'test',
        manual: true,
        signal,
      })
    }
    const about = {
      network,
      user,
      key: undefined,
      recipient: key.recipient,
      chain: world.node.store,
    }
    const { backups: found } = await readCatalog(destination, { prefix: '', signal })
    const { manifest } = found.toSorted(lastFirst)[0] ?? assert.fail()
    const { signature: _, object: __, bytes: ___, work: ____, ...unsigned } = manifest
    assert.equal(unsigned.segments.length, 2)
    const problemsOf = async (change: Partial<typeof unsigned>): Promise<string[]> => {
      const changed = signManifest({ ...unsigned, ...change }, world.components.signer.sign)
      await destination.put(changed.object, changed.bytes, { signal })
      const { object } = changed
      const { problems } = await verifyDestination(destination, { ...about, object }, signal)
      return problems.map(({ code, message }) => `${code} ${message}`)
    }
    assert.deepEqual(await problemsOf({ time: 1 }), [])
    const [gap = ''] = await problemsOf({ segments: unsigned.segments.slice(1) })
    assert.match(gap, /BACKUP_DAMAGED .*block 1 is in no segment/)
    const [short = ''] = await problemsOf({ segments: unsigned.segments.slice(0, 1) })
    assert.match(short, /BACKUP_DAMAGED .*do not lead to the tip/)
    const [work = ''] = await problemsOf({ chainwork: new Uint8Array(32).fill(9) })
    assert.match(work, /BACKUP_DAMAGED .*another work/)
    const { recipient } = backupKeyOfKit(seedOf('other'))
    assert.match((await problemsOf({ recipient }))[0] ?? '', /BACKUP_KEY_OTHER/)
  })

  it('are no reason to come back without the restore key that others have written', async () => {
    const root = backupRoot(key.secret, network, user)
    const vouched = async () => ({ recipient: key.recipient, root })
    const person = async () => ({ ...(await world.owner.person()), restore: undefined })
    const other = createMemoryDestination({ name: 'two', kind: 'postgres', now: world.clock.now })
    const save = (at: MemoryDestination, of: Owner) =>
      createWriter(world.components, { destination: at, owner: of }).save({
        name: 'test',
        manual: true,
        signal,
      })
    const find = (...destinations: MemoryDestination[]) =>
      findBackups({ destinations, logger: silentLogger }, { opener: { key } }, signal)
    await save(destination, world.owner)
    await world.say()
    await world.mine()
    await save(other, { ...owner, vouched, person })
    assert.equal((await find(other))?.person.restore, undefined, 'the kit brings this back')
    const found = await find(destination, other)
    assert.deepEqual(found?.person.restore, (await world.owner.person()).restore)
    assert.equal(found?.backups[0]?.destination, other, 'the newest')
  })

  it('BACKUP_DRILL_KEY: are practised by a device with the kit', async () => {
    await backups.save({ name: 'first' }, signal)
    await assert.rejects(backups.drill('one', signal), {
      code: 'BACKUP_DRILL_KEY',
      message: /on the device of yours that has the recovery kit/,
    })
    assert.equal(drilled(), undefined)
  })

  describe('that others practise', () => {
    const seed = seedOf('desk')
    const publicKey = publicKeyOf('ed25519', seed)
    const desk = deviceIdOf(publicKey)

    /** A second device of Ada's. */
    beforeEach(async () => {
      const encryptionKey = seedOf('desk encryption')
      const message = admissionMessage({ network, user, device: desk, encryptionKey })
      const admission = signRecord(
        {
          type: 'device.add',
          network,
          user,
          device: desk,
          sequence: 0,
          previous: null,
          seen: world.node.store.tip().id,
          time: world.clock.now(),
          body: {
            name: 'desk',
            encryptionKey,
            proof: {
              type: 'device',
              device: publicKeyOf('ed25519', seedOf('ada')),
              signature: world.components.signer.sign(message),
            },
          },
        } as UnsignedRecord,
        (bytes) => signEd25519(seed, bytes),
      )
      await world.node.chain.acceptRecords([admission.bytes], desk)
      await world.mine()
    })
    const tell = (more: Partial<Parameters<typeof tellDrill>[1]> = {}, by = seed) =>
      tellDrill(
        destination,
        { network, user, device: publicKey, time: world.clock.now(), code: null, ...more },
        (message) => signEd25519(by, message),
        signal,
      )
    const found = (device: string = world.node.device) =>
      othersDrill(
        { destination, store: world.node.store },
        { network, user, device, now: world.clock.now() },
        signal,
      )

    it('are known to be practised, and by which device', async () => {
      await backups.save({ name: 'first' }, signal)
      await tell()
      await backups.start()
      await turns()
      assert.deepEqual(drilled(), { time: world.clock.now(), code: null, by: 'desk' })
      world.clock.time += 3_600_000
      await tell({ code: 'BACKUP_DIFFERS' })
      await turns()
      world.clock.time += 3_600_000
      await turns()
      assert.equal(drilled()?.code, 'BACKUP_DIFFERS')
    })

    it('are told of by who practised, and that stays when old objects go', async () => {
      const withKey = open(world.owner)
      await withKey.save({ name: 'first' }, signal)
      await withKey.drill('one', signal)
      assert.deepEqual(await found(desk), {
        time: world.clock.now(),
        code: null,
        by: "ada's laptop",
      })
      assert.equal(await found(), undefined, 'of itself a device knows')
      for (let n = 0; n < 3; n++) {
        await withKey.prune('one', signal)
        world.clock.time += 4_000_000
      }
      assert.ok((await found(desk)) !== undefined)
    })

    it('are not believed from others', async () => {
      await tell({}, seedOf('eve'))
      assert.equal(await found(), undefined, 'another signature')
      await tell({ user: world.node.store.tip().id as never })
      assert.equal(await found(), undefined, 'another user')
      const eve = publicKeyOf('ed25519', seedOf('eve'))
      await tell({ device: eve }, seedOf('eve'))
      assert.equal(await found(), undefined, 'no device of the user')
      await tell({ time: world.clock.now() + 9_000_000 })
      assert.equal((await found())?.time, world.clock.now(), 'nobody practises in the future')
    })
  })
})
