import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import type { ContentId, FileId, VersionId } from '../../../src/chain/ids.ts'
import { sha256 } from '../../../src/common/crypto.ts'
import { createEvents, type Events } from '../../../src/common/events.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import type { NodeEvents } from '../../../src/services/events.ts'
import {
  createReplication,
  type Replication,
  type ReplicationComponents,
} from '../../../src/services/replication/replication.ts'
import type { FileEntry } from '../../../src/storage/projections.ts'
import { createVirtualClock, type VirtualClock } from '../network/virtual-clock.ts'
import { blockOf, noise, type Tree, treeOf } from '../transfer/content.ts'

interface Scene {
  readonly clock: VirtualClock
  readonly events: Events<NodeEvents>
  readonly replication: Replication
  readonly pinned: Set<string>
  readonly files: FileEntry[]
  readonly freed: Set<string>
  /** Roots that `complete` was asked for. */
  readonly asked: string[]
  /** What `complete` throws for a root; undefined: it succeeds. */
  failure: (root: string) => string | undefined
  /** Blocks that others have. */
  readonly elsewhere: Map<string, Uint8Array>
  readonly here: Map<string, Uint8Array>
  connect(device: string): void
  again(): Scene
}

function file(name: string, root: string, size: number): FileEntry {
  const sha256Of = sha256(new Uint8Array(0))
  const body = { root, storedSize: size, size, sha256: sha256Of, visibility: 'public' }
  return {
    file: name as FileId,
    version: `${name} 1` as VersionId,
    record: { body } as unknown as FileEntry['record'],
    details: { name, folder: [], mediaType: 'text/plain', size, sha256: sha256Of },
    heads: [`${name} 1` as VersionId],
    owner: '' as FileEntry['owner'],
    removed: false,
    pending: true,
  }
}

function scene(kept?: Scene): Scene {
  const clock = createVirtualClock()
  const events = createEvents<NodeEvents>((error) => assert.fail(String(error)))
  const listeners = new Set<(device: string) => void>()
  const sources: string[] = []
  const state = {
    clock,
    events,
    pinned: kept?.pinned ?? new Set<string>(),
    files: kept?.files ?? [],
    freed: kept?.freed ?? new Set<string>(),
    asked: [] as string[],
    failure: (_root: string): string | undefined => undefined,
    elsewhere: new Map<string, Uint8Array>(),
    here: new Map<string, Uint8Array>(),
    connect: (device: string) => {
      sources.push(device)
      for (const listener of listeners) listener(device)
    },
    again: () => scene(self),
  }
  const components: ReplicationComponents = {
    projections: {
      listFiles: ({ limit, after }) => {
        const start =
          after === undefined ? 0 : state.files.findIndex(({ file }) => file === after) + 1
        return state.files.slice(start, start + limit)
      },
      versionsOf: () => [],
    },
    pins: {
      choice: (name) => (state.freed.has(name) ? 'freed' : undefined),
      isPinned: (root) => state.pinned.has(root),
    },
    content: {
      bytes: async (cid) => {
        const bytes = state.here.get(cid.toString())
        if (bytes === undefined) throw new Error('missing')
        return bytes
      },
      putVerified: async (cid, bytes) => void state.here.set(cid.toString(), bytes),
      flush: async () => {},
      damagedBlocks: () => [],
    },
    complete: async ({ record, version }, { signal }) => {
      const { root, storedSize: size } = record.body
      state.asked.push(root)
      await new Promise<void>((resolve, reject) => {
        clock.after(1000, resolve)
        signal.addEventListener('abort', () => reject(signal.reason))
      })
      const code = self.failure(root)
      if (code !== undefined) throw Object.assign(new Error(code), { code })
      state.pinned.add(root)
      events.emit('copy:verified', { version, root, size })
    },
    transfer: {
      sources,
      onSource: (listener) => {
        listeners.add(listener)
        return () => void listeners.delete(listener)
      },
      broker: {
        retrieve: async (cid: CID) => {
          const bytes = state.elsewhere.get(cid.toString())
          if (bytes === undefined) throw Object.assign(new Error('none'), { code: 'NO_SOURCE' })
          return bytes
        },
      } as unknown as ReplicationComponents['transfer']['broker'],
    },
    events,
    clock,
    logger: silentLogger,
  }
  const self: Scene = Object.assign(state, { replication: createReplication(components) })
  return self
}

const pending = {
  record: { type: 'file.add' },
  own: false,
} as unknown as NodeEvents['record:pending']

