import assert from 'node:assert/strict'
import { networkIdOf } from '../../../src/chain/params.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { publicKeyOf } from '../../../src/common/crypto.ts'
import { encode } from '../../../src/common/dag-cbor.ts'
import { type ChainNode, createChainNode, seedOf } from '../../helpers/chain-node.ts'
import { until } from '../network/nodes.ts'
import { type Forgery, fileStatement, forgeBlock, forgeRecord } from './forge.ts'
import { connectHostile, type HostilePeer } from './hostile-peer.ts'
import { startVictims, type Victims } from './victims.ts'

const DAY_MS = 86_400_000

describe('a hostile peer: gossip', function () {
  this.timeout(40_000)
  let victims: Victims
  let member: ChainNode
  const peers: HostilePeer[] = []

  const hostile = async (answers = {}): Promise<HostilePeer> => {
    const peer = await connectHostile(networkIdOf(victims.params), victims.address, answers)
    peers.push(peer)
    return peer
  }

  before(async () => {
    victims = await startVictims()
    await victims.work()
    // Somebody who was let in, and turns against the others.
    member = createChainNode('mallory', { params: victims.params, clock: systemClock })
    const peer = await hostile()
    await peer.pull(member.chain)
    const admission = await member.join()
    await peer.gossip('records', admission.bytes)
    await until(
      () => victims.target.members.devices().some(({ device }) => device === member.device),
      'the member is known',
    )
    await victims.work()
  })
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.stop()))
  })
  after(() => victims.stop())

  /** The member stands on the tip and has something to mine. */
  const prepare = async (peer: HostilePeer, name: string): Promise<void> => {
    await peer.pull(member.chain)
    await member.publish(fileStatement(name))
  }
  const unknownRecord = (id: string): void => {
    assert.throws(() => victims.target.records.get(id), { code: 'RECORD_NOT_FOUND' })
  }
  const notInChain = (id: string): void => {
    let main = false
    try {
      main = victims.target.chain.block(id).main
    } catch {
      // Not even stored.
    }
    assert.equal(main, false)
  }

  it('messages that are nothing: empty, garbage, too long', async () => {
    const messages = [
      new Uint8Array(1),
      seedOf('garbage'),
      new Uint8Array(20_000).fill(0x80),
      new Uint8Array(65_537).fill(0xa1),
      new Uint8Array(1_000_000).fill(7),
      new Uint8Array(10_000).fill(0x81),
      Uint8Array.of(0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x5b, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff),
      encode({ header: new Uint8Array(1024), body: new Uint8Array(60_000) }),
    ]
    for (const topic of ['blocks', 'records'] as const) {
      for (const message of messages) {
        const peer = await hostile()
        await peer.gossip(topic, message)
        await peer.stop()
      }
    }
    await victims.work()
  })

  it('records: wrong signature, wrong network, not canonical, somebody else in its name', async () => {
    await prepare(await hostile(), 'records')
    const good = forgeRecord(member, 'mallory', {})
    const other = networkIdOf({ ...victims.params, salt: new Uint8Array(16) })
    const unsigned = forgeRecord(member, 'mallory', { time: 1 }, 'eve')
    const foreign = forgeRecord(member, 'mallory', { network: other })
    for (const bytes of [
      unsigned.bytes,
      foreign.bytes,
      Uint8Array.of(...good.bytes, 0),
      good.bytes.subarray(0, -1),
      Uint8Array.of(0xb8, (good.bytes[0] ?? 0) & 0x1f, ...good.bytes.subarray(1)),
    ]) {
      const peer = await hostile()
      await peer.gossip('records', bytes)
      await peer.stop()
    }
    await victims.work()
    for (const { id } of [good, unsigned, foreign]) unknownRecord(id)
  })

  it('records of times that cannot be are taken as what they are: claims', async () => {
    const peer = await hostile()
    const eve = createChainNode('eve of times', { params: victims.params, clock: systemClock })
    await peer.gossip('records', (await eve.join()).bytes)
    const far = forgeRecord(eve, 'eve of times', { time: Number.MAX_SAFE_INTEGER })
    await peer.gossip('records', far.bytes)
    await until(
      () =>
        victims.target.records.list({ limit: 100 }).items.some(({ record }) => record === far.id),
      'it is there',
    )
    await victims.work()
  })

  const wrongBlocks: Record<string, () => Forgery> = {
    'another network': () => ({
      header: { network: networkIdOf({ ...victims.params, salt: new Uint8Array(16) }) },
    }),
    'no work': () => ({ header: { difficulty: 2 ** 52 }, noWork: true }),
    'a difficulty of its own': () => ({ header: { difficulty: 2 } }),
    'a height of its own': () => ({ header: { height: 2 ** 40 } }),
    'a time three minutes ahead': () => ({ header: { time: Date.now() + 180_000 } }),
    'a time years ahead': () => ({ header: { time: Date.now() + 4000 * DAY_MS } }),
    'the last time there is': () => ({ header: { time: Number.MAX_SAFE_INTEGER } }),
    'a time of the past': () => ({ header: { time: victims.params.time - 1 } }),
    'the time zero': () => ({ header: { time: 0 } }),
    'no seal': () => ({ badSeal: true }),
    "a seal by somebody else's key": () => ({ sealer: 'eve' }),
    'a miner who was never admitted': () => ({
      header: { miner: publicKeyOf('ed25519', seedOf('nobody')) },
      sealer: 'nobody',
    }),
    'another outcome': () => ({ header: { outcome: seedOf('lie') } }),
    'a record that cannot stand there': () => ({
      records: [
        forgeRecord(member, 'mallory', { sequence: 77, previous: member.store.tip().id as never }),
      ],
    }),
    'the same record twice': () => {
      const record = forgeRecord(member, 'mallory', {})
      return { records: [record, record] }
    },
    'a record of the chain again': () => {
      const included = member.store.recordsAt(member.device, 0).map(({ record }) => record)
      return { records: included }
    },
    'a forged record': () => ({ records: [forgeRecord(member, 'mallory', {}, 'eve')] }),
  }
  for (const [name, forgery] of Object.entries(wrongBlocks)) {
    it(`a block with ${name}`, async () => {
      const peer = await hostile()
      await prepare(peer, name)
      const block = forgeBlock(member, 'mallory', forgery())
      await peer.gossipBlock(block)
      await peer.gossipBlock({ header: block.header })
      await victims.work()
      notInChain(block.id)
    })
  }

  it('a block whose body is that of another, or whose version is', async () => {
    const peer = await hostile()
    await prepare(peer, 'body')
    const block = forgeBlock(member, 'mallory')
    const { body } = forgeBlock(member, 'mallory', { records: [] })
    await peer.gossipBlock({ header: block.header, body })
    await peer.gossipBlock({ header: block.header, body: seedOf('no body') })
    const version = Uint8Array.from(block.header)
    version[1] = 2
    await peer.gossipBlock({ header: version, body: block.body })
    await victims.work()
    notInChain(block.id)
  })
})
