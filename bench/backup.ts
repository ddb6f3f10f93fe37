/**
 * Backups of a long chain: what a full one costs, what one more record costs, and the way back. The baseline of the way
 * back is to read, decrypt, decompress and hash the same bytes, and to check the same signatures, and nothing else.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { decodeBody, decodeHeader, recordMessage, sealMessage } from '../src/chain/codec.ts'
import { deviceIdOf, deviceKeyOf } from '../src/chain/ids.ts'
import { encodeParams } from '../src/chain/params.ts'
import { systemClock } from '../src/common/clock.ts'
import { publicKeyOf, signEd25519 } from '../src/common/crypto.ts'
import { createEvents } from '../src/common/events.ts'
import { silentLogger } from '../src/common/logger.ts'
import { readObject, readSegmentList } from '../src/services/backup/catalog.ts'
import { createFolderDestination } from '../src/services/backup/destinations/folder.ts'
import { type Found, findBackups } from '../src/services/backup/find.ts'
import { backupKeyOfKit } from '../src/services/backup/keys.ts'
import { segmentName } from '../src/services/backup/manifest.ts'
import { restoreBackups } from '../src/services/backup/restore.ts'
import { openScratch } from '../src/services/backup/scratch.ts'
import { openSegment } from '../src/services/backup/segment.ts'
import { createWriter } from '../src/services/backup/writer.ts'
import { createChainService } from '../src/services/chain/chain-service.ts'
import type { NodeEvents } from '../src/services/events.ts'
import { createVerifier, type SignedItem } from '../src/services/verifier.ts'
import { createChainStore } from '../src/storage/chain-store.ts'
import { openDatabase } from '../src/storage/database.ts'
import type { Journal } from '../src/storage/journal.ts'
import { openKeystore } from '../src/storage/keystore.ts'
import { fileStatement } from '../test/helpers/backup-world.ts'
import { solve } from '../test/helpers/chain-node.ts'
import type { Figure } from './support/figures.ts'
import { makeChain } from './support/make-chain.ts'
import { bench, MIB, residentBytes } from './support/measure.ts'

const BLOCKS = 100_000
const SHORT = 1_000
/** Saves of one record each: enough for segments to be put together twice. */
const SAVES = 72

const signal = new AbortController().signal
const clock = systemClock
const logger = silentLogger
const noJournal: Journal = {
  append: () => {},
  entries: () => [],
  read: () => [],
  damagedBytes: 0,
  cutBytes: 0,
  close: () => {},
}

interface Measured {
  readonly fullSeconds: number
  readonly fullBytes: number
  /** Bytes by which the process grew at most. */
  readonly grew: number
  readonly longestPauseMs: number
  readonly bytesPerRecord: number
  /** Of the thread that everything runs on. */
  readonly msPerRecord: number
  readonly found: Found
}

async function measure(path: string, blocks: number): Promise<Measured> {
  const { params, network } = makeChain({
    path,
    blocks,
    recordsPerBlock: 1,
    users: 5,
    now: Date.now() - 3_600_000,
  })
  const keystore = openKeystore({
    path: join(path, 'keys'),
    randomBytes: clock.randomBytes,
    logger,
  })
  const seed = keystore.require('device')
  const signer = {
    device: deviceIdOf(publicKeyOf('ed25519', seed)),
    sign: (message: Uint8Array) => signEd25519(seed, message),
  }
  const { db } = openDatabase({ path: join(path, 'cairn.sqlite'), now: clock.now, logger })
  const store = createChainStore(db)
  const events = createEvents<NodeEvents>((error) => assert.fail(String(error)))
  const verifier = createVerifier()
  const chain = createChainService(
    { store, journal: noJournal, verifier, signer, clock, events, logger },
    { params },
  )
  const key = backupKeyOfKit(keystore.require('recovery'))
  const destination = createFolderDestination({ clock }, { path: join(path, 'backups') })
  const writer = createWriter(
    { store, signer, clock, logger },
    {
      destination,
      owner: {
        network,
        user: () => chain.user,
        key,
        person: async () => ({
          params: encodeParams(params),
          userName: 'Ada',
          deviceName: 'laptop',
          restore: keystore.require('restore'),
          userKeys: [keystore.require('user')],
        }),
      },
    },
  )
  events.on('record:pending', ({ record }) => writer.note(record))
  const save = async () => {
    const saved = await writer.save({ name: 'bench', manual: false, signal })
    return saved ?? assert.fail('nothing was saved')
  }

  const before = await residentBytes()
  let most = before
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, 50)
  const started = performance.now()
  const full = await save()
  const fullSeconds = (performance.now() - started) / 1000
  clearInterval(watch)
  delay.disable()

  let written = 0
  let used = 0
  for (let n = 0; n < SAVES; n++) {
    await chain.publish(fileStatement(`file ${n}`))
    const template = chain.template() ?? assert.fail('there is something to mine')
    await chain.submitBlock(template, solve(template))
    const cpu = process.threadCpuUsage()
    written += (await save()).written
    const { user, system } = process.threadCpuUsage(cpu)
    used += (user + system) / 1000
  }
  const found = await findBackups(
    { destinations: [destination], logger },
    { opener: { key } },
    signal,
  )
  await chain.stop()
  await verifier.stop()
  db.close()
  return {
    fullSeconds,
    fullBytes: full.written,
    grew: most - before,
    longestPauseMs: delay.max / 1e6,
    bytesPerRecord: written / SAVES,
    msPerRecord: used / SAVES,
    found: found ?? assert.fail('the backup is found'),
  }
}

