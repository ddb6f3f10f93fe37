import assert from 'node:assert/strict'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { networkIdOf } from '../../../src/chain/params.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { encode } from '../../../src/common/dag-cbor.ts'
import { MIB } from '../../../src/common/limits.ts'
import { decodeAnswer, encodeAnswer, type SyncAnswer } from '../../../src/network/sync/messages.ts'
import { type ChainNode, createChainNode, seedOf } from '../../helpers/chain-node.ts'
import { until } from '../network/nodes.ts'
import { fileStatement, forgeBlock, forgeRecord } from './forge.ts'
import { connectHostile, type HostilePeer } from './hostile-peer.ts'
import { startVictims, type Victims } from './victims.ts'

/** Bytes that an attack may leave in memory beside what the garbage collector has not looked at yet. */
const MAX_GROWTH = 256 * MIB
/** Milliseconds that the event loop may be held: attacker, target and honest node share it here. */
const MAX_HELD_MS = 2000

const PROTOCOLS = [
  '/cairn/sync/1.0.0',
  '/cairn/transfer/1.0.0',
  '/meshsub/1.1.0',
  '/ipfs/id/1.0.0',
  '/ipfs/ping/1.0.0',
  '/ipfs/bitswap/1.2.0',
]

describe('a hostile peer: streams, sync and floods', function () {
  this.timeout(40_000)
  let victims: Victims
  let loop: ReturnType<typeof monitorEventLoopDelay>
  let rssBefore = 0
  const peers: HostilePeer[] = []

  const hostile = async (
    answers: Parameters<typeof connectHostile>[2] = {},
  ): Promise<HostilePeer> => {
    const peer = await connectHostile(networkIdOf(victims.params), victims.address, answers)
    peers.push(peer)
    return peer
  }
  /** A chain of somebody who is a member in it, `blocks` longer than the target's. */
  const ahead = async (name: string, blocks: number): Promise<ChainNode> => {
    const member = createChainNode(name, { params: victims.params, clock: systemClock })
    const peer = await hostile()
    await peer.pull(member.chain)
    await member.join()
    for (let at = 0; at < blocks; at += 1) {
      await until(() => member.chain.template() !== undefined, 'it may mine', 15_000)
      await member.mine()
      await member.publish(fileStatement(`${name} ${at}`))
    }
    return member
  }

  before(async () => {
    victims = await startVictims()
    await victims.work()
  })
  beforeEach(() => {
    rssBefore = process.memoryUsage.rss()
    loop = monitorEventLoopDelay({ resolution: 10 })
    loop.enable()
  })
  afterEach(async () => {
    await Promise.all(peers.splice(0).map((peer) => peer.stop()))
    loop.disable()
    assert.ok(process.memoryUsage.rss() - rssBefore < MAX_GROWTH, 'memory stays bounded')
    assert.ok(loop.max / 1e6 < MAX_HELD_MS, `the event loop was held for ${loop.max / 1e6} ms`)
  })
  after(() => victims.stop())

  it('garbage, huge lengths and half-open streams on every protocol', async () => {
    const garbage = Buffer.concat(Array.from({ length: 2000 }, (_, at) => seedOf(`noise ${at}`)))
    const huge = Buffer.from('ffffffffffffffffff01', 'hex')
    for (const protocol of PROTOCOLS) {
      const peer = await hostile()
      for (const bytes of [garbage, huge, huge.subarray(0, 3), Buffer.alloc(1)]) {
        const stream = await peer.stream(protocol).catch(() => undefined)
        try {
          stream?.send(bytes)
        } catch {
          // Closed already.
        }
      }
    }
    await victims.work()
  })

  it('two thousand streams', async () => {
    const peer = await hostile()
    const opened = PROTOCOLS.flatMap((protocol) =>
      Array.from({ length: 350 }, () => peer.stream(protocol).catch(() => undefined)),
    )
    const done = Promise.allSettled(opened)
    await victims.work()
    await peer.stop()
    await done
  })

  it('a drip: one byte of a request now and then', async () => {
    const peer = await hostile()
    const streams = await Promise.all(
      Array.from({ length: 8 }, () => peer.stream('/cairn/sync/1.0.0').catch(() => undefined)),
    )
    const drip = setInterval(() => {
      for (const stream of streams) {
        try {
          stream?.send(Uint8Array.of(0))
        } catch {
          // Cut off.
        }
      }
    }, 50)
    await victims.work()
    clearInterval(drip)
  })

  it('forty devices that connect at once', async () => {
    await Promise.all(Array.from({ length: 40 }, () => hostile()))
    await victims.work()
  })

  it('floods of subscriptions and a gossip frame that is too large', async () => {
    const peer = await hostile()
    const stream = await peer.stream('/meshsub/1.1.0')
    // RPC { subscriptions: [{ subscribe: true, topic }] }, protobuf
    const subscriptions = Array.from({ length: 5000 }, (_, at) => {
      const topic = Buffer.from(`/topic/${at}`)
      const inner = Buffer.concat([Buffer.of(0x08, 1, 0x12, topic.length), topic])
      return Buffer.concat([Buffer.of(0x0a, inner.length), inner])
    })
    const rpc = Buffer.concat(subscriptions)
    stream.send(Buffer.concat([varint(rpc.length), rpc]))
    const large = (await hostile()).stream('/meshsub/1.1.0')
    ;(await large).send(Buffer.concat([varint(16 * MIB), Buffer.alloc(5 * MIB)]))
    await victims.work()
  })

  it('requests to sync: malformed, endless, many', async () => {
    const peer = await hostile()
    const ask = async (bytes: Uint8Array): Promise<void> => {
      const stream = await peer.stream('/cairn/sync/1.0.0').catch(() => undefined)
      const frame = Buffer.alloc(4 + bytes.length)
      frame.writeUInt32BE(bytes.length)
      frame.set(bytes, 4)
      try {
        stream?.send(frame)
      } catch {
        // Refused.
      }
    }
    for (let round = 0; round < 100; round += 1) {
      await ask(encode({ type: 'heads' }))
      await ask(encode({ type: 'status', more: 1 }))
      await ask(seedOf('nothing'))
    }
    await victims.work()
  })

  const lies: Record<string, (answer: SyncAnswer) => SyncAnswer | Uint8Array | undefined> = {
    'claims work and shows none': (answer) =>
      answer.type === 'status'
        ? { ...answer, tip: answer.tip, chainwork: 2n ** 200n }
        : answer.type === 'headers'
          ? { type: 'headers', headers: [] }
          : answer,
    'sends garbage as its status': () => seedOf('garbage'),
    'sends headers that are none': (answer) =>
      answer.type === 'headers' ? { type: 'headers', headers: [seedOf('header')] } : answer,
    'withholds bodies': (answer) =>
      answer.type === 'bodies'
        ? { type: 'bodies', bodies: answer.bodies.map(() => null), last: true }
        : answer,
    'sends other bodies': (answer) =>
      answer.type === 'bodies'
        ? { type: 'bodies', bodies: answer.bodies.map(() => encode({ records: [] })), last: true }
        : answer,
    'ends in the middle of the bodies': (answer) => (answer.type === 'bodies' ? undefined : answer),
    'sends records that are none': (answer) =>
      answer.type === 'records'
        ? { type: 'records', records: [seedOf('record')], last: true }
        : answer,
  }
  for (const [name, lie] of Object.entries(lies)) {
    it(`a peer that ${name}`, async () => {
      const { chain } = await ahead(`liar who ${name}`, 2)
      const peer = await hostile({
        chain,
        lie: function* (frames) {
          for (const frame of frames) {
            const told = lie(decodeAnswer(frame))
            if (told === undefined) return yield undefined
            yield told instanceof Uint8Array ? told : encodeAnswer(told)
          }
        },
      })
      await until(() => peer.asked > (name.includes('status') ? 0 : 1), 'it was asked', 15_000)
      await victims.work()
    })
  }

  it('a peer that takes every question and answers nothing', async () => {
    const peer = await hostile({ serve: () => {} })
    await until(() => peer.asked > 0, 'it was asked')
    await victims.work()
  })

  it('a flood of blocks with unknown parents', async () => {
    const member = await ahead('orphans', 1)
    const peer = await hostile()
    for (let at = 0; at < 2000; at += 1) {
      const parent = `${member.store.tip().id}`
      const forged = forgeBlock(member, 'orphans', {
        header: { parent: orphanId(at, parent) as never, height: 10 + at },
      })
      await peer.gossipBlock(forged)
    }
    await victims.work()
  })

  it('a flood of records without predecessors, and one of good ones, by a fresh device', async () => {
    const eve = createChainNode('flood', { params: victims.params, clock: systemClock })
    const peer = await hostile()
    const admission = await eve.join()
    await peer.gossip('records', admission.bytes)
    for (let at = 0; at < 1500; at += 1) {
      const early = forgeRecord(eve, 'flood', { sequence: 5, previous: admission.id, time: at })
      await peer.gossip(
        'records',
        forgeRecord(eve, 'flood', { sequence: 9 + at, previous: early.id }).bytes,
      )
    }
    // Equivocation: many records at one place.
    for (let at = 0; at < 1500; at += 1) {
      await peer.gossip('records', forgeRecord(eve, 'flood', { time: at }).bytes)
    }
    await victims.work()
    const { pending } = victims.target.chain.summary()
    assert.ok(pending < 100_000)
  })
})

function orphanId(at: number, like: string): string {
  const digits = 'abcdefghijklmnopqrstuvwxyz234567'
  const tail = [...Array(4)].map((_, place) => digits[(at >> (place * 5)) & 31]).join('')
  return `${like.slice(0, 20)}${tail}${like.slice(24)}`
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let left = value; ; left = Math.floor(left / 128)) {
    if (left < 128) return Buffer.from([...bytes, left])
    bytes.push((left % 128) | 128)
  }
}
