import assert from 'node:assert/strict'
import { silentLogger } from '../../../../src/common/logger.ts'
import { type Backups, createBackups } from '../../../../src/services/backup/backups.ts'
import { boundedCalls } from '../../../../src/services/backup/destination-calls.ts'
import { backupError } from '../../../../src/services/backup/errors.ts'
import { type FindInit, type Found, findBackups } from '../../../../src/services/backup/find.ts'
import { GRACE_MS } from '../../../../src/services/backup/looks.ts'
import type { Person } from '../../../../src/services/backup/person.ts'
import { restoreBackups } from '../../../../src/services/backup/restore.ts'
import { makeSlot, openAnySlot, putSlot } from '../../../../src/services/backup/slots.ts'
import { createUnseen } from '../../../../src/services/backup/unseen.ts'
import { createWriter } from '../../../../src/services/backup/writer.ts'
import {
  type BackupWorld,
  createBackupWorld,
  key,
  verifier,
} from '../../../helpers/backup-world.ts'
import { type ChainNode, createChainNode } from '../../../helpers/chain-node.ts'
import {
  createMemoryDestination,
  type MemoryDestination,
} from '../../../helpers/memory-destination.ts'

const signal = new AbortController().signal
const logger = silentLogger

async function until(done: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 4000
  while (!done()) {
    if (Date.now() > end) assert.fail(`it never happened: ${what}`)
    await new Promise(setImmediate)
  }
}

describe('a destination that is silent at a restore', () => {
  let world: BackupWorld
  let quick: MemoryDestination
  let slow: MemoryDestination

  const saveTo = async (at: MemoryDestination, of = world): Promise<void> => {
    const writer = createWriter(of.components, { destination: at, owner: of.owner })
    await writer.save({ name: 'test', manual: true, signal })
  }
  const grow = async (name: string): Promise<void> => {
    await world.say(name)
    await world.mine()
  }
  const hang = (at: MemoryDestination): void => {
    at.before = () => new Promise(() => {})
  }
  /** What a start finds when the clock has moved on by `ms`, and not before. */
  const findAfter = async (
    ms: number,
    init: Partial<FindInit> = {},
    destinations = [quick, slow],
  ): Promise<Found> => {
    const { clock } = world
    const bounded = destinations.map((each) => boundedCalls(each, clock))
    let done = false
    const finding = findBackups(
      { destinations: bounded, logger },
      { opener: { key }, patience: { clock }, ...init },
      signal,
    ).finally(() => {
      done = true
    })
    finding.catch(() => {})
    for (let passed = 0; passed < ms; passed += 500) {
      for (let n = 0; n < 50; n++) await new Promise(setImmediate)
      assert.ok(!done, `done after ${passed} ms`)
      // Whatever the machine does meanwhile: the grace begins with the first answer.
      if (passed === 0)
        await until(() => quick.gets.length > 0 || quick.objects.size === 0, 'an answer')
      clock.time += 500
    }
    return (await finding) ?? assert.fail('nothing was found')
  }

  beforeEach(async () => {
    world = await createBackupWorld()
    quick = createMemoryDestination({ kind: 'folder', name: 'quick' })
    slow = createMemoryDestination({ kind: 's3', name: 'slow' })
  })

  it('delays a start by a moment only, and is remembered', async () => {
    await saveTo(quick)
    hang(slow)
    const found = await findAfter(GRACE_MS)
    assert.deepEqual(
      found.unseen.map(({ name }) => name),
      ['slow'],
    )
  })

  it('is waited for where nothing else was found, and where others have backups too', async () => {
    hang(slow)
    const nothing = { code: 'BACKUP_UNREACHABLE', message: /slow/ }
    await assert.rejects(findAfter(30_000), nothing)
    await saveTo(quick)
    await findAfter(30_000, { patience: undefined })
    const eve = await createBackupWorld({ name: 'eve' })
    await saveTo(quick, eve)
    await findAfter(30_000)
  })

  it('counts as not heard of when it fails at once, too', async () => {
    await saveTo(quick)
    slow.before = () => {
      throw backupError('DESTINATION_UNREACHABLE', { destination: 'slow', why: 'down' })
    }
    const found = await findAfter(0)
    assert.deepEqual(
      found.unseen.map(({ name }) => name),
      ['slow'],
    )
  })

  it('does not delay the key that another one has under the passphrase', async function () {
    this.timeout(10_000)
    const slot = await makeSlot(key, 'good words', {
      randomBytes: world.clock.randomBytes,
      logN: 4,
    })
    await putSlot(quick, key.recipient, slot, signal)
    hang(slow)
    const opened = await openAnySlot([slow, quick], 'good words', signal)
    assert.equal(opened.key?.identity, key.identity)
    const none = createMemoryDestination({ name: 'none' })
    const wrong = await openAnySlot([none, quick], 'other words', signal)
    assert.equal(wrong.key, undefined)
    assert.deepEqual(wrong.failures.map(({ error }) => (error as { code?: string }).code).sort(), [
      'BACKUP_PASSPHRASE',
      'BACKUP_SLOT_MISSING',
    ])
  })

  describe('when it answers later', () => {
    let restored: ChainNode
    let backups: Backups
    let persons: Person[]

    /** A node of the same network that was restored from `quick`, and has not heard of `slow`. */
    const restore = async (): Promise<void> => {
      const { clock } = world
      restored = createChainNode('restored', { params: world.node.params, clock })
      const found = await findAfter(0, {}, [quick])
      const { chain, store, device } = restored
      const target = { chain, store, device }
      await restoreBackups({ target, clock, logger }, { backups: found.backups, key }, signal)
      createUnseen(store).add(slow)
      backups = createBackups(
        {
          ...world.components,
          store,
          signer: { device, sign: world.components.signer.sign },
          destinations: [quick, slow],
          owner: { ...world.owner, user: () => undefined },
          verifier,
          chain,
          events: restored.events,
          onPerson: async (person) => void persons.push(person),
        },
        { params: restored.params },
      )
      await backups.start()
    }
    const pass = async (seconds: number): Promise<void> => {
      for (let n = 0; n < seconds; n++) {
        world.clock.time += 1000
        for (let m = 0; m < 20; m++) await new Promise(setImmediate)
      }
    }

    beforeEach(async () => {
      persons = []
      await grow('old')
      await saveTo(quick)
      await grow('new')
      await world.say('pending')
      await saveTo(slow)
    })
    afterEach(async () => {
      slow.before = () => {}
      const stopping = backups.stop()
      for (let n = 0; n < 40; n++) {
        world.clock.time += 500
        await new Promise(setImmediate)
      }
      await stopping
    })

    it('the newest of all wins, and what was pending is pending', async () => {
      hang(slow)
      await restore()
      const { store } = restored
      assert.equal(store.tip().height, 2)
      assert.deepEqual(backups.unseen(), [{ destination: 'slow', why: undefined }])
      await pass(40)
      assert.match(backups.unseen()[0]?.why ?? '', /slow/)
      slow.before = () => {}
      await pass(40)
      await until(() => backups.unseen().length === 0, 'it is taken in')
      assert.equal(store.tip().id, world.node.store.tip().id)
      assert.equal(store.pendingCount(), 1)
      assert.equal(persons[0]?.userName, 'ada')
    })
  })
})