/** Reads everything and checks every signature; the bytes of the segments and the seconds. */
async function baseline({ backups, key }: Found): Promise<number> {
  const verifier = createVerifier()
  const started = performance.now()
  const [{ destination, manifest } = assert.fail()] = backups
  for (const entry of await readSegmentList(destination, manifest, signal)) {
    const name = segmentName(manifest, entry)
    const bytes = await readObject(destination, { ...entry, name }, signal)
    const { blocks } = await openSegment(bytes, key, name)
    const items: SignedItem[] = []
    for (const { header: encoded, body } of blocks) {
      const { header } = decodeHeader(encoded)
      items.push({ publicKey: header.miner, message: sealMessage(header), signature: header.seal })
      for (const record of decodeBody(body).records) {
        const publicKey = deviceKeyOf(record.device) ?? assert.fail()
        items.push({ publicKey, message: recordMessage(record), signature: record.signature })
      }
    }
    assert.ok(!(await verifier.verify(items)).includes(false))
  }
  await verifier.stop()
  return (performance.now() - started) / 1000
}

// The timers of the clock do not keep a process alive.
const alive = setInterval(() => {}, 1000)
await bench('backup', async ({ quick, directory }) => {
  const blocks = quick ? BLOCKS / 10 : BLOCKS
  const short = await measure(join(directory, 'short'), SHORT)
  const long = await measure(join(directory, 'long'), blocks)
  const { found } = long
  const least = await baseline(found)
  const verifier = createVerifier()
  const started = performance.now()
  const target = openScratch(
    { verifier, clock, logger },
    { path: join(directory, 'restored.sqlite'), params: found.person.params },
  )
  const { height, problems } = await restoreBackups(
    { target, clock, logger },
    { backups: found.backups, key: found.key },
    signal,
  )
  const seconds = (performance.now() - started) / 1000
  assert.deepEqual([height, problems], [blocks + SAVES, []])
  await target.close()
  await verifier.stop()
  const many = `${blocks.toLocaleString('en')} blocks`
  const figures: Figure[] = [
    {
      name: `restore of ${many}`,
      value: seconds,
      unit: 's',
      baseline: { name: 'reading and checking', value: least, unit: 's' },
      goal: { of: 'ratio', is: 'at most', limit: 2 },
    },
    { name: `full backup of ${many}`, value: long.fullSeconds, unit: 's' },
    { name: 'its size', value: long.fullBytes / MIB, unit: 'MiB' },
    {
      name: 'memory that it takes',
      value: long.grew / MIB,
      unit: 'MiB',
      goal: { of: 'value', is: 'at most', limit: 100 },
    },
    { name: 'longest pause of the event loop', value: long.longestPauseMs, unit: 'ms' },
    {
      name: 'one more record, event loop',
      value: long.msPerRecord,
      unit: 'ms',
      goal: { of: 'value', is: 'at most', limit: 10 },
    },
    {
      name: 'one more record, bytes',
      value: long.bytesPerRecord,
      unit: 'B',
      baseline: { name: 'at 1,000 blocks', value: short.bytesPerRecord, unit: 'B' },
      // Whether the end of the first backup is put together with these once more hangs on its size.
      goal: { of: 'ratio', is: 'at most', limit: 1.25 },
    },
  ]
  return figures
})
clearInterval(alive)
