import assert from 'node:assert/strict'
import { admissionMessage } from '../../../../src/chain/admissions.ts'
import {
  decodeHeader,
  encodeBody,
  encodeHeader,
  sealMessage,
  signRecord,
} from '../../../../src/chain/codec.ts'
import { type ContentId, deviceIdOf } from '../../../../src/chain/ids.ts'
import type { SignedRecord, Statement, UnsignedRecord } from '../../../../src/chain/record.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { cidText, RAW } from '../../../../src/common/dag-cbor.ts'
import { codeOf } from '../../../../src/common/errors.ts'
import { headsDigest } from '../../../../src/network/sync/messages.ts'
import { BLOCKS_ALONE } from '../../../../src/services/chain/dissent.ts'
import {
  type ChainNode,
  createChainNode,
  handClock,
  seedOf,
  solve,
  userStatement,
} from '../../../helpers/chain-node.ts'

const START = 1_700_000_001_000

function fileStatement(name: string): Statement {
  const sha256 = seedOf(name)
  const root = cidText(RAW, sha256) as ContentId
  const body = { root, storedSize: 5, visibility: 'public', folder: [], size: 5 } as const
  return { type: 'file.add', body: { ...body, name, mediaType: 'text/plain', sha256 } }
}

interface Wire {
  header: Uint8Array
  body: Uint8Array
}

function tipOf(node: ChainNode): Wire {
  const { id } = node.store.tip()
  const none = new Uint8Array()
  return { header: node.store.headerBytes(id) ?? none, body: node.store.body(id) ?? none }
}

/** The same header with a seal that nobody made. */
function unsealed({ header, body }: Wire): Wire {
  const forged = { ...decodeHeader(header).header, seal: new Uint8Array(64) }
  return { header: encodeHeader(forged).bytes, body }
}

/** A block of `node`'s next template whose outcome is a lie, sealed by it; on top of `below` if there is one. */
function lyingBlock(node: ChainNode, name: string, below?: Wire): Wire {
  const template = node.chain.template()
  assert.ok(template)
  const own = decodeHeader(template.header).header
  const { id, header: under } = below === undefined ? {} : decodeHeader(below.header)
  const place =
    under === undefined || id === undefined
      ? {}
      : { parent: id, height: under.height + 1, time: under.time + 2000 }
  const header = { ...own, ...place, outcome: seedOf('a lie') }
  const seal = signEd25519(seedOf(name), sealMessage(header))
  const encoded = encodeHeader({ ...header, seal }).bytes
  encoded.set(solve({ ...template, header: encoded }), encoded.length - 8)
  return { header: encoded, body: template.body.bytes }
}

/** A block on `node`'s tip that holds just these records, sealed by it. */
function blockOf(node: ChainNode, name: string, records: readonly SignedRecord[]): Wire {
  const template = node.chain.template()
  assert.ok(template)
  const body = encodeBody(records)
  const header = { ...decodeHeader(template.header).header, records: body.id }
  const seal = signEd25519(seedOf(name), sealMessage(header))
  const encoded = encodeHeader({ ...header, seal }).bytes
  encoded.set(solve({ ...template, header: encoded }), encoded.length - 8)
  return { header: encoded, body: body.bytes }
}

