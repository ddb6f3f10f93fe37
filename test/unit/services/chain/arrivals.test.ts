import assert from 'node:assert/strict'
import type { Block } from '../../../../src/chain/block.ts'
import { createArrivals } from '../../../../src/services/chain/arrivals.ts'
import { handClock } from '../../../helpers/chain-node.ts'

/** Blocks that are told apart by their names alone. */
function blocks(...names: string[]): Block[] {
  return names.map((id) => ({ id }) as unknown as Block)
}

interface Window {
  readonly verified: PromiseWithResolvers<readonly Block[]>
  /** How its import ended. */
  readonly ended: Promise<string>
}

function setup({ failing = [] as readonly string[], announced = 0 } = {}): {
  imports: string[][]
  clock: ReturnType<typeof handClock>
  announce(count: number): void
  take(count?: number): Window
  idle(): Promise<void>
} {
  const imports: string[][] = []
  const clock = handClock(0)
  const importBlocks = async (some: readonly Block[]): Promise<void> => {
    const names = some.map(({ id }) => String(id))
    imports.push(names)
    if (names.some((name) => failing.includes(name))) throw new Error('no disk')
  }
  const arrivals = createArrivals({ importBlocks, announced: () => announced, clock })
  return {
    imports,
    clock,
    announce: (count) => {
      announced = count
    },
    idle: arrivals.idle,
    take: (count = 1) => {
      const verified = Promise.withResolvers<readonly Block[]>()
      const ended = arrivals.take(count, verified.promise).then(
        () => 'imported',
        (error: unknown) => (error instanceof Error ? error.message : 'unknown'),
      )
      return { verified, ended }
    },
  }
}

describe('services/chain: arrivals', () => {
  it('imports in the order of the calls, and together what is verified by then', async () => {
    const { imports, take } = setup()
    const [one, two, three] = [take(), take(), take()]
    three.verified.resolve(blocks('c'))
    two.verified.resolve(blocks('b'))
    await new Promise(setImmediate)
    assert.deepEqual(imports, [])
    one.verified.resolve(blocks('a'))
    assert.deepEqual(await Promise.all([one.ended, two.ended, three.ended]), [
      'imported',
      'imported',
      'imported',
    ])
    assert.deepEqual(imports, [['a', 'b', 'c']])
  })

  it('while more are expected, begins when it is worth it and the verifier has work', async () => {
    const { imports, take, clock } = setup({ announced: 3000 })
    const [large, ahead] = [take(1024), take(1023)]
    large.verified.resolve(blocks('large'))
    await new Promise(setImmediate)
    assert.deepEqual(imports, [])
    const more = take(1)
    const small = take(1)
    small.verified.resolve(blocks('small'))
    await large.ended
    assert.deepEqual(imports, [['large']])
    ahead.verified.resolve(blocks('ahead'))
    more.verified.resolve(blocks('more'))
    await new Promise(setImmediate)
    assert.deepEqual(imports, [['large']], 'the verifier has nothing to do')
    clock.time += 500
    await small.ended
    assert.deepEqual(imports, [['large'], ['ahead', 'more', 'small']], 'no more came')
  })

  it('many small windows are worth it too: nothing more would come', async () => {
    const { imports, take } = setup({ announced: 3000 })
    const names = Array.from('abcdefghijkl')
    const windows = names.map((name) => ({ name, window: take() }))
    for (const { name, window } of windows.slice(0, 11)) window.verified.resolve(blocks(name))
    await new Promise(setImmediate)
    assert.deepEqual(imports, [])
    for (const { name, window } of windows.slice(11)) window.verified.resolve(blocks(name))
    await Promise.all(windows.map(({ window }) => window.ended))
    assert.deepEqual(imports, [names])
  })

  it('the last ones are imported in smaller lots', async () => {
    const { imports, take, announce } = setup({ announced: 1100 })
    const [one, two, three] = [take(500), take(100), take(500)]
    one.verified.resolve(blocks('one'))
    await new Promise(setImmediate)
    assert.deepEqual(imports, [], 'the verifier has work for longer than it takes')
    two.verified.resolve(blocks('two'))
    await two.ended
    announce(500)
    three.verified.resolve(blocks('three'))
    await three.ended
    assert.deepEqual(imports, [['one', 'two'], ['three']])
  })

  it('tells each window of its own failure, and goes on', async () => {
    const { imports, take, idle } = setup({ failing: ['bad'] })
    const [good, refused, bad, last] = [take(), take(), take(), take()]
    refused.verified.reject(new Error('a wrong signature'))
    last.verified.resolve(blocks('last'))
    bad.verified.resolve(blocks('bad'))
    good.verified.resolve(blocks('good'))
    assert.deepEqual(await Promise.all([good, refused, bad, last].map(({ ended }) => ended)), [
      'imported',
      'a wrong signature',
      'no disk',
      'imported',
    ])
    assert.deepEqual(imports, [['good'], ['bad', 'last'], ['bad'], ['last']])
    await idle()
  })
})
