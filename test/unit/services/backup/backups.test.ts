import assert from 'node:assert/strict'
import { toHex, utf8 } from '../../../../src/common/bytes.ts'
import { type Logger, silentLogger } from '../../../../src/common/logger.ts'
import { type Backups, createBackups } from '../../../../src/services/backup/backups.ts'
import { backupError } from '../../../../src/services/backup/errors.ts'
import { findBackups } from '../../../../src/services/backup/find.ts'
import { manifestNumber, readManifest } from '../../../../src/services/backup/manifest.ts'
import {
  type BackupWorld,
  createBackupWorld,
  key,
  verifier,
} from '../../../helpers/backup-world.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal

/** Lets everything run that waits for nothing but its turn, until `done`. */
async function until(done: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 4000
  while (!done()) {
    if (Date.now() > end) assert.fail(`it never happened: ${what}`)
    await new Promise(setImmediate)
  }
}

describe('backups of a node', () => {
  let world: BackupWorld
  let one: MemoryDestination
  let two: MemoryDestination
  let backups: Backups

  const manifests = (at: MemoryDestination): string[] =>
    at.puts.filter((name) => manifestNumber(name) !== undefined)
  const settle = async (): Promise<void> => {
    for (let n = 0; n < 200; n++) await new Promise(setImmediate)
  }
  const stateOf = (name: string) =>
    backups.status().find((each) => each.name === name) ?? assert.fail(name)
  const make = (destinations = [one, two], more = {}, components = {}): Backups =>
    createBackups(
      {
        ...world.components,
        ...components,
        destinations,
        owner: world.owner,
        verifier,
        chain: world.node.chain,
        events: world.node.events,
      },
      { params: world.node.params, ...more },
    )
  /** Stops, and moves the clock as long as it takes. */
  const stop = async (): Promise<number> => {
    let stopped = false
    const stopping = backups.stop().then(() => {
      stopped = true
    })
    const start = world.clock.time
    for (let n = 0; n < 2000 && !stopped; n++) {
      await settle()
      if (!stopped) world.clock.time += 100
    }
    await stopping
    return world.clock.time - start
  }

  beforeEach(async () => {
    world = await createBackupWorld()
    one = createMemoryDestination({ name: 'one', kind: 'postgres', now: world.clock.now })
    two = createMemoryDestination({ name: 'two', kind: 'folder', now: world.clock.now })
    backups = make()
  })
  afterEach(async () => {
    await stop()
  })

  it('C1 are written within a second after a change, to all destinations, gathered', async () => {
    await backups.start()
    world.clock.time += 500
    await world.say()
    await world.say()
    await settle()
    assert.deepEqual(manifests(one), [])
    world.clock.time += 500
    await until(() => manifests(one).length === 1 && manifests(two).length === 1, 'a backup')
    assert.equal(stateOf('one').lastSaved?.name, 'Auto-backup 2023-11-14T22:13:22Z')
    await world.say()
    world.clock.time += 1000
    await until(() => manifests(one).length === 2 && manifests(two).length === 2, 'another one')
    assert.equal(stateOf('one').backups, 2)
    assert.equal(stateOf('one').behind, false)
  })

  it('are not delayed by a destination that never answers; it catches up later', async () => {
    let hangs = true
    two.before = () => (hangs ? new Promise(() => {}) : undefined)
    await backups.start()
    world.clock.time += 1000
    await until(() => manifests(one).length === 1, 'the other destination')
    await world.say()
    world.clock.time += 1000
    await until(() => manifests(one).length === 2, 'the other destination again')
    assert.equal(stateOf('two').failures, 0)
    world.clock.time += 30_000
    await until(() => stateOf('two').failures === 1, 'it is given up')
    assert.equal(stateOf('two').lastError?.code, 'DESTINATION_SLOW')
    assert.equal(stateOf('two').behind, true)
    hangs = false
    world.clock.time += 2_000
    await until(() => manifests(two).length === 1, 'it catches up')
    assert.equal(stateOf('two').behind, false)
    assert.equal(stateOf('two').lastError, undefined)
  })

  it('are tried again, later each time', async () => {
    let calls = 0
    one.before = () => {
      calls += 1
      throw backupError('DESTINATION_UNREACHABLE', { destination: 'one', why: 'down' })
    }
    await backups.start()
    const waits: number[] = []
    for (let n = 1; n <= 12; n++) {
      const start = world.clock.time
      for (let step = 0; step < 700 && calls < n; step++) {
        world.clock.time += 500
        await new Promise(setImmediate)
        await new Promise(setImmediate)
      }
      await until(() => stateOf('one').failures === n, `failure ${n}`)
      waits.push(world.clock.time - start)
    }
    assert.ok((waits[4] ?? 0) > (waits[2] ?? 0))
    assert.ok(waits.every((wait) => wait <= 301_000))
    assert.ok((waits.at(-1) ?? 0) >= 150_000)
  })

  it('are tried again no sooner than a busy destination asks, within a bound', async () => {
    let calls = 0
    let retryAfter = 60_000
    one.before = () => {
      calls += 1
      const details = { destination: 'one', why: 'status 429', retryAfter }
      throw backupError('DESTINATION_BUSY', details)
    }
    /** Milliseconds until the next call. */
    const nextCall = async (failures: number): Promise<number> => {
      const start = world.clock.time
      const before = calls
      for (let step = 0; step < 4000 && calls === before; step++) {
        world.clock.time += 500
        await new Promise(setImmediate)
        await new Promise(setImmediate)
      }
      await until(() => stateOf('one').failures === failures, `failure ${failures}`)
      return world.clock.time - start
    }
    await backups.start()
    await nextCall(1)
    await world.say()
    const asked = await nextCall(2)
    assert.ok(asked >= 60_000 && asked < 62_000, `${asked} ms`)
    retryAfter = 3_600_000
    await nextCall(3)
    const bounded = await nextCall(4)
    assert.ok(bounded >= 900_000 && bounded < 902_000, `${bounded} ms`)
  })

  it('C5 D6 are made by hand, under a name', async () => {
    await backups.start()
    const all = await backups.save({ name: 'before the move' }, signal)
    assert.deepEqual(
      all.map(({ saved }) => saved?.name),
      ['before the move', 'before the move'],
    )
    const again = await backups.save({ name: 'again', destination: 'one' }, signal)
    assert.equal(again.length, 1)
    assert.equal(again[0]?.saved?.number, 1)
    one.before = () => {
      throw backupError('DESTINATION_FULL', { destination: 'one', why: 'full' })
    }
    const failed = await backups.save({ name: 'more' }, signal)
    assert.equal(failed[0]?.problem?.code, 'DESTINATION_FULL')
    assert.equal(failed[1]?.saved?.name, 'more')
    await assert.rejects(backups.save({ name: 'x', destination: 'three' }, signal), {
      code: 'DESTINATION_UNKNOWN',
    })
    one.before = () => {}
    const { backups: listed } = await backups.list(signal)
    assert.deepEqual(listed.map(({ name, manual }) => manual && name).sort(), [
      'again',
      'before the move',
      'before the move',
      'more',
    ])
  })

  describe('at a destination that cannot be read, or lost them', () => {
    const fails = (code: string) => (error: unknown) => {
      assert.equal((error as { code?: string }).code, code)
      assert.match((error as Error).message, / one /)
      return true
    }

    it('are named with the reason when they are listed, beside those of others', async () => {
      await backups.start()
      await backups.save({ name: 'first' }, signal)
      one.objects.clear()
      const lost = await backups.list(signal)
      assert.deepEqual(
        lost.problems.map(({ destination, code }) => [destination, code]),
        [['one', 'DESTINATION_EMPTIED']],
      )
      assert.deepEqual(
        lost.backups.map(({ destination }) => destination),
        ['two'],
      )
    })

    it('are no place where a clean-up keeps none', async () => {
      await backups.start()
      await backups.save({ name: 'first' }, signal)
      one.before = (call) => {
        if (call !== 'get') return
        throw backupError('DESTINATION_REFUSED', { destination: 'one', why: 'no' })
      }
      await assert.rejects(backups.prune('one', signal), fails('DESTINATION_REFUSED'))
      one.before = () => {}
      one.objects.clear()
      await assert.rejects(backups.prune('one', signal), fails('DESTINATION_EMPTIED'))
      assert.equal((await backups.prune('two', signal)).kept, 1)
    })

    it('are told of by a restore for practice', async () => {
      await backups.start()
      await backups.save({ name: 'first' }, signal)
      one.objects.clear()
      await assert.rejects(backups.drill('one', signal), fails('DESTINATION_EMPTIED'))
    })

    it('are none where nothing was written yet', async () => {
      const { problems } = await backups.list(signal)
      assert.deepEqual(problems, [])
      assert.equal((await backups.prune('one', signal)).kept, 0)
      await assert.rejects(backups.drill('one', signal), { code: 'BACKUP_NONE' })
    })
  })

  it('are counted where nothing is ever removed, when somebody asks', async () => {
    const ipfs = createMemoryDestination({ name: 'pinata', kind: 'ipfs', now: world.clock.now })
    backups = make([ipfs])
    await backups.start()
    for (const name of ['first', 'second']) await backups.save({ name }, signal)
    const { kept, permanent } = await backups.prune('pinata', signal)
    assert.deepEqual([kept, permanent], [2, true])
  })

  it('can be read whatever they are called', async () => {
    await backups.start()
    for (const name of ['🗄'.repeat(100), 'one\ntwo\u0000\u001b[2J', 'half \ud83d', '']) {
      await backups.save({ name, destination: 'one' }, signal)
    }
    const { backups: listed, problems } = await backups.list(signal)
    assert.deepEqual(problems, [])
    assert.deepEqual(
      listed.map(({ name, manual }) => manual && name).sort(),
      ['', 'half \ufffd', 'one two  [2J', '🗄'.repeat(50)].sort(),
    )
  })

  it('B3 D1 are written at the stop', async () => {
    await backups.start()
    world.clock.time += 1000
    await until(() => manifests(one).length === 1 && manifests(two).length === 1, 'a backup')
    await world.say()
    await backups.stop()
    assert.equal(manifests(one).length, 2)
    assert.equal(manifests(two).length, 2)
    assert.ok(one.closed && two.closed)
  })

  it('hold the stop for no longer than its deadline', async () => {
    one.before = () => new Promise(() => {})
    one.close = () => new Promise(() => {})
    await backups.start()
    await world.say()
    const took = await stop()
    assert.ok(took <= 8_000 && took >= 7_000, `${took} ms`)
    assert.equal(manifests(two).length, 1)
  })

  it('wait for the device to be admitted', async () => {
    const owner = { ...world.owner, user: () => undefined }
    backups = createBackups(
      {
        ...world.components,
        destinations: [one],
        owner,
        verifier,
        chain: world.node.chain,
        events: world.node.events,
      },
      { params: world.node.params },
    )
    await backups.start()
    world.clock.time += 10_000
    await settle()
    assert.equal(stateOf('one').failures, 0)
    assert.equal(stateOf('one').behind, false)
    await assert.rejects(backups.verify('one', signal), { code: 'BACKUP_NOT_READY' })
  })

  it('D3 are told of in the log: each by hand, of the others one a minute', async () => {
    const told: Record<string, unknown>[] = []
    const logger: Logger = {
      ...silentLogger,
      info: (message, fields) => {
        if (message === 'Backed up') told.push({ ...fields })
      },
      child: () => logger,
    }
    backups = make([one], {}, { logger })
    await backups.start()
    const byItself = async (): Promise<number> => {
      const written = stateOf('one').backups
      await world.say()
      world.clock.time += 2000
      await until(() => stateOf('one').backups > written, 'a backup')
      return told.length
    }
    assert.equal(await byItself(), 1)
    assert.equal(await byItself(), 1, 'soon after it')
    await backups.save({ name: 'by hand' }, signal)
    const { name, destination, height, number } = told.at(-1) ?? {}
    assert.deepEqual([name, destination, height, number], ['by hand', 'one', 1, 2])
    world.clock.time += 60_000
    assert.equal(await byItself(), 3)
  })

  it('are verified at the destination, and written anew when they are damaged', async () => {
    await world.say()
    await backups.start()
    await backups.save({ name: 'first' }, signal)
    const good = await backups.verify('one', signal)
    assert.deepEqual(good.problems, [])
    assert.equal(good.opened, true)
    assert.equal(stateOf('one').verified?.code, null)
    const segment =
      [...one.objects].find(([name]) => name.endsWith('.car.zst.age')) ?? assert.fail()
    const bytes = segment[1].bytes
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
    const bad = await backups.verify('one', signal)
    assert.deepEqual(
      bad.problems.map(({ code, object }) => [code, object]),
      [['BACKUP_DAMAGED', segment[0]]],
    )
    assert.equal(stateOf('one').verified?.code, 'BACKUP_DAMAGED')
    assert.equal(manifests(one).length, 2, 'a full one')
    assert.deepEqual((await backups.verify('one', signal)).problems, [])
    one.objects.clear()
    await assert.rejects(backups.verify('one', signal), { code: 'BACKUP_NONE' })
    assert.deepEqual((await backups.verify('one', signal)).problems, [], 'written anew')
  })

  it('C9 are verified every day, and restored for practice every week, by themselves', async () => {
    await backups.start()
    await backups.save({ name: 'first' }, signal)
    world.clock.time += 300_000
    await until(
      () => stateOf('one').drilled !== undefined && stateOf('two').drilled !== undefined,
      'a drill',
    )
    assert.equal(stateOf('one').drilled?.code, null)
    const verified = stateOf('one').verified?.time ?? assert.fail()
    for (let n = 0; n < 300; n++) {
      world.clock.time += 300_000
      await new Promise(setImmediate)
    }
    await until(() => (stateOf('one').verified?.time ?? 0) >= verified + 86_400_000, 'the next day')
  })

  it('are practised against what is here', async () => {
    await backups.start()
    await backups.save({ name: 'first' }, signal)
    await world.say()
    await world.mine()
    const drilled = await backups.drill('one', signal)
    assert.equal(drilled.height, 1)
    assert.equal(drilled.behind, 1)
    // A longer chain of the same network that is not known here.
    const rival = await createBackupWorld()
    for (let n = 0; n < 3; n++) {
      await rival.say(`rival ${n}`)
      await rival.mine()
    }
    const theirs = createBackups(
      {
        ...rival.components,
        destinations: [one],
        owner: rival.owner,
        verifier,
        chain: rival.node.chain,
        events: rival.node.events,
      },
      { params: rival.node.params },
    )
    await theirs.save({ name: 'theirs' }, signal)
    await assert.rejects(backups.drill('one', signal), { code: 'BACKUP_DIFFERS' })
    assert.equal(stateOf('one').drilled?.code, 'BACKUP_DIFFERS')
  })

  it('are practised down to the state, where the blocks are the same', async () => {
    await backups.save({ name: 'first' }, signal)
    const store = { ...world.components.store, stateDigest: () => new Uint8Array(32) }
    const damaged = make([one], {}, { store })
    await assert.rejects(damaged.drill('one', signal), {
      code: 'BACKUP_DIFFERS',
      message: /another state/,
    })
  })

  it('are taken into the running chain', async () => {
    await backups.start()
    await assert.rejects(backups.restore({}, signal), { code: 'BACKUP_NONE' })
    const rival = await createBackupWorld()
    await rival.say('theirs')
    await rival.mine()
    const theirs = createBackups(
      {
        ...rival.components,
        destinations: [one],
        owner: rival.owner,
        verifier,
        chain: rival.node.chain,
        events: rival.node.events,
      },
      { params: rival.node.params },
    )
    await theirs.save({ name: 'theirs' }, signal)
    const restored = await backups.restore({}, signal)
    assert.equal(restored.height, 2)
    assert.equal(world.node.store.tip().id, rival.node.store.tip().id)
    await world.say()
    await world.mine()
    await assert.rejects(backups.restore({}, signal), { code: 'BACKUP_BEHIND' })
  })

  it('open with a passphrase, once one is set', async () => {
    backups = make([one, two], { logN: 4 })
    await backups.start()
    await backups.save({ name: 'first' }, signal)
    const find = (passphrase: string) =>
      findBackups({ destinations: [one], logger: silentLogger }, { opener: { passphrase } }, signal)
    await assert.rejects(find('good words'), { code: 'BACKUP_SLOT_MISSING' })
    const { length } = one.puts
    assert.deepEqual(await backups.setPassphrase('good words', signal), [])
    assert.equal(one.puts.length, length + 1, 'no backup is written again')
    assert.equal((await find('good words'))?.key.identity, key.identity)
    await assert.rejects(find('other words'), { code: 'BACKUP_PASSPHRASE' })
  })
  describe('with a passphrase of the configuration', () => {
    const slots = (at: MemoryDestination): string[] =>
      at.puts.filter((name) => name.startsWith('slots/'))
    const opens = async (at: MemoryDestination, passphrase = 'good words'): Promise<boolean> => {
      const opener = { passphrase }
      const found = await findBackups(
        { destinations: [at], logger: silentLogger },
        { opener },
        signal,
      )
      return found?.key.identity === key.identity
    }
    beforeEach(() => {
      backups = make([one, two], { passphrase: 'good words', logN: 4 })
    })

    it('have its slot before the first backup, and say so only then', async () => {
      await backups.start()
      assert.ok(backups.status().every(({ passphrase }) => !passphrase))
      world.clock.time += 1000
      await until(() => manifests(one).length === 1 && manifests(two).length === 1, 'a backup')
      for (const at of [one, two]) {
        assert.equal(slots(at).length, 1)
        assert.ok(at.puts.indexOf(slots(at)[0] ?? '') < at.puts.indexOf(manifests(at)[0] ?? ''))
        assert.ok(await opens(at))
      }
      assert.ok(backups.status().every(({ passphrase }) => passphrase))
    })

    it('have it after a stop that came at once', async () => {
      await backups.start()
      await backups.stop()
      for (const at of [one, two]) {
        assert.equal(slots(at).length, 1)
        assert.ok(await opens(at))
      }
    })

    it('name it in the next backup on IPFS, where no name leads to it', async () => {
      const ipfs = createMemoryDestination({ name: 'ipfs', kind: 'ipfs', now: world.clock.now })
      backups = make([ipfs], { passphrase: 'good words', logN: 4 })
      await backups.start()
      world.clock.time += 1000
      await until(() => manifests(ipfs).length === 1, 'a backup')
      const slotOf = (at: number): string => {
        const name = manifests(ipfs)[at] ?? assert.fail()
        const { slot } = readManifest(ipfs.objects.get(name)?.bytes ?? assert.fail(), name)
        return toHex(slot?.sha256 ?? assert.fail('no slot'))
      }
      const first = slotOf(0)
      assert.deepEqual(await backups.setPassphrase('other words', signal), [])
      world.clock.time += 1000
      await until(() => manifests(ipfs).length === 2, 'a backup because of it')
      assert.notEqual(slotOf(1), first)
      assert.ok(await opens(ipfs, 'other words'))
    })

    it('keep the one on IPFS that it opens, also on an empty disk: manifests of before name it', async () => {
      const ipfs = createMemoryDestination({ name: 'ipfs', kind: 'ipfs', now: world.clock.now })
      const again = async (passphrase: string): Promise<void> => {
        backups = make([ipfs], { passphrase, logN: 4 })
        await backups.start()
        await until(() => backups.status().every((each) => each.passphrase), 'it is set')
        await stop()
        // As an empty disk: what this device remembers of it is gone.
        world.node.store.setMeta('backup/slot/ipfs', utf8(''))
      }
      await again('good words')
      await again('good words')
      assert.equal(slots(ipfs).length, 1)
      await again('other words')
      assert.equal(slots(ipfs).length, 2)
      assert.ok(await opens(ipfs, 'other words'))
    })

    it('get it at the next start where it could not be put, and say what is wrong', async () => {
      one.before = (call, name) => {
        if (call === 'put' && name.startsWith('slots/')) {
          throw backupError('DESTINATION_REFUSED', { destination: 'one', why: 'no' })
        }
      }
      await backups.start()
      world.clock.time += 1000
      await until(() => manifests(one).length === 1, 'a backup all the same')
      const [first, second] = backups.status()
      assert.equal(first?.passphrase, false)
      assert.equal(first.passphraseProblem?.code, 'DESTINATION_REFUSED')
      assert.equal(second?.passphrase, true)
      await stop()
      one.before = () => {}
      backups = make([one, two], { passphrase: 'good words', logN: 4 })
      await backups.start()
      await until(() => backups.status().every(({ passphrase }) => passphrase), 'it is set')
      assert.ok(await opens(one))
      assert.equal(slots(two).length, 1, 'where it stands it is not put again')
      await stop()
      two.objects.clear()
      backups = make([one, two], { passphrase: 'good words', logN: 4 })
      await backups.start()
      await until(() => slots(two).length === 2, 'put again where it was lost')
    })
  })
})
