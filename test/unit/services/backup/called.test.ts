import assert from 'node:assert/strict'
import { deviceIdOf } from '../../../../src/chain/ids.ts'
import { publicKeyOf } from '../../../../src/common/crypto.ts'
import { calledOf, isCalled, shortNames } from '../../../../src/services/backup/called.ts'
import { type CatalogEntry, readCatalog } from '../../../../src/services/backup/catalog.ts'
import { listBackups } from '../../../../src/services/backup/listing.ts'
import { selected } from '../../../../src/services/backup/selection.ts'
import { createWriter } from '../../../../src/services/backup/writer.ts'
import { type BackupWorld, createBackupWorld } from '../../../helpers/backup-world.ts'
import { seedOf } from '../../../helpers/chain-node.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal

describe('what backups are called', () => {
  let ada: BackupWorld
  let ben: BackupWorld
  let one: MemoryDestination
  let two: MemoryDestination

  const save = (world: BackupWorld, destination: MemoryDestination, name: string) =>
    createWriter(world.components, { destination, owner: world.owner }).save({
      name,
      manual: true,
      signal,
    })
  const entries = async (): Promise<CatalogEntry[]> => {
    const catalogs = await Promise.all(
      [one, two].map((at) => readCatalog(at, { prefix: '', signal })),
    )
    return catalogs.flatMap(({ backups }) => backups)
  }
  const names = async (id: string): Promise<string[]> =>
    selected(await entries(), { id }).map(({ manifest }) => manifest.name)

  beforeEach(async () => {
    ada = await createBackupWorld()
    ben = await createBackupWorld({ name: 'ben' })
    one = createMemoryDestination({ name: 'one', kind: 'postgres', now: ada.clock.now })
    two = createMemoryDestination({ name: 'two', kind: 's3', now: ada.clock.now })
  })

  it('C5 is a number, as long as that means one', async () => {
    await save(ada, one, 'first')
    await ada.say()
    await ada.mine()
    await save(ada, one, 'second')
    assert.deepEqual(await names('0'), ['first'])
    assert.deepEqual(await names('1'), ['second'])
    assert.deepEqual(await names("ada's laptop:1"), ['second'])
    assert.throws(() => selected([], { id: '1' }), { code: 'BACKUP_NONE' })
  })

  it('is one, where copies of one state stand at several destinations', async () => {
    await save(ada, one, 'first')
    await save(ada, two, 'first')
    assert.deepEqual(await names('0'), ['first', 'first'])
    assert.deepEqual(await names('first'), ['first', 'first'])
  })

  it('BACKUP_AMBIGUOUS: of two devices, with what to say instead', async () => {
    await save(ada, one, 'of Ada')
    await save(ben, one, 'of Ben')
    await assert.rejects(names('0'), {
      code: 'BACKUP_AMBIGUOUS',
      message:
        /"0" may mean any of .*ada's laptop:0 \(ada's laptop, .*, block 1, at one\).*ben's laptop:0/,
    })
    assert.deepEqual(await names("ada's laptop:0"), ['of Ada'])
    assert.deepEqual(await names("ben's laptop:0"), ['of Ben'])
  })

  it('BACKUP_AMBIGUOUS: of two devices that lead to one block', async () => {
    await save(ada, one, 'of the laptop')
    const [entry = assert.fail()] = await entries()
    const { manifest } = entry
    const device = publicKeyOf('ed25519', seedOf('desk'))
    const object = manifest.object.replace(deviceIdOf(manifest.device), deviceIdOf(device))
    const other = { ...entry, manifest: { ...manifest, device, object } }
    assert.throws(() => selected([entry, other], { id: '0' }), { code: 'BACKUP_AMBIGUOUS' })
    assert.deepEqual(selected([entry, other], { id: object }), [other])
  })

  it('BACKUP_AMBIGUOUS: of one device that counted differently at two destinations', async () => {
    await save(ada, one, 'early')
    await ada.say()
    await ada.mine()
    await save(ada, two, 'late')
    await assert.rejects(names("ada's laptop:0"), { code: 'BACKUP_AMBIGUOUS' })
    const error = await names('0').catch(({ message }: Error) => message)
    const ids = [...String(error).matchAll(/([0-9a-f]{16}) \(/g)].map(([, id = '']) => id)
    assert.deepEqual((await Promise.all(ids.map(names))).flat().sort(), ['early', 'late'])
    assert.deepEqual((await Promise.all(ids.map((id) => names(id.slice(0, 12))))).flat().length, 2)
  })

  it('is listed so that each name means one state', async () => {
    await save(ada, one, 'of Ada')
    await save(ada, two, 'a copy')
    await save(ben, one, 'of Ben')
    await ada.say()
    await ada.mine()
    await save(ada, two, 'later')
    const all = await entries()
    const short = shortNames(all.map(({ manifest }) => manifest))
    const shown = all.map(({ manifest }) => [manifest.name, short.get(manifest)])
    assert.deepEqual(shown.sort(), [
      ['a copy', "ada's laptop:0"],
      ['later', '1'],
      ['of Ada', "ada's laptop:0"],
      ['of Ben', "ben's laptop:0"],
    ])
    const { backups } = await listBackups(
      [{ destination: one }, { destination: two }],
      ada.owner.network,
      signal,
    )
    for (const { id, name, height } of backups) {
      const [found] = selected(all, { id })
      assert.ok(found !== undefined, name)
      assert.equal(found.manifest.height, height)
    }
  })

  it('is no beginning of a number, and nothing is called nothing', async () => {
    await save(ada, one, 'first')
    const [entry = assert.fail()] = await entries()
    const called = calledOf(entry.manifest)
    const id = called.object.slice(-'.manifest'.length - 16, -'.manifest'.length)
    assert.equal(isCalled(called, id), true)
    assert.equal(isCalled(called, id.slice(0, 5)), false, 'too short')
    for (const no of ['', '00', '1', 'laptop:0', "ada's laptop:", `${id}0`, 'abcdef0123456789']) {
      assert.equal(isCalled(called, no), no === '00', no)
    }
    assert.equal(isCalled(called, called.cid), true)
  })
})
