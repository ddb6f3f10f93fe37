import assert from 'node:assert/strict'
import { MIB } from '../../../../../src/common/limits.ts'
import { type Backups, createBackups } from '../../../../../src/services/backup/backups.ts'
import { wantContents } from '../../../../../src/services/backup/contents/back.ts'
import { isPackName } from '../../../../../src/services/backup/contents/names.ts'
import { manifestNumber } from '../../../../../src/services/backup/manifest.ts'
import {
  type ContentsWorld,
  createContentsWorld,
  type Disk,
} from '../../../../helpers/backup/contents-world.ts'
import { verifier } from '../../../../helpers/backup-world.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../../helpers/memory-destination.ts'
import { pattern } from '../../../storage/blockstore-helpers.ts'

const { signal } = new AbortController()

async function until(done: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 8000
  while (!done()) {
    if (Date.now() > end) assert.fail(`it never happened: ${what}`)
    await new Promise(setImmediate)
  }
}

describe('backups of a node with contents of files', () => {
  let world: ContentsWorld
  let one: MemoryDestination
  let two: MemoryDestination
  let backups: Backups

  const manifests = (at: MemoryDestination): number =>
    at.puts.filter((name) => manifestNumber(name) !== undefined).length
  const packs = (at: MemoryDestination): number => at.puts.filter(isPackName).length
  const make = (disk: Disk = world.disk, names: readonly string[] = ['one', 'two']): Backups =>
    createBackups(
      {
        ...world.components,
        destinations: [one, two],
        owner: world.owner,
        verifier,
        chain: world.node.chain,
        events: world.node.events,
        contents: { ...disk, markOf: world.markOf },
      },
      { params: world.node.params, hasContents: ({ name }) => names.includes(name) },
    )
  const contentsOf = (name: string) => backups.status().find((each) => each.name === name)?.contents
  const second = (): void => {
    world.clock.time += 1000
  }
  /** Stops, and moves the clock as long as it takes. */
  const stop = async (): Promise<number> => {
    let isStopped = false
    const began = world.clock.time
    const stopping = backups.stop().then(() => {
      isStopped = true
    })
    await until(() => {
      if (!isStopped) world.clock.time += 10
      return isStopped
    }, 'it stops')
    await stopping
    return world.clock.time - began
  }

  beforeEach(async () => {
    world = await createContentsWorld()
    one = createMemoryDestination({ name: 'one', now: world.clock.now })
    two = createMemoryDestination({ name: 'two', now: world.clock.now })
    backups = make()
  })
  afterEach(async () => {
    one.before = () => {}
    two.before = () => {}
    await stop()
    await world.end()
  })

  it('send what is new after each save, to each destination that gets it', async () => {
    backups = make(world.disk, ['one'])
    await world.add('before.txt', Buffer.from('before'))
    await backups.start()
    second()
    await until(() => contentsOf('one')?.files === 1, 'what was here')
    await world.add('after.txt', Buffer.from('after'))
    second()
    await until(() => contentsOf('one')?.files === 2, 'what came')
    assert.deepEqual(contentsOf('one')?.waiting, { files: 0, bytes: 0 })
    assert.equal(contentsOf('two'), undefined)
    assert.deepEqual([packs(two), manifests(two) > 0], [0, true])
    const [listed] = (await backups.list(signal)).backups
    assert.ok((listed?.size ?? MIB) < MIB / 10, 'a backup is as large as before')
  })

  it('that hang hold up neither the chain nor another destination', async () => {
    one.before = (call, name) =>
      call === 'put' && isPackName(name) ? new Promise(() => {}) : undefined
    await world.add('a.txt', Buffer.from('a'))
    await backups.start()
    second()
    await until(() => contentsOf('two')?.files === 1, 'the other destination')
    const saved = manifests(one)
    await world.say()
    second()
    await until(() => manifests(one) === saved + 1, 'the chain')
    await world.say()
    second()
    await until(() => manifests(one) === saved + 2, 'the chain again')
    assert.equal(contentsOf('one')?.files, 0)
    const took = await stop()
    assert.ok(took <= 8_000, `${took} ms`)
  })

  it('go at the stop too, what is new, and do not hold it for what was here', async () => {
    let sent = 0
    one.before = (call, name) => {
      if (call === 'put' && isPackName(name)) sent += 1
    }
    await backups.start()
    second()
    await until(() => contentsOf('one')?.waiting?.files === 0, 'nothing is left')
    await world.add('late.txt', Buffer.from('late'))
    await backups.stop()
    assert.deepEqual([packs(one), packs(two)], [1, 1])
    for (let n = 0; n < 4; n++) await world.add(`${n}.bin`, pattern(6 * MIB, n + 1))
    backups = make()
    sent = 0
    let isStopping: Promise<void> | undefined
    one.before = (call, name) => {
      if (call !== 'put' || !isPackName(name)) return
      sent += 1
      isStopping ??= backups.stop()
    }
    await backups.start()
    second()
    await until(() => isStopping !== undefined, 'a pack')
    await isStopping
    assert.ok(sent <= 1, `${sent} packs at ${one.name}`)
  }).timeout(20_000)

  it('come back by themselves after a restore, and by command', async () => {
    const { root } = await world.add('a.bin', pattern(200_000))
    await backups.start()
    second()
    await until(() => contentsOf('one')?.files === 1, 'it is sent')
    await backups.stop()
    const disk = await world.wiped()
    backups = make(disk)
    await backups.start()
    second()
    await until(() => contentsOf('one')?.waiting !== undefined, 'a look')
    assert.ok(!disk.pins.isPinned(root), 'nobody asked for it')
    const restored = await backups.restore({}, signal)
    assert.equal(restored.contents?.files, 1)
    assert.ok(disk.pins.isWhole(root))
    await backups.stop()

    const another = await world.wiped()
    wantContents(world.node.store)
    let asked = 0
    // It is silent at first: what it may have is asked for again.
    one.before = (_call, name) => {
      if (!name.startsWith('contents/')) return
      asked += 1
      throw Object.assign(new Error('down'), { code: 'DESTINATION_UNREACHABLE' })
    }
    for (const [name] of two.objects) if (isPackName(name)) two.objects.delete(name)
    backups = make(another)
    await backups.start()
    await until(() => asked > 0 && backups.contents()?.running === false, 'a first try')
    assert.ok(!another.pins.isPinned(root))
    one.before = () => {}
    world.clock.time += 300_000
    await until(() => another.pins.isWhole(root), 'it comes back')
  }).timeout(20_000)
})
