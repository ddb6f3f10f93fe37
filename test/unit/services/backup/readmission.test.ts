import assert from 'node:assert/strict'
import { deviceIdOf } from '../../../../src/chain/ids.ts'
import { readDevice } from '../../../../src/chain/state/devices.ts'
import { publicKeyOf } from '../../../../src/common/crypto.ts'
import { openKey, sealPurposes } from '../../../../src/services/access/seals.ts'
import type { Person } from '../../../../src/services/backup/person.ts'
import { readmit } from '../../../../src/services/backup/readmission.ts'
import { type BackupWorld, createBackupWorld, kit } from '../../../helpers/backup-world.ts'
import { seedOf } from '../../../helpers/chain-node.ts'

const seed = seedOf('restored device')
const secret = seedOf('restored encryption')
const encryptionKey = publicKeyOf('x25519', secret)
const device = deviceIdOf(publicKeyOf('ed25519', seed))
const later = seedOf('a later user key')

describe('a restored device', () => {
  let world: BackupWorld
  let person: Person
  const admit = async (more: Partial<Person> = {}, given?: Uint8Array) => {
    const { store, chain } = world.node
    const readmitted = await readmit(
      { store, clock: world.clock },
      {
        network: chain.network,
        person: { ...person, ...more },
        device: seed,
        encryptionKey,
        deviceName: undefined,
        kit: given,
      },
    )
    await chain.acceptRecords(
      readmitted.records.map(({ bytes }) => bytes),
      device,
    )
    await world.mine()
    return readmitted
  }
  const isActive = () => readDevice(world.node.store.state, device)?.active === true

  beforeEach(async () => {
    world = await createBackupWorld()
    person = {
      params: world.node.params,
      user: world.node.chain.user ?? assert.fail(),
      userName: 'ada',
      deviceName: 'laptop',
      restore: seedOf('ada restore'),
      userKeys: [later, seedOf('ada user')],
    }
  })

  it('is admitted by the restore key, and has all keys of its user', async () => {
    const { records, userSecret } = await admit()
    assert.ok(isActive())
    assert.deepEqual(userSecret, seedOf('ada user'), 'the one that the user was made with')
    const copy = records[1]
    assert.equal(copy?.type, 'key.copy')
    assert.equal(world.node.store.record(copy.id)?.outcome, 'applied')
    const [entry] = copy.type === 'key.copy' ? copy.body.copies : []
    assert.ok(entry?.type === 'user')
    const purpose = sealPurposes(world.node.chain.network).userKey(entry.key)
    assert.deepEqual(await openKey(secret, entry.sealed, purpose), later)
  })

  it('needs no second record when there is one key', async () => {
    const { records } = await admit({ userKeys: [seedOf('ada user')] })
    assert.deepEqual(
      records.map(({ type }) => type),
      ['device.add'],
    )
  })

  it('is admitted by the recovery kit where the backup has no restore key', async () => {
    await assert.rejects(admit({ restore: undefined }), { code: 'BACKUP_NO_PROOF' })
    await admit({ restore: undefined }, kit)
    assert.ok(isActive())
  })

  it('stays out with another restore key', async () => {
    await admit({ restore: seedOf('a guess') })
    assert.equal(isActive(), false)
  })
})
