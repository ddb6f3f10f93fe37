import assert from 'node:assert/strict'
import { createPlan } from './plan.ts'
import { createPrng } from './prng.ts'
import { createVirtualNetwork, type Endpoint } from './virtual-network.ts'
import { createVirtualTime } from './virtual-time.ts'

describe('simulator: its own tools', () => {
  it('random numbers follow from the seed', () => {
    const draw = (seed: string): number[] => {
      const prng = createPrng(seed)
      return Array.from({ length: 50 }, () => prng.next())
    }
    assert.deepEqual(draw('a'), draw('a'))
    assert.notDeepEqual(draw('a'), draw('b'))
    assert.ok(draw('a').every((x) => x >= 0 && x < 1))
    const prng = createPrng('mean')
    const mean =
      Array.from({ length: 20_000 }, () => prng.exponential(7)).reduce((a, b) => a + b) / 20_000
    assert.ok(Math.abs(mean - 7) < 0.3, `mean ${mean}`)
    assert.deepEqual([...prng.shuffle([1, 2, 3, 4])].sort(), [1, 2, 3, 4])
  })

  it('a stream of its own does not move the others', () => {
    const [a, b] = [createPrng('x'), createPrng('x')]
    a.fork('other').next()
    assert.equal(a.next(), b.next())
  })

  it('timers run in the order of their time, then of their making', async () => {
    const time = createVirtualTime()
    const seen: string[] = []
    const prng = createPrng('timers')
    const expected: [number, number][] = []
    for (let index = 0; index < 500; index += 1) {
      const at = prng.int(0, 100)
      expected.push([at, index])
      time.after(at, () => void seen.push(`${at}/${index}`))
    }
    time.after(50, () => void seen.push('never'))()
    await time.advance(100)
    expected.sort((x, y) => x[0] - y[0] || x[1] - y[1])
    assert.deepEqual(
      seen,
      expected.map(([at, index]) => `${at}/${index}`),
    )
  })

  it('promises settle between two timers', async () => {
    const time = createVirtualTime()
    const seen: string[] = []
    time.after(1, () => {
      void (async () => {
        for (let turn = 0; turn < 20; turn += 1) await Promise.resolve()
        seen.push('settled')
      })()
    })
    time.after(1, () => void seen.push('next'))
    await time.advance(1)
    assert.deepEqual(seen, ['settled', 'next'])
  })

  it('time stands where it was told to, and a jump makes timers late', async () => {
    const time = createVirtualTime()
    const began = time.now()
    let at = 0
    time.after(10, () => {
      at = time.now()
    })
    time.jump(1000)
    await time.advance(5)
    assert.equal(at - began, 1000)
    assert.equal(time.now() - began, 1005)
  })

  it('a cut breaks what is on its way, healing connects again', async () => {
    const time = createVirtualTime()
    const network = createVirtualNetwork(time, createPrng('net'), () => {})
    network.conditions({ delay: [10, 20], loss: 0, duplicate: 0, breaks: 0 })
    const heard: string[] = []
    const make = (name: string): Endpoint => ({
      identity: name,
      gossip: async (from, topic, payload) => {
        heard.push(`${name} ${from} ${topic} ${payload}`)
        return true
      },
      answer: function* (_, request) {
        yield request
        yield request
      },
      connected: (peer) => void heard.push(`${name}+${peer}`),
      disconnected: (peer) => void heard.push(`${name}-${peer}`),
    })
    for (const name of ['a', 'b', 'c']) network.join(name, make(name))
    assert.deepEqual(heard.splice(0), ['a+b', 'b+a', 'a+c', 'c+a', 'b+c', 'c+b'])
    network.gossip('a', 'records', Uint8Array.of(1))
    await time.advance(100)
    assert.deepEqual(
      heard
        .splice(0)
        .map((line) => line.slice(0, 1))
        .sort(),
      ['b', 'c'],
    )

    network.gossip('a', 'records', Uint8Array.of(2))
    const frames: Uint8Array[] = []
    const asking = (async () => {
      const { signal } = new AbortController()
      for await (const frame of network.exchange('a', 'c', Uint8Array.of(9), signal))
        frames.push(frame)
    })()
    asking.catch(() => {})
    network.partition([['a', 'b'], ['c']])
    await time.advance(100)
    await assert.rejects(asking, { code: 'SYNC_STREAM' })
    assert.equal(frames.length, 0)
    assert.ok(heard.includes('c-a') && heard.includes('a-c'))
    assert.ok(heard.includes('b a records 2') && !heard.includes('c a records 2'))
    heard.length = 0
    network.partition(undefined)
    assert.deepEqual(heard.splice(0), ['a+c', 'c+a', 'b+c', 'c+b'])
  })

  it('lost messages do not arrive, doubled ones are judged once', async () => {
    const time = createVirtualTime()
    const network = createVirtualNetwork(time, createPrng('loss'), () => {})
    let judged = 0
    const make = (identity: string): Endpoint => ({
      identity,
      gossip: async () => {
        judged += 1
        return false
      },
      answer: () => [],
      connected: () => {},
      disconnected: () => {},
    })
    network.join('a', make('a'))
    network.join('b', make('b'))
    network.conditions({ delay: [1, 9], loss: 0.5, duplicate: 0.5, breaks: 0 })
    for (let index = 0; index < 200; index += 1)
      network.gossip('a', 'records', Uint8Array.of(index))
    await time.advance(100)
    assert.ok(judged > 60 && judged < 140, `${judged} of 200`)
  })

  it('a plan follows from its seed', () => {
    assert.deepEqual(createPlan(12), createPlan(12))
    assert.notDeepEqual(createPlan(12), createPlan(12 + 11))
  })
})
