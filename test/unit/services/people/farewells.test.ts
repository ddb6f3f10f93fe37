import assert from 'node:assert/strict'
import { admissionMessage } from '../../../../src/chain/admissions.ts'
import { signRecord } from '../../../../src/chain/codec.ts'
import { type DeviceId, deviceIdOf, type UserId } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import type { RecordOf, SignedRecord, UnsignedRecord } from '../../../../src/chain/record.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { createDirectory } from '../../../../src/services/explorer/directory.ts'
import { createFarewells, type FarewellService } from '../../../../src/services/people/farewells.ts'
import { createGate } from '../../../../src/services/people/gate.ts'
import { createPeopleIndex } from '../../../../src/services/people/people-index.ts'
import {
  type ChainNode,
  createChainNode,
  handClock,
  seedOf,
  testParams,
  userStatement,
} from '../../../helpers/chain-node.ts'

const params = testParams('laptop')
const network = networkIdOf(params)
const keyOf = (name: string): Uint8Array => publicKeyOf('ed25519', seedOf(name))
const idOf = (name: string): DeviceId => deviceIdOf(keyOf(name))

/** Ada has a laptop and a phone; the phone was off while she revoked it. */
describe('farewells', () => {
  const clock = handClock(params.time + 1000)
  let laptop: ChainNode
  let phone: ChainNode
  let user: UserId
  let admission: SignedRecord

  const farewellsOf = async (node: ChainNode): Promise<FarewellService> => {
    const { store, events, chain, device } = node
    const index = createPeopleIndex({ store, events })
    const gate = createGate({ store, index, events, clock }, { params, device })
    await gate.start()
    const directory = createDirectory({ projections: store.projections, events })
    const accept = (records: readonly Uint8Array[], from: DeviceId) =>
      chain.acceptRecords(records, from)
    const made = createFarewells(
      { store, index, gate, directory, accept, events, logger: silentLogger },
      { network, device },
    )
    await made.start()
    return made
  }
  const mine = async (...nodes: ChainNode[]): Promise<void> => {
    clock.time += 5000
    const block = await laptop.mine()
    assert.ok(block)
    const header = laptop.store.headerBytes(laptop.store.tip().id)
    assert.ok(header)
    for (const node of nodes) await node.chain.acceptBlock(header, block.body.bytes, laptop.device)
  }
  const addition = (
    name: string,
    by: string,
    parts: Partial<UnsignedRecord> = {},
  ): SignedRecord => {
    const encryptionKey = publicKeyOf('x25519', seedOf(`${name} device encryption`))
    const message = admissionMessage({ network, user, device: idOf(name), encryptionKey })
    const proof = {
      type: 'device',
      device: keyOf(by),
      signature: signEd25519(seedOf(by), message),
    } as const
    return signed(name, {
      type: 'device.add',
      user,
      body: { name, encryptionKey, proof },
      ...parts,
    } as Partial<UnsignedRecord>)
  }
  const signed = (name: string, parts: Partial<UnsignedRecord>, signer = name): SignedRecord => {
    const unsigned = {
      network,
      device: idOf(name),
      sequence: 0,
      previous: null,
      seen: laptop.store.tip().id,
      time: clock.now(),
      ...parts,
    } as UnsignedRecord
    return signRecord(unsigned, (message) => signEd25519(seedOf(signer), message))
  }
  /** A revocation of `device` by `by`, far down its line. */
  const revocation = (
    by: string,
    device: string,
    { signer = by, of = user }: { signer?: string; of?: UserId } = {},
  ): SignedRecord =>
    signed(
      by,
      {
        type: 'device.revoke',
        user: of,
        sequence: 57,
        previous: admission.id,
        body: {
          device: keyOf(device),
          admission: admission.id,
          through: { sequence: 0, record: admission.id },
          reason: 'lost',
        },
      } as Partial<UnsignedRecord>,
      signer,
    )

  beforeEach(async () => {
    laptop = createChainNode('laptop', { params, clock })
    phone = createChainNode('phone', { params, clock })
    await laptop.join()
    assert.ok(laptop.chain.user)
    user = laptop.chain.user
    admission = addition('phone', 'laptop')
    await laptop.chain.acceptRecords([admission.bytes], idOf('phone'))
    await mine(phone)
  })

  it('hands over the revocation, and the device that was off knows by whom and when', async () => {
    const [mine_, theirs] = [await farewellsOf(laptop), await farewellsOf(phone)]
    // The laptop stated much that the phone does not have.
    for (const name of ['a', 'b', 'c']) await laptop.publish(renaming(name))
    const revoked = (await laptop.publish(
      (({ type, body }) => ({ type, body }))(
        revocation('laptop', 'phone') as RecordOf<'device.revoke'>,
      ),
    )) as RecordOf<'device.revoke'>
    const words = mine_.wordsFor(phone.device)
    assert.deepEqual(Buffer.from(words[0] ?? []), Buffer.from(revoked.bytes))
    assert.deepEqual(mine_.wordsFor(laptop.device), [])
    const alarms: string[] = []
    phone.events.on('chain:alarm', ({ code, message }) => alarms.push(`${code} ${message}`))
    assert.equal(theirs.own, undefined)
    await theirs.told(words, laptop.device)
    assert.deepEqual(theirs.own, {
      by: { device: laptop.device, name: "laptop's laptop" },
      time: revoked.time,
      reason: 'lost',
      byRecovery: false,
    })
    assert.equal(alarms.length, 1)
    assert.match(alarms[0] ?? '', /^DEVICE_OUT .*revoked by "laptop's laptop" at .*lost/)
    await assert.rejects(phone.publish(renaming('in vain')), { code: 'DEVICE_OUT' })
    // After a restart it knows it still.
    assert.equal((await farewellsOf(phone)).own?.reason, 'lost')
    assert.equal(mine_.own, undefined)
  })

  it('also where the device that revoked came after the phone was last on', async () => {
    const tablet = addition('tablet', 'laptop')
    const member = await farewellsOf(laptop)
    await laptop.chain.acceptRecords([tablet.bytes], idOf('tablet'))
    const words = [revocation('tablet', 'phone').bytes, tablet.bytes]
    const theirs = await farewellsOf(phone)
    await theirs.told(words, laptop.device)
    assert.deepEqual(theirs.own?.by, { device: idOf('tablet'), name: 'tablet' })
    assert.equal(member.own, undefined)
  })

  it('a liar cannot make a healthy device believe it', async () => {
    const theirs = await farewellsOf(phone)
    const ben = signed('ben', {
      ...userStatement('ben', params),
      user: null,
    } as Partial<UnsignedRecord>)
    await laptop.chain.acceptRecords([ben.bytes], idOf('ben'))
    await mine(phone)
    const good = revocation('laptop', 'phone')
    const lies: Record<string, readonly Uint8Array[]> = {
      'signed by another device than it says': [
        revocation('laptop', 'phone', { signer: 'ben' }).bytes,
      ],
      'by a device of somebody else': [revocation('ben', 'phone', { of: ben.id }).bytes],
      'by somebody else in her name': [revocation('ben', 'phone').bytes],
      'by a device that nobody admitted': [revocation('stranger', 'phone').bytes],
      'by a device that admitted itself': [
        revocation('stranger', 'phone').bytes,
        addition('stranger', 'stranger').bytes,
      ],
      'of another device': [revocation('laptop', 'tablet').bytes],
      'another record': [admission.bytes],
      'cut off': [good.bytes.subarray(0, good.bytes.length - 1)],
      nothing: [],
    }
    for (const [lie, words] of Object.entries(lies)) {
      await theirs.told(words, idOf('ben'))
      assert.equal(theirs.own, undefined, lie)
    }
    await phone.publish(renaming('it goes on'))
    await theirs.told([good.bytes], idOf('ben'))
    assert.equal(theirs.own?.reason, 'lost', 'the truth is believed whoever tells it')
  })

  const renaming = (name: string) => ({
    type: 'device.name' as const,
    body: { device: keyOf('phone'), admission: admission.id, name },
  })
})
