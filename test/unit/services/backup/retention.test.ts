import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  createCleaner,
  type Kept,
  keptBy,
  ORPHAN_MS,
  type RetentionPolicy,
} from '../../../../src/services/backup/retention.ts'
import { verifyDestination } from '../../../../src/services/backup/verify.ts'
import { createWriter } from '../../../../src/services/backup/writer.ts'
import { createBackupWorld, key } from '../../../helpers/backup-world.ts'
import { createMemoryDestination } from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal
const DAY = 86_400_000
const NOW = 1_700_000_000_000
const device = new Uint8Array(32)

const backup = (n: number, age: number, more: Partial<Kept> = {}): Kept => ({
  object: `backup ${n}`,
  number: n,
  time: NOW - age,
  manual: 0,
  work: BigInt(n),
  network: 'network' as never,
  device,
  ...more,
})
const kept = (policy: RetentionPolicy, backups: Kept[], verified?: string): number[] =>
  backups
    .filter(({ object }) => keptBy(policy, backups, { now: NOW, verified }).has(object))
    .map(({ number }) => number)

describe('what is kept of backups', () => {
  const daily = Array.from({ length: 50 }, (_, n) => backup(n, (50 - n) * DAY))

  it('D2 D5 is the last ones', () => {
    assert.deepEqual(kept({ last: 3 }, daily), [47, 48, 49])
    assert.deepEqual(kept({ last: 1 }, daily), [49])
  })

  it('C9 is those of so many days, and of each hour the last', () => {
    assert.deepEqual(kept({ days: 3 }, daily), [47, 48, 49])
    const often = Array.from({ length: 10 }, (_, n) => backup(n, DAY - n * 60_000))
    const hours = new Set(often.map(({ time }) => Math.floor(time / 3_600_000)))
    assert.equal(kept({ days: 3 }, often).length, hours.size)
    const named = often.map((each, n) => (n === 2 ? { ...each, manual: 1 } : each))
    assert.ok(kept({ days: 3 }, named).includes(2))
  })

  it('is what any rule wants', () => {
    assert.deepEqual(kept({ last: 5, days: 3 }, daily), [45, 46, 47, 48, 49])
    assert.deepEqual(kept({ last: 1, days: 4 }, daily), [46, 47, 48, 49])
    assert.equal(kept({ permanent: true, last: 1 }, daily).length, 50)
  })

  it('is always the best, the newest of each device, the verified one, and the newest minutes', () => {
    assert.deepEqual(kept({}, daily), [49])
    assert.deepEqual(kept({ last: 1 }, daily, 'backup 7'), [7, 49])
    const best = daily.map((each, n) => (n === 3 ? { ...each, work: 1000n } : each))
    assert.deepEqual(kept({ last: 1 }, best), [3, 49])
    const other = new Uint8Array(32).fill(1)
    const two = daily.map((each, n) => (n === 20 ? { ...each, device: other } : each))
    assert.deepEqual(kept({ last: 1 }, two), [20, 49])
    assert.deepEqual(kept({ last: 1 }, [backup(1, 5000), backup(2, 1000)]), [1, 2])
    const back = [backup(1, DAY), backup(2, 3 * DAY), backup(3, 2 * DAY)].map((each) => ({
      ...each,
      work: 1n,
    }))
    assert.deepEqual(kept({ last: 1 }, back), [1, 3], 'the last one, by a clock that went back')
  })

  it('is never nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(100 * DAY), { minLength: 1 }),
        fc.record({
          last: fc.option(fc.nat(5), { nil: undefined }),
          days: fc.option(fc.nat(40), { nil: undefined }),
        }),
        (ages, policy) => {
          const all = ages.map((age, n) => backup(n, age))
          const verified = all[0]?.object
          const left = keptBy(policy, all, { now: NOW, verified })
          assert.ok(left.has(verified ?? ''))
          assert.ok(left.size >= Math.min(policy.last ?? 0, all.length))
        },
      ),
    )
  })
})

