import assert from 'node:assert/strict'
import { admissionMessage } from '../../../../src/chain/admissions.ts'
import { decodeHeader, signRecord } from '../../../../src/chain/codec.ts'
import {
  type ContentId,
  deviceIdOf,
  type RecordId,
  type UserId,
} from '../../../../src/chain/ids.ts'
import { inclusionOf } from '../../../../src/chain/mempool.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import type { SignedRecord, Statement, UnsignedRecord } from '../../../../src/chain/record.ts'
import { readDevice } from '../../../../src/chain/state/devices.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { cidText, RAW } from '../../../../src/common/dag-cbor.ts'
import { type ChainNode, createChainNode, handClock, seedOf } from '../../../helpers/chain-node.ts'

const START = 1_700_000_100_000

function fileAdd(name: string): Statement {
  const digest = seedOf(name)
  return {
    type: 'file.add',
    body: {
      root: cidText(RAW, digest) as ContentId,
      storedSize: 10,
      visibility: 'public',
      name,
      folder: [],
      mediaType: 'text/plain',
      size: 10,
      sha256: digest,
    },
  }
}

/** A second device of ada, elsewhere: its admission and what it says. */
function phoneOf(node: ChainNode, user: UserId, seedName = 'phone', sponsor = 'ada') {
  const seed = seedOf(seedName)
  const key = publicKeyOf('ed25519', seed)
  const network = networkIdOf(node.params)
  const device = deviceIdOf(key)
  let last: SignedRecord | undefined
  const say = (statement: Statement): SignedRecord => {
    const unsigned = {
      ...statement,
      network,
      user,
      device,
      sequence: last === undefined ? 0 : last.sequence + 1,
      previous: last?.id ?? null,
      seen: node.store.tip().id,
      time: START,
    } as UnsignedRecord
    last = signRecord(unsigned, (message) => signEd25519(seed, message))
    return last
  }
  const encryptionKey = publicKeyOf('x25519', seed)
  const message = admissionMessage({ network, user, device, encryptionKey })
  const by = seedOf(sponsor)
  const proof = {
    type: 'device',
    device: publicKeyOf('ed25519', by),
    signature: signEd25519(by, message),
  } as const
  const admission = say({ type: 'device.add', user, body: { name: 'phone', encryptionKey, proof } })
  return { key, device, admission, say }
}

type Phone = ReturnType<typeof phoneOf>

const revoke = ({ key, admission }: Phone, sequence: number, record: RecordId): Statement => ({
  type: 'device.revoke',
  body: { device: key, admission: admission.id, through: { sequence, record }, reason: 'lost' },
})

describe('a template in which a revocation shuts out what comes after', () => {
  async function started(): Promise<{ node: ChainNode; user: UserId; phone: Phone }> {
    const node = createChainNode('ada', { clock: handClock(START) })
    const { id: user } = await node.join()
    assert.notEqual(await node.mine(), undefined)
    return { node, user, phone: phoneOf(node, user) }
  }
  const give = async (node: ChainNode, from: Phone, ...records: SignedRecord[]): Promise<void> => {
    await node.chain.acceptRecords(
      records.map(({ bytes }) => bytes),
      from.device,
    )
  }
  const mined = async (node: ChainNode): Promise<RecordId[]> => {
    const template = (await node.mine()) ?? assert.fail('nothing to mine')
    assert.equal(decodeHeader(template.header).header.height, node.store.tip().height)
    return template.body.records.map(({ id }) => id)
  }

  it('is a valid block, and loses no record', async () => {
    const { node, user, phone } = await started()
    await give(node, phone, phone.admission)
    assert.deepEqual(await mined(node), [phone.admission.id])
    const tablet = phoneOf(node, user, 'tablet', 'phone')
    const [good, lost, after] = ['good', 'lost', 'after'].map((name) => phone.say(fileAdd(name)))
    assert.ok(good !== undefined && lost !== undefined && after !== undefined)
    const revocation = await node.publish(revoke(phone, good.sequence, good.id))
    const kept = await node.publish(fileAdd('kept'))
    await give(node, phone, good, lost, after, tablet.admission, tablet.say(fileAdd('tablet')))
    assert.deepEqual(await mined(node), [revocation.id, kept.id, good.id])
    assert.equal(readDevice(node.store.state, phone.device)?.active, false)
    // What was left out is there, and shown as what it is; nothing of it comes into a later block.
    assert.equal(node.store.pendingCount(), 4)
    assert.equal(inclusionOf(node.store.state, lost), 'stranded')
    assert.equal(inclusionOf(node.store.state, tablet.admission, node.params), 'early')
    assert.equal(node.chain.template(), undefined)
    const later = await node.publish(fileAdd('later'))
    assert.deepEqual(await mined(node), [later.id])
  })

  it('also where the revocation waited, and this very block brings what it waited for', async () => {
    const { node, phone } = await started()
    const early = phone.say(fileAdd('early'))
    const revocation = await node.publish(revoke(phone, 0, phone.admission.id))
    assert.deepEqual(await mined(node), [revocation.id])
    await give(node, phone, phone.admission, early)
    assert.deepEqual(await mined(node), [phone.admission.id])
    assert.equal(readDevice(node.store.state, phone.device)?.active, false)
    assert.equal(node.store.pendingCount(), 1)
    assert.equal(inclusionOf(node.store.state, early), 'stranded')
  })
})
