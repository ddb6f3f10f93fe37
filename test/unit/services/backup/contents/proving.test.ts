import assert from 'node:assert/strict'
import { deviceKeyOf } from '../../../../../src/chain/ids.ts'
import { signEd25519 } from '../../../../../src/common/crypto.ts'
import { MIB } from '../../../../../src/common/limits.ts'
import { UNNAMED_MS } from '../../../../../src/services/backup/contents/clean.ts'
import type { PlaceContents } from '../../../../../src/services/backup/contents/contents.ts'
import { readList, signList } from '../../../../../src/services/backup/contents/list.ts'
import { isListName, isPackName } from '../../../../../src/services/backup/contents/names.ts'
import { REMOVAL_BLOCKS, REMOVAL_MS } from '../../../../../src/services/files/removals.ts'
import {
  type ContentsWorld,
  createContentsWorld,
} from '../../../../helpers/backup/contents-world.ts'
import { key } from '../../../../helpers/backup-world.ts'
import { createChainNode, seedOf } from '../../../../helpers/chain-node.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../../helpers/memory-destination.ts'
import { pattern } from '../../../storage/blockstore-helpers.ts'

const { signal } = new AbortController()
const HERE = 1_000_000

describe('contents of files in backups, proven and cleaned up', () => {
  let world: ContentsWorld
  let destination: MemoryDestination
  const places: PlaceContents[] = []

  const make = (...args: Parameters<ContentsWorld['place']>): PlaceContents => {
    const place = world.place(...args)
    places.push(place)
    return place
  }
  const ship = async (place: PlaceContents): Promise<void> => {
    place.changed()
    place.saved(key.recipient)
    await place.flush('all', signal)
  }
  const packs = (): string[] => [...destination.objects.keys()].filter(isPackName)
  const lists = (): string[] => [...destination.objects.keys()].filter(isListName)
  const damage = (name = packs()[0] ?? assert.fail('no pack')): string => {
    const bytes = destination.objects.get(name)?.bytes ?? assert.fail(name)
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    return name
  }
  const keep = (lowest = HERE) => ({ lowest, recipients: new Set([key.recipient]) })
  const codesOf = (problems: readonly { readonly code: string }[] = []): string[] =>
    problems.map(({ code }) => code)
  /** Makes removals deep: blocks, and a week. */
  const wait = async (): Promise<void> => {
    for (let n = 0; n <= REMOVAL_BLOCKS; n++) {
      await world.say()
      await world.mine()
    }
    world.clock.time += REMOVAL_MS
  }

  beforeEach(async () => {
    world = await createContentsWorld()
    destination = createMemoryDestination({ name: 'one', now: world.clock.now })
  })
  afterEach(async () => {
    await Promise.all(places.splice(0).map((place) => place.stop()))
    await world.end()
  })

  it('are read from the destination; what is damaged there is written anew', async () => {
    await world.add('a.bin', pattern(50_000))
    const place = make(destination)
    await ship(place)
    const good = await place.verify(true, signal)
    assert.deepEqual([good?.packs, good?.read, good?.problems], [1, 1, []])
    const object = damage()
    const bad = await place.verify(true, signal)
    assert.deepEqual(
      bad?.problems.map((problem) => [problem.code, problem.object]),
      [['BACKUP_DAMAGED', object]],
    )
    await place.flush('all', signal)
    assert.deepEqual((await place.verify(true, signal))?.problems, [])
    const disk = await world.wiped()
    const brought = await world.bring(disk, make(destination, { disk }))
    assert.deepEqual([brought.files, brought.problems], [1, []])
  })

  it('that came wrong on their way are read once more before they are given up', async () => {
    await world.add('a.bin', pattern(50_000))
    const place = make(destination)
    await ship(place)
    const { get } = destination
    let reads = 0
    destination.get = async (name, ...rest) => {
      const bytes = await get(name, ...rest)
      if (isPackName(name) && reads++ === 0) bytes[0] = (bytes[0] ?? 0) ^ 1
      return bytes
    }
    assert.deepEqual((await place.verify(true, signal))?.problems, [])
    assert.equal(reads, 2)
  })

  it('that are gone from the destination are named, and written anew', async () => {
    await world.add('a.bin', pattern(50_000))
    const place = make(destination)
    await ship(place)
    const [name = ''] = packs()
    destination.objects.delete(name)
    const bad = await place.verify(true, signal)
    assert.deepEqual(
      bad?.problems.map((problem) => [problem.code, problem.object]),
      [['CONTENTS_DAMAGED', name]],
    )
    await place.flush('all', signal)
    assert.deepEqual((await place.verify(true, signal))?.problems, [])
    assert.equal(packs().length, 1)
  })

  it('that are gone from there and not here any more stay named, and come back when they do', async () => {
    const { file, root } = await world.add('a.bin', pattern(50_000))
    await world.add('b.bin', pattern(60_000, 2))
    const place = make(destination)
    await ship(place)
    const [name = ''] = packs()
    const object = destination.objects.get(name) ?? assert.fail(name)
    destination.objects.delete(name)
    world.disk.pins.setChoice(file, 'freed')
    world.disk.pins.unpin(root)
    for (let n = 0; n < 2; n++) {
      assert.deepEqual(codesOf((await place.verify(true, signal))?.problems), ['CONTENTS_DAMAGED'])
      await place.flush('all', signal)
      await place.clean(keep(), signal)
      world.clock.time += UNNAMED_MS
    }
    destination.objects.set(name, object)
    await place.clean(keep(), signal)
    world.clock.time += UNNAMED_MS
    await place.clean(keep(), signal)
    const disk = await world.wiped()
    const again = make(destination, { disk })
    assert.equal((await world.bring(disk, again)).files, 2)
    assert.deepEqual((await again.verify(true, signal))?.problems, [])
  })

  it('are each read once in thirty days by themselves', async () => {
    for (let n = 0; n < 6; n++) {
      await world.add(`${n}.txt`, Buffer.from(`file ${n}`))
      await ship(make(destination))
    }
    const place = make(destination)
    let read = 0
    let most = 0
    for (let day = 0; day < 30; day++) {
      const today = (await place.verify(false, signal))?.read ?? 0
      most = Math.max(most, today)
      read += today
      world.clock.time += 86_400_000
    }
    assert.equal(read, packs().length)
    assert.ok(most < read, 'not all on one day')
  })

  it('are put together for practice', async () => {
    await world.add('a.bin', pattern(3_000_000))
    await world.add('b.txt', Buffer.from('b'))
    const place = make(destination)
    await ship(place)
    assert.equal((await place.drill(signal))?.files, 2)
    destination.objects.delete(packs()[0] ?? '')
    // What is not there whole is not counted on.
    assert.equal((await place.drill(signal))?.files, 0)
    await ship(make(destination))
    damage()
    await assert.rejects(place.drill(signal), { code: 'CONTENTS_MISSING' })
  })

  it('that one destination lacks come from another; without one the file is named, the others come', async () => {
    const two = createMemoryDestination({ name: 'two', now: world.clock.now })
    await world.add('a.bin', pattern(2_000_000))
    await ship(make(destination))
    const lost = await world.add('lost.bin', pattern(100_000, 3))
    await ship(make(destination))
    await ship(make(two))
    const name = packs().at(-1) ?? assert.fail('no pack')
    damage(name)
    const damaged = destination.objects.get(name)?.bytes ?? assert.fail(name)
    const disk = await world.wiped()
    const alone = await world.bring(disk, make(destination, { disk }))
    assert.deepEqual([alone.files, alone.missing], [1, 1])
    assert.deepEqual(
      alone.problems.map(({ code, object }) => [code, object]),
      [['CONTENTS_MISSING', lost.root]],
    )
    assert.ok(!disk.pins.isPinned(lost.root))
    destination.objects.delete(name)
    const gone = await world.bring(disk, make(destination, { disk }))
    assert.deepEqual(codesOf(gone.problems), ['CONTENTS_MISSING'], 'also when its object is gone')
    await destination.put(name, damaged, { signal })
    const both = await world.bring(disk, make(destination, { disk }), make(two, { disk }))
    assert.deepEqual([both.files, both.missing], [1, 0])
    assert.deepEqual(codesOf(both.problems), ['BACKUP_DAMAGED'])
    assert.ok(disk.pins.isWhole(lost.root))
  })

  it('come back although a destination does not answer, which is told', async () => {
    const two = createMemoryDestination({ name: 'two', now: world.clock.now })
    await world.add('a.txt', Buffer.from('a'))
    await ship(make(two))
    destination.before = () => {
      throw Object.assign(new Error('down'), { code: 'DESTINATION_UNREACHABLE' })
    }
    const disk = await world.wiped()
    const brought = await world.bring(disk, make(destination, { disk }), make(two, { disk }))
    assert.deepEqual([brought.files, brought.complete], [1, false])
    assert.deepEqual(codesOf(brought.problems), ['DESTINATION_UNREACHABLE'])
  })

  it('of removed files go when the removal is deep and no kept backup is older, an hour later', async function () {
    this.timeout(30_000)
    const gone = await world.add('gone.bin', pattern(10_000))
    await world.mine()
    await ship(make(destination))
    const shared = await world.add('shared.bin', pattern(20_000, 2))
    await ship(make(destination))
    await world.add('other name.bin', pattern(20_000, 2))
    await world.mine()
    await world.remove(gone.file)
    await world.remove(shared.file)
    await world.mine()
    const { height } = world.node.store.tip()
    const place = make(destination)
    const clean = async (lowest = HERE): Promise<number> => {
      await place.clean(keep(lowest), signal)
      world.clock.time += UNNAMED_MS
      await place.clean(keep(lowest), signal)
      return packs().length
    }
    assert.equal(await clean(), 2, 'not deep')
    await wait()
    assert.equal(await clean(height - 1), 2, 'a kept backup knows it')
    await place.clean(keep(height), signal)
    await place.clean(keep(height), signal)
    assert.equal(packs().length, 2, 'not at once')
    world.clock.time += UNNAMED_MS
    await place.clean(keep(height), signal)
    assert.equal(packs().length, 1, 'what another file needs stays')
    const disk = await world.wiped()
    assert.equal((await world.bring(disk, make(destination, { disk }))).missing, 0)
    assert.ok(disk.pins.isWhole(shared.root))
  })

  it('that were sent and are in no list are removed after an hour', async () => {
    await world.add('a.txt', Buffer.from('a'))
    destination.before = (call, name) => {
      if (call === 'put' && isListName(name)) throw new Error('killed')
    }
    await ship(make(destination))
    destination.before = () => {}
    await ship(make(destination))
    assert.equal(packs().length, 2)
    const place = make(destination)
    await place.clean(keep(), signal)
    assert.equal(packs().length, 2)
    world.clock.time += UNNAMED_MS
    assert.equal((await place.clean(keep(), signal)).packs, 1)
    assert.deepEqual((await place.verify(true, signal))?.problems, [])
  })

  it('that two devices have are sent by one; what both sent at once is there twice for an hour', async () => {
    const laptop = make(destination)
    const desk = make(destination)
    await ship(laptop)
    await ship(desk)
    await world.add('a.bin', pattern(50_000))
    await ship(laptop)
    // The desk has looked before, and has the content some minutes later.
    world.clock.time += 60_000
    await ship(desk)
    assert.deepEqual([desk.state()?.files, desk.state()?.sent], [1, 0])
    await world.add('b.bin', pattern(60_000, 2))
    await ship(laptop)
    await ship(desk)
    assert.ok((desk.state()?.sent ?? 0) > 60_000, 'at the same moment')
    assert.equal(packs().length, 3)
    await laptop.clean(keep(), signal)
    world.clock.time += UNNAMED_MS
    await desk.clean(keep(), signal)
    await laptop.clean(keep(), signal)
    assert.equal(packs().length, 2)
    const disk = await world.wiped()
    assert.equal((await world.bring(disk, make(destination, { disk }))).files, 2)
  })

  it('are not taken for there because a stranger says so', async () => {
    const { root } = await world.add('a.bin', pattern(10_000))
    const user = world.owner.user() ?? assert.fail('no user')
    const stranger = createChainNode('mallory', { clock: world.clock, params: world.node.params })
    const pack = seedOf('not a pack')
    const { list, bytes } = signList(
      {
        network: world.owner.network,
        user,
        device: deviceKeyOf(stranger.device) ?? assert.fail('no key'),
        recipient: key.recipient,
        packs: [],
        files: [{ root: world.markOf(pack), packs: [pack] }],
      },
      (message) => signEd25519(seedOf('mallory'), message),
    )
    await destination.put(list.object, bytes, { signal })
    const place = make(destination)
    await ship(place)
    assert.equal(packs().length, 1)
    assert.deepEqual(codesOf((await place.verify(true, signal))?.problems), ['CONTENTS_UNREADABLE'])
    const disk = await world.wiped()
    await world.bring(disk, make(destination, { disk }))
    assert.ok(disk.pins.isWhole(root))
  })

  it('are not taken for there because somebody signs for a device of the user', async () => {
    const user = world.owner.user() ?? assert.fail('no user')
    const about = {
      network: world.owner.network,
      user,
      device: deviceKeyOf(world.node.device) ?? assert.fail('no key'),
      recipient: key.recipient,
      packs: [],
      files: [],
    }
    const { list, bytes } = signList(about, (message) => signEd25519(seedOf('mallory'), message))
    assert.throws(() => readList(bytes, list.object), { code: 'CONTENTS_UNREADABLE' })
    const good = signList(about, (message) => signEd25519(seedOf('ada'), message))
    assert.deepEqual(readList(good.bytes, good.list.object), good.list)
    assert.throws(() => readList(good.bytes, list.object), { code: 'CONTENTS_UNREADABLE' })
    assert.throws(() => readList(good.bytes.subarray(1), good.list.object), {
      code: 'CONTENTS_UNREADABLE',
    })
  })

  it('go on beside a list that is larger than any', async () => {
    const huge = `contents/${world.owner.user()}/${'0'.repeat(64)}.contents`
    await destination.put(huge, new Uint8Array(17 * MIB), { signal })
    await world.add('a.txt', Buffer.from('a'))
    const place = make(destination)
    await ship(place)
    assert.deepEqual([place.state()?.files, place.state()?.lastError], [1, undefined])
    assert.ok(!destination.gets.includes(huge))
  })

  it('are opened and compared with what their list says of them', async () => {
    await world.add('a.bin', pattern(10_000))
    await ship(make(destination))
    const [name = ''] = lists()
    const bytes = destination.objects.get(name)?.bytes ?? assert.fail(name)
    const { packs: entries, ...about } = readList(bytes, name)
    const wrong = entries.map((entry) => ({ ...entry, blocks: new Uint8Array(16) }))
    const signed = signList({ ...about, packs: wrong }, (message) =>
      signEd25519(seedOf('ada'), message),
    )
    destination.objects.delete(name)
    await destination.put(signed.list.object, signed.bytes, { signal })
    const place = make(destination)
    await ship(place)
    assert.deepEqual(codesOf((await place.verify(true, signal))?.problems), ['CONTENTS_DAMAGED'])
    await place.flush('all', signal)
    assert.deepEqual((await place.verify(true, signal))?.problems, [])
  })

  it('whose list is damaged are written anew; the list goes when nothing hangs on it', async () => {
    await world.add('a.bin', pattern(10_000))
    await ship(make(destination))
    const [name = ''] = lists()
    damage(name)
    const place = make(destination)
    await place.clean(keep(), signal)
    assert.deepEqual(lists(), [name], 'something may hang on it')
    await ship(place)
    await place.clean(keep(), signal)
    assert.ok(!lists().includes(name))
    assert.deepEqual((await place.verify(true, signal))?.problems, [])
  })
})