describe('cleaning up', () => {
  it('removes backups, and their objects an hour later', async () => {
    const world = await createBackupWorld()
    const { clock, node } = world
    const destination = createMemoryDestination({ now: clock.now })
    const writer = createWriter(world.components, { destination, owner: world.owner })
    node.events.on('record:pending', ({ record }) => writer.note(record))
    const rules = { network: node.chain.network, user: () => node.chain.user, policy: { last: 2 } }
    const cleaner = createCleaner({ destination, clock }, rules)
    const beside = createCleaner({ destination, clock }, rules)
    for (let n = 0; n < 20; n++) {
      await world.say()
      await world.mine()
      await writer.save({ name: 'test', manual: false, signal })
      clock.time += 700_000
    }
    const before = destination.objects.size
    const first = await cleaner.clean(undefined, signal)
    assert.equal(first.backups, 18)
    assert.equal(first.objects, 0, 'somebody may be reading them')
    assert.equal(destination.objects.size, before - 18)
    await beside.clean(undefined, signal)
    clock.time += ORPHAN_MS - 1
    assert.equal((await cleaner.clean(undefined, signal)).objects, 0, 'not an hour yet')
    clock.time += 1
    const [one, two] = await Promise.all([
      cleaner.clean(undefined, signal),
      beside.clean(undefined, signal),
    ])
    assert.ok(one.objects > 5)
    assert.ok(two.objects > 0, 'two at once are no harm')
    const about = {
      network: node.chain.network,
      user: node.chain.user ?? assert.fail(),
      key,
      recipient: key.recipient,
      chain: node.store,
    }
    const verified = await verifyDestination(destination, about, signal)
    assert.deepEqual(verified.problems, [])
    const names = [...destination.objects.keys()].filter((name) => name.endsWith('.manifest'))
    const [object = assert.fail()] = names.sort()
    const older = await verifyDestination(destination, { ...about, object }, signal)
    assert.deepEqual([older.object, older.problems], [object, []])
    await world.say()
    assert.equal((await writer.save({ name: 'test', manual: false, signal }))?.number, 20)
    assert.equal((await cleaner.clean(undefined, signal)).kept, 2)
  })

  it('leaves alone what others wrote there, and what it cannot read', async () => {
    const world = await createBackupWorld()
    const { clock, node } = world
    const destination = createMemoryDestination({ now: clock.now })
    const { network } = node.chain
    await destination.put('notes.txt', new Uint8Array(3), { signal })
    await destination.put(`${network}/12D3KooWother/abc.car.zst.age`, new Uint8Array(3), { signal })
    const writer = createWriter(world.components, { destination, owner: world.owner })
    await writer.save({ name: 'test', manual: false, signal })
    const [own] = [...destination.objects.keys()]
      .filter((name) => name.endsWith('.car.zst.age'))
      .slice(-1)
    const garbage = `${own?.slice(0, own.lastIndexOf('/'))}/garbage.car.zst.age`
    await destination.put(garbage, new Uint8Array(3), { signal })
    const cleaner = createCleaner(
      { destination, clock },
      { network, user: () => node.chain.user, policy: { last: 1 } },
    )
    await cleaner.clean(undefined, signal)
    clock.time += ORPHAN_MS
    destination.before = (call, name) => {
      if (call === 'get' && name.endsWith('.manifest')) throw new Error('not now')
    }
    await assert.rejects(cleaner.clean(undefined, signal), /not now/, 'a manifest it cannot read')
    assert.ok(destination.objects.has(garbage))
    destination.before = () => {}
    assert.equal((await cleaner.clean(undefined, signal)).objects, 1)
    assert.equal(destination.objects.has(garbage), false)
    assert.equal(destination.objects.has('notes.txt'), true)
    assert.equal(destination.objects.has(`${network}/12D3KooWother/abc.car.zst.age`), true)
  })
})
