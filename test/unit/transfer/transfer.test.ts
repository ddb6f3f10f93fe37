import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { codeOf } from '../../../src/common/errors.ts'
import { KIB } from '../../../src/common/limits.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import type { FetchProgress } from '../../../src/network/transfer/fetch-dag.ts'
import { encodeBlockHeader, FRAME } from '../../../src/network/transfer/messages.ts'
import { createTransfer, type Transfer } from '../../../src/network/transfer/transfer.ts'
import { createVirtualClock, type VirtualClock } from '../network/virtual-clock.ts'
import {
  type Block,
  blockOf,
  join,
  type MemoryStore,
  memoryStore,
  noise,
  treeOf,
} from './content.ts'
import { createFakeNet, type FakeNet, type FakeStream } from './fake-net.ts'

interface Device {
  readonly transfer: Transfer
  readonly store: MemoryStore
  readonly liars: string[]
}

class World {
  readonly net: FakeNet = createFakeNet()
  readonly clock: VirtualClock = createVirtualClock()
  readonly devices = new Map<string, Device>()

  async device(name: string, blocks: readonly Block[] = [], complete: readonly CID[] = []) {
    const store = memoryStore(blocks)
    const liars: string[] = []
    const transfer = createTransfer(
      {
        libp2p: this.net.host(name),
        blockstore: store,
        clock: this.clock,
        logger: silentLogger,
        isComplete: (root) => complete.some((each) => each.equals(root)),
        onMisbehaviour: (device, code) => liars.push(`${device} ${code}`),
      },
      {},
    )
    await transfer.start()
    const device = { transfer, store, liars }
    this.devices.set(name, device)
    return device
  }

  /** What `promise` comes to, while time goes on. */
  async run<T>(promise: Promise<T>, mostMs = 60_000): Promise<T> {
    let over = false
    const watched = promise.finally(() => {
      over = true
    })
    watched.catch(() => {})
    for (let passed = 0; !over && passed < mostMs; passed += 5) await this.clock.advance(5)
    assert.ok(over, `nothing came of it in ${mostMs} ms`)
    return watched
  }
}

/** A device that answers as `behave` wants. */
function hostile(world: World, name: string, behave: (stream: FakeStream) => void): void {
  void world.net.host(name).handle('', (stream) => behave(stream as unknown as FakeStream), {
    maxInboundStreams: 1,
    maxOutboundStreams: 1,
  })
}

const tree = treeOf(40, 2 * KIB, 8)

