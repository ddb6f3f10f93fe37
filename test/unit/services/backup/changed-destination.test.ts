import assert from 'node:assert/strict'
import { silentLogger } from '../../../../src/common/logger.ts'
import { readCatalog } from '../../../../src/services/backup/catalog.ts'
import { findBackups } from '../../../../src/services/backup/find.ts'
import { manifestNumber } from '../../../../src/services/backup/manifest.ts'
import { restoreBackups } from '../../../../src/services/backup/restore.ts'
import {
  type BackupWriter,
  createWriter,
  type Saved,
} from '../../../../src/services/backup/writer.ts'
import { type BackupWorld, createBackupWorld, key } from '../../../helpers/backup-world.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal
const HALF_AN_HOUR = 1_800_001

describe('writing backups where others are at work', () => {
  let world: BackupWorld
  let destination: MemoryDestination
  let writer: BackupWriter
  const errors: string[] = []

  const save = (more = {}): Promise<Saved | undefined> =>
    writer.save({ name: 'test', manual: false, signal, ...more })
  const objects = (end: string): string[] =>
    [...destination.objects.keys()].filter((name) => name.endsWith(end))

  beforeEach(async () => {
    errors.length = 0
    const logger: typeof silentLogger = {
      ...silentLogger,
      child: () => logger,
      error: (message) => {
        errors.push(message)
      },
    }
    world = await createBackupWorld()
    destination = createMemoryDestination({ now: world.clock.now })
    writer = createWriter({ ...world.components, logger }, { destination, owner: world.owner })
    world.node.events.on('record:pending', ({ record }) => writer.note(record))
    world.node.events.on('block:disconnect', () => writer.unsure())
  })

  /** Restores into an empty chain, without a problem, and compares with the node's. */
  const assertRestores = async (isLastAlone = false): Promise<void> => {
    const opener = { key }
    const found = await findBackups(
      { destinations: [destination], logger: silentLogger },
      { opener },
      signal,
    )
    const all = found?.backups ?? []
    const [last] = all.toSorted((a, b) => b.manifest.number - a.manifest.number)
    const backups = isLastAlone && last !== undefined ? [last] : all
    const target = world.scratch()
    try {
      const components = { target, clock: world.clock, logger: silentLogger }
      const { problems } = await restoreBackups(components, { backups, key }, signal)
      assert.deepEqual(problems, [])
      assert.equal(target.store.tip().id, world.node.store.tip().id)
      const waiting = ({ store }: Pick<typeof target, 'store'>): string[] =>
        store
          .pending(1000)
          .map(({ record }) => record.id)
          .sort()
      assert.deepEqual(waiting(target), waiting(world.node))
    } finally {
      await target.close()
    }
  }

  describe('at a destination that changes behind their back', () => {
    beforeEach(async () => {
      for (let n = 0; n < 3; n++) {
        await world.say()
        await world.mine()
        await save()
      }
    })

    /** A busy node, which saves every ten minutes. */
    const goOn = async (): Promise<void> => {
      for (let passed = 0; passed < HALF_AN_HOUR; passed += 600_000) {
        world.clock.time += 600_000
        await world.say()
        await save()
      }
    }

    it('are whole again within half an hour after it was emptied, and say so', async () => {
      destination.objects.clear()
      await goOn()
      await assertRestores(true)
      assert.match(errors.join('\n'), /Parts of the last backup are gone/)
    })

    it('are whole again after segments were removed, and say so', async () => {
      for (const name of objects('.car.zst.age').slice(1)) destination.objects.delete(name)
      await goOn()
      await assertRestores(true)
      assert.match(errors.join('\n'), /Parts of the last backup are gone/)
    })

    it('say again what brings the user back, after that was removed', async () => {
      for (const name of objects('.person.age')) destination.objects.delete(name)
      await goOn()
      assert.equal(objects('.person.age').length, 1)
      await assertRestores(true)
    })

    it('go on where an older state was put in its place, say so, and use no number twice', async () => {
      for (const name of objects('.manifest').slice(1)) destination.objects.delete(name)
      world.clock.time += HALF_AN_HOUR
      await goOn()
      await assertRestores(true)
      assert.match(errors.join('\n'), /newest backup is gone/)
      const numbers = destination.puts.map(manifestNumber).filter((one) => one !== undefined)
      assert.equal(new Set(numbers).size, numbers.length)
    })

    it('write nothing where nobody did anything', async () => {
      const { length } = destination.puts
      world.clock.time += HALF_AN_HOUR
      assert.equal(await save(), undefined)
      assert.equal(destination.puts.length, length)
      assert.deepEqual(errors, [])
    })

    it('carry what waits, although a copy of this device wrote there too', async () => {
      await world.say('mine alone')
      await save()
      const copy = await createBackupWorld()
      copy.clock.time = world.clock.time
      const beside = createWriter(copy.components, { destination, owner: copy.owner })
      for (let n = 0; n < 9; n++) await beside.save({ name: 'copy', manual: true, signal })
      await goOn()
      await assertRestores(true)
    })
  })

  it('are named as far as they are when they take long, and go on from there', async () => {
    for (let n = 0; n < 12; n++) {
      for (let file = 0; file < 600; file++) await world.say(`${n} ${file} ${'x'.repeat(180)}`)
      await world.mine()
    }
    destination.before = (call, name) => {
      if (call === 'put' && name.endsWith('.car.zst.age')) world.clock.time += 700_000
    }
    const saved = await save({ manual: true })
    assert.ok(objects('.car.zst.age').length > 1)
    assert.equal(objects('.manifest').length, objects('.car.zst.age').length)
    assert.equal(saved?.height, world.node.store.tip().height)
    await assertRestores(true)
    const { backups } = await readCatalog(destination, { prefix: '', signal })
    const byHand = backups.filter(({ manifest }) => manifest.manual === 1)
    assert.equal(byHand.length, 1, 'one of them is what was asked for')
  }).timeout(20_000)

  it('BACKUP_INTERRUPTED: begin anew when the computer slept in the middle', async () => {
    await world.say()
    destination.before = (call, name) => {
      if (call === 'put' && name.endsWith('.car.zst.age')) world.clock.time += 7_200_000
    }
    await assert.rejects(save(), { code: 'BACKUP_INTERRUPTED' })
    destination.objects.clear()
    destination.before = () => {}
    await save()
    await assertRestores(true)
  })
})