describe('replication', () => {
  it('brings what is missing, at the start and after a new record', async () => {
    const at = scene()
    at.files.push(file('a', 'root a', 10), file('b', 'root b', 10))
    at.pinned.add('root b')
    const verified: string[] = []
    at.events.on('copy:verified', ({ root }) => verified.push(root))
    await at.replication.start()
    at.connect('x')
    await at.clock.advance(2000)
    assert.deepEqual(verified, ['root a'])
    at.files.push(file('c', 'root c', 10))
    at.events.emit('record:pending', pending)
    await at.clock.advance(5000)
    assert.deepEqual(verified, ['root a', 'root c'])
    assert.deepEqual(at.replication.status(), {
      missing: 0,
      missingBytes: 0,
      fetching: 0,
      damaged: 0,
    })
    await at.replication.stop()
  })

  it('tries again, and at once when a device connects', async () => {
    const at = scene()
    at.files.push(file('a', 'root a', 10))
    at.failure = () => 'NO_SOURCE'
    await at.replication.start()
    at.connect('x')
    await at.clock.advance(120_000)
    const tries = at.asked.length
    assert.ok(tries >= 4 && tries <= 8, `${tries} tries in two minutes`)
    at.failure = () => undefined
    at.connect('y')
    await at.clock.advance(1500)
    assert.ok(at.pinned.has('root a'))
    await at.replication.stop()
  })

  it('without anybody to ask it does not go on asking', async () => {
    const at = scene()
    at.files.push(file('a', 'root a', 10))
    at.failure = () => 'NO_SOURCE'
    await at.replication.start()
    await at.clock.advance(600_000)
    assert.equal(at.asked.length, 1)
    await at.replication.stop()
  })

  it('two at a time', async () => {
    const at = scene()
    for (let index = 0; index < 5; index += 1)
      at.files.push(file(`${index}`, `root ${index}`, index))
    await at.replication.start()
    at.connect('x')
    await at.clock.advance(500)
    assert.equal(at.replication.status().fetching, 2)
    await at.clock.advance(5000)
    assert.equal(at.pinned.size, 5)
    await at.replication.stop()
  })

  it('after a restart it goes on with what is missing', async () => {
    const before = scene()
    for (let index = 0; index < 4; index += 1) {
      before.files.push(file(`${index}`, `root ${index}`, 1))
    }
    await before.replication.start()
    before.connect('x')
    await before.clock.advance(1500)
    await before.replication.stop()
    const here = before.pinned.size
    assert.ok(here > 0 && here < 4)
    const after = before.again()
    await after.replication.start()
    after.connect('x')
    await after.clock.advance(10_000)
    assert.equal(after.pinned.size, 4)
    assert.equal(after.asked.length, 4 - here)
    await after.replication.stop()
  })

  it('what was let go is not brought back, and what is not wanted any more is not fetched further', async () => {
    const at = scene()
    at.files.push(file('a', 'root a', 10), file('b', 'root b', 10))
    at.freed.add('a')
    await at.replication.start()
    at.connect('x')
    await at.clock.advance(500)
    assert.deepEqual(at.asked, ['root b'])
    at.files.length = 0
    at.events.emit('record:pending', pending)
    await at.clock.advance(10_000)
    assert.equal(at.pinned.size, 0)
    assert.equal(at.replication.status().missing, 0)
    await at.replication.stop()
  })

  it('STORAGE_FULL stops all fetches for a while; wrong content does not', async () => {
    const at = scene()
    at.files.push(file('a', 'root a', 1), file('b', 'root b', 2), file('c', 'root c', 3))
    at.failure = () => 'STORAGE_FULL'
    await at.replication.start()
    at.connect('x')
    await at.clock.advance(30_000)
    assert.ok(at.asked.length <= 3, `${at.asked.length} tries on a full disk`)
    at.failure = (root) => (root === 'root a' ? 'CONTENT_DIFFERS' : undefined)
    await at.clock.advance(200_000)
    assert.deepEqual([...at.pinned].sort(), ['root b', 'root c'])
    assert.ok(at.asked.filter((root) => root === 'root a').length <= 3)
    await at.replication.stop()
  })

  it('a damaged block is fetched again; until then its root is not complete, and others are', async () => {
    const at = scene()
    const [tree, other]: Tree[] = [treeOf(4, 50, 4, 1), treeOf(4, 50, 4, 2)]
    assert.ok(tree !== undefined && other !== undefined)
    for (const { cid, bytes } of [...tree.blocks, ...other.blocks]) at.here.set(`${cid}`, bytes)
    at.pinned.add(`${tree.root}`).add(`${other.root}`)
    await at.replication.start()
    at.connect('x')
    assert.equal(await at.replication.isComplete(tree.root), true)
    const bad = tree.blocks[2] ?? blockOf(noise(1, 1))
    at.events.emit('copy:damaged', { cid: `${bad.cid}` })
    await at.clock.advance(100)
    assert.equal(await at.replication.isComplete(tree.root), false)
    assert.equal(await at.replication.isComplete(other.root), true)
    assert.equal(at.replication.status().damaged, 1)
    at.elsewhere.set(`${bad.cid}`, bad.bytes)
    at.connect('y')
    await at.clock.advance(100)
    assert.equal(await at.replication.isComplete(tree.root), true)
    assert.equal(await at.replication.isComplete(CID.parse(`${blockOf(noise(3, 3)).cid}`)), false)
    await at.replication.stop()
  })

  it('its stop ends what runs', async () => {
    const at = scene()
    at.files.push(file('a', 'root a', 10))
    await at.replication.start()
    at.connect('x')
    await at.clock.advance(500)
    await at.replication.stop()
    await at.clock.advance(10_000)
    assert.equal(at.pinned.size, 0)
    assert.ok(('root a' as ContentId) === at.asked[0])
  })
})