describe('transfer: devices', () => {
  it('brings a tree, in order, and tells how far it is', async () => {
    const world = new World()
    const [a, b] = [await world.device('a', tree.blocks), await world.device('b')]
    world.net.connect('a', 'b')
    const seen: FetchProgress[] = []
    await world.run(b.transfer.fetchDag(tree.root, { onProgress: (each) => seen.push(each) }))
    assert.equal(b.store.map.size, tree.blocks.length)
    assert.equal(b.store.flushes, 1)
    const last = seen.at(-1)
    assert.deepEqual(last, { bytes: tree.size, total: tree.size, source: 'a' })
    const firstLeaf = tree.blocks.find(({ cid }) => cid.code === 0x55)
    assert.ok(b.store.puts.indexOf(`${firstLeaf?.cid}`) < 8, 'the first bytes come early')
    assert.equal(a.transfer.stats().sent, b.transfer.stats().received)
  })

  it('fetches nothing that is here', async () => {
    const world = new World()
    const [a] = [await world.device('a', tree.blocks)]
    const b = await world.device('b', tree.blocks.slice(0, 30))
    world.net.connect('a', 'b')
    await world.run(b.transfer.fetchDag(tree.root))
    assert.equal(b.store.puts.length, tree.blocks.length - 30)
    assert.equal(a.store.gets.length, tree.blocks.length - 30)
    const alone = await world.device('c', tree.blocks)
    await world.run(alone.transfer.fetchDag(tree.root))
  })

  it('a block that stands in the tree many times is asked once', async () => {
    const world = new World()
    const part = treeOf(3, 100, 4)
    const same = join([part, part, part])
    const a = await world.device('a', same.blocks)
    const b = await world.device('b')
    world.net.connect('a', 'b')
    await world.run(b.transfer.fetchDag(same.root))
    assert.deepEqual(new Set(a.store.gets).size, a.store.gets.length)
    assert.equal(b.store.map.size, 5)
  })

  it('each of two sources sends a part, no block comes twice', async () => {
    const world = new World()
    await world.device('a', tree.blocks)
    await world.device('c', tree.blocks)
    const b = await world.device('b')
    world.net.connect('a', 'b')
    world.net.connect('c', 'b')
    await world.run(b.transfer.fetchDag(tree.root))
    assert.equal(b.transfer.stats().received, tree.size)
  })

  it('two sources that have a half each make a whole', async () => {
    const world = new World()
    await world.device(
      'a',
      tree.blocks.filter((_, index) => index < 2 || index % 2 === 0),
    )
    await world.device(
      'c',
      tree.blocks.filter((_, index) => index < 2 || index % 2 === 1),
    )
    const b = await world.device('b')
    world.net.connect('a', 'b')
    world.net.connect('c', 'b')
    await world.run(b.transfer.fetchDag(tree.root))
    assert.equal(b.store.map.size, tree.blocks.length)
  })

  it('when a source dies in the middle the other one takes over', async () => {
    const world = new World()
    await world.device('a', tree.blocks)
    await world.device('c', tree.blocks)
    const b = await world.device('b')
    world.net.connect('a', 'b')
    world.net.connect('c', 'b')
    let cut = false
    const done = b.transfer.fetchDag(tree.root, {
      onProgress: ({ bytes }) => {
        if (cut || bytes < tree.size / 4) return
        cut = true
        world.net.disconnect('a', 'b')
      },
    })
    await world.run(done)
    assert.ok(cut)
    assert.equal(b.store.map.size, tree.blocks.length)
  })

  it('when the only source dies and comes back the fetch goes on', async () => {
    const world = new World()
    await world.device('a', tree.blocks)
    const b = await world.device('b')
    world.net.connect('a', 'b')
    let cut = false
    const done = b.transfer.fetchDag(tree.root, {
      onProgress: ({ bytes }) => {
        if (cut || bytes < tree.size / 4) return
        cut = true
        world.net.disconnect('a', 'b')
        world.clock.after(2000, () => world.net.connect('a', 'b'))
      },
    })
    await world.run(done)
    assert.equal(b.store.map.size, tree.blocks.length)
  })

  it('NO_SOURCE: nobody is there, or nobody has it', async () => {
    const world = new World()
    const b = await world.device('b')
    assert.equal(await world.run(b.transfer.fetchDag(tree.root).catch(codeOf)), 'NO_SOURCE')
    await world.device('a')
    world.net.connect('a', 'b')
    assert.equal(await world.run(b.transfer.fetchDag(tree.root).catch(codeOf)), 'NO_SOURCE')
    const once = b.transfer.fetchDag(tree.root, { patienceMs: 0 }).catch(codeOf)
    assert.equal(await world.run(once), 'NO_SOURCE')
  })

  const liars: readonly (readonly [string, string, (stream: FakeStream) => void])[] = [
    [
      'sends other bytes',
      'BLOCK_MISMATCH',
      (stream) => {
        stream.addEventListener('message', ({ data }: { data: Uint8Array }) => {
          if (data[0] === FRAME.have) return holdsAll(stream, data)
          stream.send(encodeBlockHeader(idIn(data), 3))
          stream.send(Uint8Array.of(1, 2, 3))
        })
      },
    ],
    [
      'sends garbage',
      'FRAME_INVALID',
      (stream) => stream.addEventListener('message', () => stream.send(noise(99, 3))),
    ],
  ]
  for (const [what, code, behave] of liars) {
    it(`${code}: a source that ${what} is not asked again, and the honest one is`, async () => {
      const world = new World()
      hostile(world, 'liar', behave)
      await world.device('a', tree.blocks)
      const b = await world.device('b')
      world.net.connect('liar', 'b')
      const done = b.transfer.fetchDag(tree.root)
      await world.clock.advance(100)
      world.net.connect('a', 'b')
      await world.run(done)
      assert.equal(b.store.map.size, tree.blocks.length)
      assert.deepEqual(b.liars, [`liar ${code}`])
      assert.equal(b.transfer.stats().faults[code], 1)
    })
  }

  it('SOURCE_STALLED: a source that answers nothing is put aside, and the fetch goes on', async () => {
    const world = new World()
    hostile(world, 'silent', (stream) =>
      stream.addEventListener('message', ({ data }: { data: Uint8Array }) => {
        if (data[0] === FRAME.have) holdsAll(stream, data)
      }),
    )
    const b = await world.device('b')
    await world.device('a', tree.blocks)
    world.net.connect('silent', 'b')
    const done = b.transfer.fetchDag(tree.root)
    await world.clock.advance(100)
    world.net.connect('a', 'b')
    await world.run(done)
    assert.equal(b.transfer.stats().faults.SOURCE_STALLED, 1)
  })

  it('the signal ends it, and the source is told', async () => {
    const world = new World()
    const a = await world.device('a', tree.blocks)
    const b = await world.device('b')
    world.net.connect('a', 'b')
    const abort = new AbortController()
    const done = b.transfer.fetchDag(tree.root, {
      signal: abort.signal,
      onProgress: () => abort.abort(new Error('enough')),
    })
    await assert.rejects(world.run(done), /enough/)
    await world.clock.advance(1000)
    assert.ok(a.transfer.stats().sent < tree.size)
    await assert.rejects(b.transfer.fetchDag(tree.root, { signal: abort.signal }), /enough/)
  })

  it('DAG_TOO_LARGE, CID_UNSUPPORTED, DAG_INVALID', async () => {
    const world = new World()
    const bad = blockOf(Uint8Array.of(0xff, 0xff), 0x70)
    await world.device('a', [...tree.blocks, bad])
    const b = await world.device('b')
    world.net.connect('a', 'b')
    const code = (root: CID, maxBytes?: number): Promise<unknown> =>
      world.run(b.transfer.fetchDag(root, maxBytes === undefined ? {} : { maxBytes }).catch(codeOf))
    assert.equal(await code(tree.root, tree.size / 2), 'DAG_TOO_LARGE')
    assert.equal(await code(blockOf(Uint8Array.of(1), 0x71).cid), 'CID_UNSUPPORTED')
    assert.equal(await code(bad.cid), 'DAG_INVALID')
  })

  it('a full disk ends the fetch with its own error', async () => {
    const world = new World()
    await world.device('a', tree.blocks)
    const b = await world.device('b')
    b.store.put = async () => {
      throw Object.assign(new Error('full'), { code: 'STORAGE_FULL' })
    }
    world.net.connect('a', 'b')
    assert.equal(await world.run(b.transfer.fetchDag(tree.root).catch(codeOf)), 'STORAGE_FULL')
  })

  it('the broker brings one block, from the one that has it, and shares what is under way', async () => {
    const world = new World()
    const block = blockOf(noise(500, 1))
    await world.device('empty')
    const a = await world.device('a', [block])
    const b = await world.device('b')
    world.net.connect('empty', 'b')
    world.net.connect('a', 'b')
    const bytes = await world.run(b.transfer.broker.retrieve(block.cid))
    assert.deepEqual(Buffer.from(bytes), Buffer.from(block.bytes))
    const fetched = b.transfer.fetchDag(block.cid)
    await world.clock.advance(1)
    await world.run(Promise.all([fetched, b.transfer.broker.retrieve(block.cid)]))
    assert.ok(a.store.gets.length <= 3)
    const missing = b.transfer.broker.retrieve(blockOf(noise(5, 9)).cid)
    assert.equal(await world.run(missing.catch(codeOf)), 'NO_SOURCE')
    const other = blockOf(noise(5, 9)).cid
    const aborted = b.transfer.broker.retrieve(other, { signal: AbortSignal.abort() })
    await assert.rejects(aborted)
  })

  it('the broker refuses what Helia refuses', async () => {
    const world = new World()
    const [block = blockOf(noise(1, 1))] = tree.blocks
    await world.device('a', [block])
    const b = await world.device('b')
    world.net.connect('a', 'b')
    const validateFn = async (): Promise<void> => {
      throw new Error('not this one')
    }
    await assert.rejects(
      world.run(b.transfer.broker.retrieve(block.cid, { validateFn })),
      /not this one/,
    )
    const small = b.transfer.broker.retrieve(block.cid, { maxSize: 1 }).catch(codeOf)
    assert.equal(await world.run(small), 'FRAME_TOO_LARGE')
  })

  it('counts only what others say to be complete', async () => {
    const world = new World()
    await world.device('a', tree.blocks, [tree.root])
    await world.device('c', tree.blocks.slice(0, 3))
    await world.device('d')
    const b = await world.device('b')
    for (const name of ['a', 'c', 'd']) world.net.connect(name, 'b')
    const held = await world.run(b.transfer.holders(tree.root))
    assert.deepEqual([...held].sort(), [
      ['a', 'complete'],
      ['c', 'part'],
      ['d', 'none'],
    ])
  })

  it('after its stop nothing is served and nothing waits', async () => {
    const world = new World()
    const a = await world.device('a', tree.blocks)
    const b = await world.device('b')
    world.net.connect('a', 'b')
    const done = b.transfer.fetchDag(tree.root, { patienceMs: 0 }).catch(codeOf)
    await a.transfer.stop()
    assert.equal(await world.run(done), 'NO_SOURCE')
    assert.equal(a.transfer.stats().serving, 0)
  })
})

function idIn(frame: Uint8Array): number {
  // {wants: [[id, …]]}: the id is the first number after the three headers.
  const at = 5 + 1 + 6 + 1 + 1
  const first = frame[at] ?? 0
  return first < 24 ? first : (frame[at + 1] ?? 0)
}

function holdsAll(stream: FakeStream, frame: Uint8Array): void {
  const id = frame[5 + 1 + 3] ?? 0
  stream.send(
    Uint8Array.of(
      ...[FRAME.holds, 0, 0, 0, 20, 0xa2, 0x62, 0x69, 0x64, id, 0x64, 0x68, 0x65, 0x6c, 0x64, 0x81],
      ...[0x68, ...new TextEncoder().encode('complete')],
    ),
  )
}
