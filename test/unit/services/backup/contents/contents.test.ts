import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { MIB } from '../../../../../src/common/limits.ts'
import { UNNAMED_MS } from '../../../../../src/services/backup/contents/clean.ts'
import type { PlaceContents } from '../../../../../src/services/backup/contents/contents.ts'
import { isListName, isPackName } from '../../../../../src/services/backup/contents/names.ts'
import { PACK_BYTES } from '../../../../../src/services/backup/contents/pack.ts'
import { backupError } from '../../../../../src/services/backup/errors.ts'
import { backupKeyOf } from '../../../../../src/services/backup/keys.ts'
import { sweep } from '../../../../../src/storage/pins-sweep.ts'
import { dagBlocks } from '../../../../../src/storage/pins-walk.ts'
import {
  type ContentsWorld,
  createContentsWorld,
} from '../../../../helpers/backup/contents-world.ts'
import { key } from '../../../../helpers/backup-world.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../../helpers/memory-destination.ts'
import { pattern } from '../../../storage/blockstore-helpers.ts'

const { signal } = new AbortController()

/** Lets everything run that waits for nothing but its turn or this disk, until `done`. */
async function until(done: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 8000
  while (!done()) {
    if (Date.now() > end) assert.fail(`it never happened: ${what}`)
    await new Promise(setImmediate)
  }
}

/** Turns enough for what must not happen. */
async function settle(): Promise<void> {
  for (let n = 0; n < 200; n++) await new Promise(setImmediate)
}