describe('services/chain, with others that mean harm', () => {
  const clock = handClock(START)
  let ada: ChainNode
  let bob: ChainNode

  beforeEach(async () => {
    clock.time += 10_000
    ada = createChainNode('ada', { clock })
    bob = createChainNode('bob', { clock })
    await ada.join()
    await mined()
  })

  /** Ada mines, and gives what she mined. */
  async function mined(): Promise<Wire> {
    clock.time += 2000
    assert.ok(await ada.mine())
    return tipOf(ada)
  }

  async function chainOfThree(): Promise<[Wire, Wire, Wire]> {
    const first = tipOf(ada)
    await ada.publish(fileStatement('a'))
    const second = await mined()
    await ada.publish(fileStatement('b'))
    return [first, second, await mined()]
  }

  it('nobody is blamed for what another one sent to stand on a good block', async () => {
    const [first, second, third] = await chainOfThree()
    const waiting = await bob.chain.acceptBlock(...wire(unsealed(second)), bob.device)
    assert.deepEqual(waiting, { verdict: 'ignore', sync: true })
    await bob.chain.acceptBlock(...wire(third), ada.device)
    const verdict = await bob.chain.acceptBlock(...wire(first), ada.device)
    assert.equal(verdict.verdict, 'accept')
    await bob.chain.acceptBlock(...wire(second), ada.device)
    assert.equal(bob.store.tip().id, ada.store.tip().id)
  })

  it('nobody who syncs is blamed for it either', async () => {
    const [first, second] = await chainOfThree()
    await bob.chain.acceptBlock(...wire(unsealed(second)), bob.device)
    const { wanted } = await bob.chain.planHeaders([first.header], ada.device)
    const [id] = wanted
    assert.ok(id)
    await bob.chain.acceptBodies([{ id, body: first.body }], ada.device)
    assert.equal(bob.store.tip().height, 1)
  })

  it('a block whose parent failed to be stored is not stored with less work than it has', async () => {
    const all = await chainOfThree()
    const headers = all.map(({ header }) => header)
    const { wanted } = await bob.chain.planHeaders(headers, ada.device)
    const blocks = wanted.map((id, at) => ({ id, body: all[at]?.body ?? new Uint8Array() }))
    const orphans = bob.chain.acceptBodies(blocks.slice(1), ada.device)
    const refused = assert.rejects(orphans, (error) => codeOf(error) === 'BLOCK_PARENT_UNKNOWN')
    await new Promise(setImmediate)
    // The first one was announced too, and does not come.
    clock.time += 1000
    await refused
    await bob.chain.planHeaders(headers, ada.device)
    await bob.chain.acceptBodies(blocks, ada.device)
    assert.equal(bob.store.tip().id, ada.store.tip().id)
    assert.equal(bob.store.tip().chainwork, ada.store.tip().chainwork)
  })

  it('own records and those of honest others get into a block, however many cannot', async () => {
    const { network } = ada.chain
    // A device that comes first in any order, and is not admitted: its records can never be included.
    const names = Array.from({ length: 500 }, (_, at) => `mallory ${at}`)
    const mallory = names.find((name) => deviceOf(name) < ada.device)
    assert.ok(mallory)
    const { id: previous } = ada.store.tip()
    ada.store.transaction(() => {
      for (let at = 0; at < 10_000; at += 1) {
        const unsigned = {
          ...fileStatement(`junk ${at}`),
          ...{ network, user: previous, device: deviceOf(mallory), sequence: 1, previous },
          ...{ seen: previous, time: START + at },
        } as unknown as UnsignedRecord
        const record = signRecord(unsigned, () => new Uint8Array(64))
        ada.store.putRecord(record, { own: false, received: START })
      }
    })
    const honest = await bob.join()
    await ada.chain.acceptRecords([honest.bytes], bob.device)
    assert.equal(ada.chain.demand(), 'others')
    const { id } = await ada.publish(fileStatement('mine'))
    await mined()
    assert.notEqual(ada.store.record(id)?.place, undefined)
    assert.notEqual(ada.store.record(honest.id)?.place, undefined)
  })

  it('a body with a record whose predecessor is nowhere leaves no device head without what leads to it', async () => {
    const carol = createChainNode('carol', { clock })
    const first = await carol.join()
    const second = await carol.publish(fileStatement('second'))
    await copyChain(ada, bob)
    await bob.join()
    const { header, body } = blockOf(bob, 'bob', [second])
    const before = headsDigest(ada.chain.heads())
    const { verdict } = await ada.chain.acceptBlock(header, body, bob.device)
    assert.equal(verdict, 'reject')
    assert.equal(ada.store.block(decodeHeader(header).id)?.code, 'RECORD_NOT_INCLUDABLE')
    assert.equal(ada.chain.hasRecord(second.id), false)
    // Whoever syncs with this node finds nothing that it has and cannot give.
    assert.deepEqual(headsDigest(ada.chain.heads()), before)
    await ada.chain.acceptRecords([second.bytes, first.bytes], carol.device)
    assert.ok(ada.chain.heads().some(({ id }) => id === second.id))
  })

  it('headers that are shown again and again, without bodies, do not stop the miner', async () => {
    const all = await chainOfThree()
    const headers = all.map(({ header }) => header)
    await bob.join()
    for (let round = 0; round < 3; round += 1) {
      clock.time += 11_000
      await bob.chain.planHeaders(headers, ada.device)
    }
    assert.equal(bob.chain.demand(), 'own')
  })

  it('clocks of strangers do not stop the miner', async () => {
    await ada.publish(fileStatement('a'))
    for (let at = 0; at < 8; at += 1) ada.chain.noteClock(deviceOf(`stranger ${at}`), 3_600_000)
    assert.equal(ada.chain.halted, undefined)
    assert.equal(ada.chain.demand(), 'own')
  })

  /** Ada's chain knows both as members of their own, and so do they. */
  async function admitted(...names: string[]): Promise<ChainNode[]> {
    const nodes = names.map((name) => createChainNode(name, { clock }))
    for (const [at, node] of nodes.entries()) {
      const joined = await node.publish(userStatement(names[at] ?? '', ada.params))
      await ada.chain.acceptRecords([joined.bytes], node.device)
    }
    await mined()
    for (const node of nodes) await copyChain(ada, node)
    return nodes
  }

  /** Liars seal blocks on top of each other in turn; each has members of its own in it. */
  async function lies(count: number, liars: [ChainNode, string][]): Promise<void> {
    let below: Wire | undefined
    for (let at = 0; at < count; at += 1) {
      const [liar, name] = liars[at % liars.length] ?? []
      assert.ok(liar !== undefined && name !== undefined)
      if (liar.chain.demand() === undefined) await liar.publish(fileStatement(`of ${name}`))
      below = lyingBlock(liar, name, below)
      const { verdict } = await ada.chain.acceptBlock(...wire(below), liar.device)
      assert.equal(verdict, 'reject')
      assert.equal(ada.store.block(decodeHeader(below.header).id)?.code, 'BLOCK_OUTCOME')
    }
  }

  const mines = async (): Promise<boolean> => {
    clock.time += 2000
    return (await ada.mine()) !== undefined
  }

  it('OUTCOME_DIFFERS: liars who do not have the most work stop nobody, however many', async () => {
    const [one, two] = await admitted('liar one', 'liar two')
    assert.ok(one && two)
    const alarms: string[] = []
    ada.events.on('chain:alarm', ({ code }) => void alarms.push(code))
    await lies(2, [
      [one, 'liar one'],
      [two, 'liar two'],
    ])
    assert.deepEqual(alarms, ['OUTCOME_DIFFERS'])
    for (let at = 0; at < 6; at += 1) {
      await ada.publish(fileStatement(`file ${at}`))
      assert.equal(haltOf(ada), undefined)
      assert.ok(await mines())
    }
  })

  it('OUTCOME_DIFFERS: who alone goes on while others make more work stops, until anybody agrees', async () => {
    const [one, two, carol] = await admitted('liar one', 'liar two', 'carol')
    assert.ok(one && two && carol)
    await lies(8, [
      [one, 'liar one'],
      [two, 'liar two'],
    ])
    for (let at = 0; at < BLOCKS_ALONE; at += 1) {
      assert.equal(haltOf(ada), undefined)
      await ada.publish(fileStatement(`file ${at}`))
      assert.ok(await mines())
    }
    await ada.publish(fileStatement('waits'))
    assert.equal(haltOf(ada), 'OUTCOME_DIFFERS')
    assert.equal(await mines(), false)
    await copyChain(ada, carol)
    await carol.publish(fileStatement('of carol'))
    assert.ok(await carol.mine())
    await ada.chain.acceptBlock(...wire(tipOf(carol)), carol.device)
    assert.equal(haltOf(ada), undefined)
    assert.ok(await mines())
  })

  it('one liar stops nobody, with however many devices and blocks', async () => {
    const [one] = await admitted('liar one')
    assert.ok(one)
    const { network } = ada.chain
    const phone = createChainNode('phone', { clock })
    const user = one.chain.user
    assert.ok(user)
    const encryptionKey = publicKeyOf('x25519', seedOf('phone'))
    const message = admissionMessage({ network, user, device: phone.device, encryptionKey })
    const signature = signEd25519(seedOf('liar one'), message)
    const device = publicKeyOf('ed25519', seedOf('liar one'))
    const proof = { type: 'device', device, signature } as const
    const body = { name: 'phone', encryptionKey, proof }
    const admission = await phone.publish({ type: 'device.add', user, body })
    await ada.chain.acceptRecords([admission.bytes], phone.device)
    await mined()
    await copyChain(ada, one)
    await copyChain(ada, phone)
    await lies(8, [
      [one, 'liar one'],
      [phone, 'phone'],
    ])
    for (let at = 0; at < BLOCKS_ALONE + 1; at += 1) {
      await ada.publish(fileStatement(`file ${at}`))
      assert.ok(await mines())
    }
  })
})

const wire = ({ header, body }: Wire): [Uint8Array, Uint8Array] => [header, body]

const haltOf = (node: ChainNode) => node.chain.halted?.code

const deviceOf = (name: string) => deviceIdOf(publicKeyOf('ed25519', seedOf(name)))

async function copyChain(from: ChainNode, to: ChainNode): Promise<void> {
  const headers = from.chain.headersAfter(to.chain.locator(), 2000)
  const { wanted } = await to.chain.planHeaders(headers, from.device)
  const blocks = wanted.map((id) => ({ id, body: from.store.body(id) ?? new Uint8Array() }))
  await to.chain.acceptBodies(blocks, from.device)
}
