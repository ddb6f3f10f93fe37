import assert from 'node:assert/strict'
import { admissionMessage } from '../../../../src/chain/admissions.ts'
import { signRecord } from '../../../../src/chain/codec.ts'
import {
  type DeviceId,
  deviceIdOf,
  deviceKeyOf,
  type FileId,
  type RecordId,
  type UserId,
} from '../../../../src/chain/ids.ts'
import type { SignedRecord, UnsignedRecord } from '../../../../src/chain/record.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import {
  type ChainNode,
  createChainNode,
  handClock,
  seedOf,
  testParams,
} from '../../../helpers/chain-node.ts'
import { contentOf } from '../../storage/chain-model.ts'

const params = testParams('ada')
const idOf = (name: string): DeviceId => deviceIdOf(publicKeyOf('ed25519', seedOf(name)))

describe('whom a pending record speaks for', () => {
  let clock: ReturnType<typeof handClock>
  let ada: ChainNode
  let file: FileId
  let vouched: boolean

  beforeEach(async () => {
    clock = handClock(params.time + 1000)
    vouched = false
    ada = createChainNode('ada', { params, clock, vouched: () => vouched })
    await ada.join()
    const added = await ada.publish({ type: 'file.add', body: contentOf('lease.pdf') })
    file = added.identity
    await mine()
  })
  const mine = async (): Promise<void> => {
    clock.time += 5000
    assert.ok(await ada.mine())
  }
  const user = (): UserId => ada.chain.user ?? assert.fail('Ada is somebody')
  const signed = (
    name: string,
    after: SignedRecord | undefined,
    parts: Partial<UnsignedRecord>,
  ): SignedRecord =>
    signRecord(
      {
        network: ada.chain.network,
        device: idOf(name),
        sequence: after === undefined ? 0 : after.sequence + 1,
        previous: after?.id ?? null,
        seen: ada.store.tip().id,
        time: clock.now(),
        ...parts,
      } as UnsignedRecord,
      (message) => signEd25519(seedOf(name), message),
    )
  const take = async (...records: SignedRecord[]): Promise<number> => {
    const encoded = records.map(({ bytes }) => bytes)
    return (await ada.chain.acceptRecords(encoded, idOf('somebody'))).accepted
  }
  const update = (name: string, after: SignedRecord, by: UserId): SignedRecord =>
    signed(name, after, {
      type: 'file.update',
      user: by,
      body: { ...contentOf('forged.pdf'), file, parents: [file] },
    })
  const shown = (): string => ada.store.projections.file(file)?.details?.name ?? ''
  /** `device.add` to Ada's user, countersigned by the device `by`. */
  const addition = (name: string, by: string): SignedRecord => {
    const encryptionKey = publicKeyOf('x25519', seedOf(name))
    const claims = { network: ada.chain.network, user: user(), device: idOf(name), encryptionKey }
    const signature = signEd25519(seedOf(by), admissionMessage(claims))
    const device = publicKeyOf('ed25519', seedOf('ada'))
    const proof = { type: 'device', device, signature } as const
    return signed(name, undefined, {
      type: 'device.add',
      user: user(),
      body: { name, encryptionKey, proof },
    })
  }

  it('a member cannot speak for another one: neither a version, a removal nor a revocation is shown', async () => {
    const mallory = createChainNode('mallory', { params, clock })
    const admission = await mallory.join()
    await take(admission)
    const early = update('mallory', admission, user())
    assert.equal(await take(early), 0, 'before it is admitted')
    await mine()
    const removal = { file, parents: [file] }
    const forged = [
      update('mallory', admission, user()),
      signed('mallory', admission, { type: 'file.remove', user: user(), body: removal }),
      signed('mallory', admission, { type: 'file.add', user: user(), body: contentOf('x') }),
      signed('mallory', admission, {
        type: 'revoke',
        user: user(),
        body: { grant: file as RecordId },
      }),
    ]
    for (const record of forged) assert.equal(await take(record), 0, record.type)
    assert.equal(shown(), 'lease.pdf')
    assert.equal(ada.store.projections.countFiles(), 1)
    assert.equal(ada.store.projections.file(file)?.removed, false)
    assert.deepEqual(ada.store.projections.revocationsOf(file), [])
    // What it says in its own name is as welcome as ever.
    assert.equal(await take(update('mallory', admission, admission.id)), 1)
  })

  it('a device that claims to be another user’s speaks when its admission holds', async () => {
    const admission = addition('phone', 'eve')
    const forged = update('phone', admission, user())
    assert.equal(await take(admission, forged), 1, 'the admission waits outside')
    assert.equal(shown(), 'lease.pdf')
    vouched = true
    assert.equal(await take(forged), 1)
    assert.equal(shown(), 'forged.pdf')
  })

  it('a revoked device says nothing any more', async () => {
    const admission = addition('phone', 'ada')
    await take(admission)
    await mine()
    const before = update('phone', admission, user())
    const device = deviceKeyOf(idOf('phone'))
    assert.ok(device)
    const through = { sequence: 1, record: before.id }
    const body = { device, admission: admission.id, through, reason: 'lost' }
    await ada.publish({ type: 'device.revoke', body })
    await mine()
    const removal = { file, parents: [file] }
    const other = signed('phone', admission, { type: 'file.remove', user: user(), body: removal })
    assert.equal(await take(other), 0)
    assert.equal(await take(before), 1, 'what was said before the revocation')
    const after = signed('phone', before, { type: 'file.remove', user: user(), body: removal })
    assert.equal(await take(after), 0)
    assert.equal(ada.store.projections.file(file)?.removed, false)
  })
})