describe('contents of files in backups', () => {
  let world: ContentsWorld
  let destination: MemoryDestination
  const places: PlaceContents[] = []

  const make = (...args: Parameters<ContentsWorld['place']>): PlaceContents => {
    const place = world.place(...args)
    places.push(place)
    return place
  }
  /** Sends all that there is. */
  const ship = async (place: PlaceContents): Promise<void> => {
    place.saved(key.recipient)
    await place.flush('all', signal)
  }
  const packsOf = ({ objects }: MemoryDestination): string[] =>
    [...objects.keys()].filter(isPackName)
  const packPuts = ({ puts }: MemoryDestination): string[] => puts.filter(isPackName)

  beforeEach(async () => {
    world = await createContentsWorld()
    destination = createMemoryDestination({ name: 'one', now: world.clock.now })
  })
  afterEach(async () => {
    await Promise.all(places.splice(0).map((place) => place.stop()))
    await world.end()
  })

  it('come back as they were, to an empty disk, pinned and verified', async () => {
    const small = await world.add('small.txt', Buffer.from('words of a small file'))
    const large = await world.add('large.bin', pattern(3 * MIB + 5))
    const place = make(destination)
    await ship(place)
    assert.deepEqual(place.state()?.waiting, { files: 0, bytes: 0 })
    assert.equal(place.state()?.files, 2)
    const disk = await world.wiped()
    const verified: string[] = []
    world.node.events.on('copy:verified', ({ root }) => verified.push(root))
    const brought = await world.bring(disk, make(destination, { disk }))
    assert.deepEqual([brought.files, brought.missing, brought.problems], [2, 0, []])
    assert.ok(disk.pins.isWhole(small.root) && disk.pins.isWhole(large.root))
    assert.deepEqual(await disk.read(large.root, large.size), pattern(3 * MIB + 5))
    assert.equal(
      Buffer.from(await disk.read(small.root, small.size)).toString(),
      'words of a small file',
    )
    assert.deepEqual(verified.sort(), [small.root, large.root].sort())
    assert.equal(
      (await world.bring(disk, make(destination, { disk }))).files,
      0,
      'nothing is missing',
    )
  })

  it('are written once, whoever looks again, and whatever files share', async () => {
    const bytes = pattern(2 * MIB)
    await world.add('a.bin', bytes)
    await ship(make(destination))
    const before = packPuts(destination).length
    assert.equal(before, 1)
    // A node that starts anew, on the same disk, and one without the key.
    await ship(make(destination))
    await ship(make(destination, { key: undefined }))
    assert.equal(packPuts(destination).length, before)
    // The same bytes in another file: only what is after them is new.
    await world.add('b.bin', bytes)
    const longer = await world.add('c.bin', Buffer.concat([bytes, pattern(1000, 7)]))
    await ship(make(destination))
    const last = packPuts(destination).at(-1) ?? assert.fail()
    assert.equal(packPuts(destination).length, before + 1)
    assert.ok((destination.objects.get(last)?.bytes.length ?? 0) < 3000)
    const disk = await world.wiped()
    assert.equal((await world.bring(disk, make(destination, { disk }))).files, 3)
    assert.ok(disk.pins.isWhole(longer.root))
  })

  it('go on where they were interrupted; no object is larger than a pack', async () => {
    const bytes = pattern(3 * PACK_BYTES + MIB)
    const large = await world.add('large.bin', bytes)
    let left = 2
    destination.before = (call, name) => {
      if (call !== 'put' || !isPackName(name) || left-- > 0) return
      throw backupError('DESTINATION_UNREACHABLE', { destination: 'one', why: 'gone' })
    }
    const place = make(destination)
    await ship(place)
    assert.equal(packPuts(destination).length, 2)
    assert.ok((place.state()?.waiting?.bytes ?? 0) >= bytes.length)
    destination.before = () => {}
    await ship(make(destination))
    const sizes = packPuts(destination).map(
      (name) => destination.objects.get(name)?.bytes.length ?? 0,
    )
    const total = sizes.reduce((sum, size) => sum + size, 0)
    assert.ok(total < bytes.length * 1.01, `${total} bytes`)
    assert.ok(Math.max(...sizes) < PACK_BYTES + 2.1 * MIB)
    const disk = await world.wiped()
    assert.equal((await world.bring(disk, make(destination, { disk }))).files, 1)
    assert.ok(Buffer.from(await disk.read(large.root, large.size)).equals(bytes))
  }).timeout(20_000)

  it('let new files go before the rest of a large one', async () => {
    await world.add('large.bin', pattern(4 * PACK_BYTES))
    let isAdded = false
    let wholeAt: number | undefined
    const place = make(destination)
    destination.before = async (call, name) => {
      if (call !== 'put' || !isPackName(name)) return
      if (place.state()?.files === 1) wholeAt ??= packPuts(destination).length
      if (isAdded) return
      isAdded = true
      const { root } = await world.add('urgent.txt', Buffer.from('now'))
      place.changed(root)
    }
    await ship(place)
    assert.equal(wholeAt, 2)
    assert.equal(place.state()?.files, 2)
  }).timeout(20_000)

  it('wait while the chain is to be saved, and have one turn after each save', async () => {
    const large = await world.add('large.bin', pattern(3 * PACK_BYTES))
    let isWaiting = true
    const place = make(destination, { isChainWaiting: () => isWaiting })
    place.changed()
    await settle()
    assert.equal(destination.puts.length, 0)
    place.saved(key.recipient)
    await until(() => packPuts(destination).length === 1, 'a turn')
    // As much work as the next turn would be.
    for (let n = 0; n < 3; n++) await world.disk.read(large.root, large.size)
    assert.equal(packPuts(destination).length, 1)
    isWaiting = false
    place.saved(key.recipient)
    await until(() => place.state()?.waiting?.files === 0, 'the rest')
    assert.equal(packPuts(destination).length, 3)
  }).timeout(20_000)

  it('are tried again after a failure, later each time', async () => {
    await world.add('a.txt', Buffer.from('a'))
    let calls = 0
    destination.before = (call) => {
      if (call !== 'list') return
      calls += 1
      throw backupError('DESTINATION_UNREACHABLE', { destination: 'one', why: 'gone' })
    }
    const place = make(destination)
    place.saved(key.recipient)
    await until(() => place.state()?.lastError !== undefined, 'a failure')
    place.saved(key.recipient)
    await settle()
    assert.equal(calls, 1, 'not before its time')
    world.clock.time += 2_000
    await until(() => calls === 2, 'the next try')
    destination.before = () => {}
    await settle()
    world.clock.time += 4_000
    await until(
      () => place.state()?.waiting?.files === 0 && place.state()?.files === 1,
      'it is sent',
    )
    assert.equal(place.state()?.lastError, undefined)
  })

  it('of a file that is not whole here wait, the others go', async () => {
    const broken = await world.add('broken.bin', pattern(2 * MIB))
    await world.add('good.txt', Buffer.from('good'))
    const { content } = world.disk
    let leaf: CID | undefined
    for await (const { cid } of dagBlocks(broken.root, (node) => content.bytes(node))) leaf = cid
    assert.ok(leaf !== undefined)
    const bytes = await content.bytes(leaf)
    await content.delete(leaf)
    const place = make(destination)
    await ship(place)
    assert.deepEqual([place.state()?.files, place.state()?.lastError], [1, undefined])
    await content.put(leaf, bytes)
    place.changed()
    await ship(place)
    assert.equal(place.state()?.files, 2)
  })

  it('that are on their way back are not swept away', async () => {
    const large = await world.add('large.bin', pattern(PACK_BYTES + 2 * MIB))
    await ship(make(destination))
    const disk = await world.wiped()
    // The times of files are the system's.
    world.clock.time = Date.now()
    let swept = 0
    destination.before = async (call, name) => {
      if (call !== 'get' || !isPackName(name)) return
      const later = (): number => Date.now() + 60_000
      const { blocks } = await sweep(
        { pins: disk.pins, store: disk.content, now: later, graceMs: 0 },
        signal,
      )
      swept += blocks
    }
    assert.equal((await world.bring(disk, make(destination, { disk }))).files, 1)
    assert.equal(swept, 0)
    assert.ok(disk.pins.isWhole(large.root))
  })

  it('are compressed only where that helps', async () => {
    await world.add('random.bin', pattern(100_000))
    await ship(make(destination))
    assert.match(packsOf(destination).join(), /^[^,]*[0-9a-f]\.car\.age$/)
    await world.add('words.txt', Buffer.from('the same words again\n'.repeat(10_000)))
    await ship(make(destination))
    const squeezed = packsOf(destination).filter((name) => name.endsWith('.car.zst.age'))
    assert.equal(squeezed.length, 1)
    assert.ok((destination.objects.get(squeezed[0] ?? '')?.bytes.length ?? MIB) < 2000)
  })

  it('of many small files that came one by one are put together', async () => {
    const added = []
    const place = make(destination)
    for (let n = 0; n < 20; n++) {
      added.push(await world.add(`${n}.txt`, Buffer.from(`file ${n}`)))
      place.changed(added.at(-1)?.root)
      place.saved(key.recipient)
      await until(
        () => place.state()?.waiting?.files === 0 && place.state()?.files === n + 1,
        `file ${n}`,
      )
      world.clock.time += 1000
    }
    await until(() => [...destination.objects.keys()].filter(isListName).length < 8, 'few lists')
    await settle()
    const kept = { lowest: 0, recipients: new Set([key.recipient]) }
    await place.clean(kept, signal)
    world.clock.time += UNNAMED_MS
    const cleaned = await place.clean(kept, signal)
    assert.ok(cleaned.packs >= 14, `${cleaned.packs} packs`)
    assert.ok(packsOf(destination).length <= 8, `${packsOf(destination).length} packs`)
    const disk = await world.wiped()
    const brought = await world.bring(disk, make(destination, { disk }))
    assert.deepEqual([brought.files, brought.problems], [20, []])
  }).timeout(20_000)

  it('for another key are sent anew', async () => {
    await world.add('a.txt', Buffer.from('a'))
    await ship(make(destination))
    const other = backupKeyOf(new Uint8Array(32).fill(7))
    const place = make(destination, { key: other })
    place.saved(other.recipient)
    await place.flush('all', signal)
    assert.equal(packPuts(destination).length, 2)
  })
})
