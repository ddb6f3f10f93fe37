import assert from 'node:assert/strict'
import type { BlockId } from '../../../src/chain/ids.ts'
import { cidOf } from '../../../src/common/dag-cbor.ts'
import { codeOf } from '../../../src/common/errors.ts'
import { SYNC_PROTOCOL } from '../../../src/network/sync/messages.ts'
import { topicsOf } from '../../../src/network/topics.ts'
import { fakeDevice, NETWORK } from '../../unit/network/fake-chain.ts'
import { LOOPBACK, startNode, stopNode, stopNodes, type TestNode, until } from './nodes.ts'

const topics = topicsOf(NETWORK)

function gossipReady(a: TestNode, b: TestNode): Promise<void> {
  const sees = (one: TestNode, other: TestNode): boolean =>
    Object.values(topics).every((topic) =>
      one.network.host.libp2p.services.pubsub
        .getSubscribers(topic)
        .some((peer) => peer.toString() === other.network.host.device),
    )
  return until(() => sees(a, b) && sees(b, a), 'both have subscribed')
}

async function rejection(run: Promise<unknown>): Promise<string> {
  return run.then(
    () => 'none',
    (error: unknown) => codeOf(error),
  )
}

describe('network', () => {
  afterEach(stopNodes)

  it('three nodes in a line come to one chain and the same records, without any gossip', async () => {
    const a = await startNode({ seed: 1 })
    for (let index = 0; index < 700; index += 1) a.chain.mine(`block ${index}`)
    a.chain.write(1, 600)
    const b = await startNode({ seed: 2, bootstrap: [a.address()], syncIntervalMs: 100 })
    b.chain.write(2, 5)
    const c = await startNode({ seed: 3, bootstrap: [b.address()], syncIntervalMs: 100 })
    await until(() => c.chain.tip().id === a.chain.tip().id, 'c has the chain of a')
    await until(() => c.chain.records.size === 605, 'c has all records')
    await a.network.sync.runAll(AbortSignal.timeout(5000))
    assert.equal(a.chain.records.size, 605)
  })

  it('connects again by itself after a peer came back, also after a long time', async () => {
    const a = await startNode({ seed: 1 })
    const listen = [(a.address().split('/p2p/')[0] ?? '').toString()]
    const b = await startNode({ seed: 2, bootstrap: [a.address()] })
    await until(() => b.connects.length === 1, 'b is connected')
    await stopNode(a)
    await until(() => b.network.peers.connected().length === 0, 'b has lost a')
    // With these waits of 20 to 100 ms that is dozens of tries: what takes hours with the real ones.
    await new Promise((resolve) => setTimeout(resolve, 3000))
    const again = await startNode({ seed: 1, listen })
    again.chain.mine('while b was alone')
    await until(() => b.connects.length === 2, 'b is connected again')
    await until(() => b.chain.tip().id === again.chain.tip().id, 'b has the new block')
  })

  it('finds a peer again that was only remembered, and one without a device id', async () => {
    const a = await startNode({ seed: 1 })
    const place = a.address().split('/p2p/')[0] ?? ''
    const memory = { saved: [] }
    const b = await startNode({ seed: 2, bootstrap: [place], memory })
    await until(() => b.connects.length === 1, 'b is connected')
    assert.equal(b.network.peers.list()[0]?.device, a.network.host.device)
    await stopNode(b)
    const later = await startNode({ seed: 2, memory })
    await until(() => later.connects.length === 1, 'b is connected by memory')
  })

  it('the side that was dialled dials back when the other one cannot', async () => {
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2 })
    await b.network.peers.add(a.address())
    const listen = [b.address().split('/p2p/')[0] ?? '']
    const known = (): boolean => a.network.peers.list()[0]?.addresses[0] === listen[0]
    await until(known, 'a has learnt where b listens')
    await stopNode(b)
    await until(() => a.network.peers.connected().length === 0, 'a has lost b')
    await startNode({ seed: 2, listen })
    await until(() => a.connects.length === 2, 'a has dialled b')
  })

  it('passes blocks and records on, through a node in the middle', async () => {
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2, bootstrap: [a.address()] })
    const c = await startNode({ seed: 3, bootstrap: [b.address()] })
    await gossipReady(a, b)
    await gossipReady(b, c)
    const block = a.chain.mine('new')
    await a.network.gossip.publishBlock(block.bytes, block.body ?? new Uint8Array())
    await a.network.gossip.publishRecord(new Uint8Array(300).fill(7))
    await until(() => c.blocks.length === 1 && c.records.length === 1, 'c has both')
    assert.deepEqual(c.blocks[0], block.bytes)
    await until(() => c.chain.tip().id === block.id, 'sync was asked for and brought the block')
  })

  it('sends a header without its body when both are too large together, and refuses larger ones', async () => {
    const a = await startNode({ seed: 1 })
    const bodies: (Uint8Array | undefined)[] = []
    const b = await startNode({
      seed: 2,
      bootstrap: [a.address()],
      gossip: {
        acceptBlock: async (_, body) => {
          bodies.push(body)
          return { verdict: 'accept', sync: false }
        },
      },
    })
    await gossipReady(a, b)
    await a.network.gossip.publishBlock(new Uint8Array(300), new Uint8Array(64 * 1024))
    await a.network.gossip.publishBlock(new Uint8Array(300).fill(1), new Uint8Array(60 * 1024))
    await until(() => bodies.length === 2, 'both came')
    assert.deepEqual(
      bodies.map((body) => body?.length),
      [undefined, 60 * 1024],
    )
    const large = a.network.gossip.publishRecord(new Uint8Array(64 * 1024 + 1))
    assert.equal(await rejection(large), 'GOSSIP_TOO_LARGE')
  })

  it('scores a peer that sends malformed messages, and goes on', async () => {
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2, bootstrap: [a.address()] })
    await gossipReady(a, b)
    const { pubsub } = a.network.host.libp2p.services
    for (let index = 0; index < 3; index += 1) {
      await pubsub.publish(topics.blocks, new Uint8Array(100).fill(index))
    }
    const score = (): number => {
      const scores = b.network.host.libp2p.services.pubsub as unknown as {
        getScore(id: string): number
      }
      return scores.getScore(a.network.host.device)
    }
    await until(() => score() < -80, 'a is below the graylist threshold')
    assert.equal(b.blocks.length, 0)
    const result = await b.network.sync.runAll(AbortSignal.timeout(5000))
    assert.equal(result.length, 1, 'sync still works')
  })

  it('bounds a flood of blocks whose parents are unknown', async () => {
    const a = await startNode({ seed: 1 })
    let asked = 0
    const b = await startNode({
      seed: 2,
      bootstrap: [a.address()],
      gossip: {
        acceptBlock: async () => {
          asked += 1
          return { verdict: 'ignore', sync: true }
        },
      },
    })
    await gossipReady(a, b)
    await until(() => b.syncs.length === 1, 'the first sync has run')
    const started = Date.now()
    for (let index = 0; index < 1500; index += 1) {
      await a.network.gossip.publishBlock(Uint8Array.of(index >> 8, index & 255), Uint8Array.of(1))
    }
    await until(() => asked > 500, 'the flood has come')
    await until(() => b.syncs.length > 1, 'a sync was asked for')
    const most = 2 + (Date.now() - started) / 100
    assert.ok(b.syncs.length <= most, `${b.syncs.length} runs, at most ${most}`)
  })

  it('drops a peer that lies, keeps it out, and takes the chain from another', async () => {
    const honest = await startNode({ seed: 1 })
    for (let index = 0; index < 20; index += 1) honest.chain.mine(`block ${index}`)
    const liar = await startNode({ seed: 2 })
    const claim = liar.chain.status
    const tip = cidOf(Uint8Array.of(1)) as BlockId
    liar.chain.status = () => ({ ...claim(), tip, chainwork: 10_000n })
    const c = await startNode({ seed: 3, bootstrap: [liar.address(), honest.address()] })
    await until(() => c.chain.tip().id === honest.chain.tip().id, 'c has the honest chain')
    const device = liar.network.host.device
    await until(() => !c.network.peers.connected().includes(device), 'the liar is dropped')
    // It is dialled again every 100 ms at most, and refused.
    await new Promise((resolve) => setTimeout(resolve, 500))
    assert.deepEqual(c.network.peers.connected(), [honest.network.host.device])
    assert.equal(c.connects.filter((one) => one === device).length, 1)
  })

  it('takes withheld bodies from another peer', async () => {
    const honest = await startNode({ seed: 1 })
    for (let index = 0; index < 20; index += 1) honest.chain.mine(`block ${index}`)
    const miser = await startNode({ seed: 2 })
    for (const block of honest.chain.blocks.values()) miser.chain.addBlock(block)
    miser.chain.bodies = function* (ids) {
      for (const _ of ids) yield undefined
    }
    const c = await startNode({ seed: 3, bootstrap: [miser.address()] })
    await until(() => c.connects.length === 1, 'c is connected to the one that withholds')
    await c.network.peers.add(honest.address())
    await until(() => c.chain.tip().id === honest.chain.tip().id, 'c has the chain')
  })

  it('survives bad bytes on the sync protocol', async () => {
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2, bootstrap: [a.address()] })
    await until(() => b.connects.length === 1, 'b is connected')
    const [connection] = b.network.host.libp2p.getConnections()
    assert.ok(connection !== undefined)
    for (const bytes of [
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1),
      Uint8Array.of(0, 0, 0, 0),
      Uint8Array.of(0, 0, 0, 5, 1, 2),
      Uint8Array.of(0, 0, 0, 2, 0xa0, 0xa0),
      new Uint8Array(2_000_000),
    ]) {
      const stream = await connection.newStream(SYNC_PROTOCOL)
      stream.send(bytes)
      await stream.close({ signal: AbortSignal.timeout(1000) }).catch(() => {})
      stream.abort(new Error('done'))
    }
    b.chain.mine('after that')
    await a.network.sync.runAll(AbortSignal.timeout(5000))
    assert.equal(a.chain.tip().id, b.chain.tip().id)
  })

  it('SYNC_TIMEOUT: a peer that accepts a request and says nothing', async () => {
    const { createSyncProtocol } = await import('../../../src/network/sync/protocol.ts')
    const { systemClock } = await import('../../../src/common/clock.ts')
    const { silentLogger } = await import('../../../src/common/logger.ts')
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2, bootstrap: [a.address()] })
    await until(() => b.connects.length === 1, 'b is connected')
    const { libp2p } = b.network.host
    await a.network.host.libp2p.unhandle(SYNC_PROTOCOL)
    await a.network.host.libp2p.handle(SYNC_PROTOCOL, () => {})
    const protocol = createSyncProtocol(
      { libp2p, clock: systemClock, logger: silentLogger },
      { idleMs: 700 },
    )
    const question = protocol.peer(a.network.host.device).status(AbortSignal.timeout(5000))
    assert.equal(await rejection(question), 'SYNC_TIMEOUT')
    const nobody = protocol.peer(fakeDevice(9)).status(AbortSignal.timeout(5000))
    assert.equal(await rejection(nobody), 'SYNC_STREAM')
  })

  it('P2P_PORT_IN_USE names the address, and what had started is stopped', async () => {
    const a = await startNode({ seed: 1 })
    const listen = [a.address().split('/p2p/')[0] ?? '']
    await assert.rejects(startNode({ seed: 2, listen }), { code: 'P2P_PORT_IN_USE' })
  })

  it('says what is wrong with an address', async () => {
    const a = await startNode({ seed: 1 })
    const { peers } = a.network
    for (const [address, code] of [
      ['hello', 'PEER_ADDRESS'],
      ['/ip4/127.0.0.1', 'PEER_ADDRESS'],
      ['/ip4/127.0.0.1/udp/1/quic-v1', 'PEER_ADDRESS'],
      ['/ip4/127.0.0.1/tcp/4005/p2p/Qmfoo', 'PEER_ADDRESS'],
      [`/ip4/127.0.0.1/tcp/4005/p2p/${a.network.host.device}`, 'PEER_SELF'],
      [a.address().split('/p2p/')[0] ?? '', 'PEER_SELF'],
      ['/ip4/127.0.0.1/tcp/1', 'PEER_UNREACHABLE'],
    ] as const) {
      assert.equal(await rejection(peers.add(address)), code, address)
    }
  })

  it('exports a peers file with which another node finds the network', async () => {
    const a = await startNode({ seed: 1 })
    const file = a.network.peers.exportPeers()
    const b = await startNode({ seed: 2, bootstrap: file.bootstrap })
    await until(() => b.connects.length === 1, 'b is connected')
    assert.equal(file.network, NETWORK)
  })

  it('Helia brings a block from a peer, and deletes', async () => {
    const { CID } = await import('multiformats/cid')
    const { cidText, RAW } = await import('../../../src/common/dag-cbor.ts')
    const { sha256 } = await import('../../../src/common/crypto.ts')
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2, bootstrap: [a.address()], listen: [LOOPBACK] })
    await until(() => b.connects.length === 1, 'b is connected')
    const bytes = new Uint8Array(1000).fill(5)
    const cid = CID.parse(cidText(RAW, sha256(bytes)))
    await a.blockstore.put(cid, bytes)
    const signal = AbortSignal.timeout(8000)
    for await (const chunk of b.network.helia.blockstore.get(cid, { signal })) {
      assert.deepEqual(Uint8Array.from(chunk), bytes)
    }
    await b.network.helia.blockstore.delete(cid)
    assert.equal(await b.blockstore.has(cid), false)
  })
})
