/**
 * Contents of files in backups: what a large file costs on its way to a folder and back. The baseline is to read, hash,
 * encrypt, write and flush the same bytes, and nothing else.
 */
import assert from 'node:assert/strict'
import { createCipheriv, randomFillSync } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { systemClock } from '../src/common/clock.ts'
import { sha256 } from '../src/common/crypto.ts'
import { RAW, SHA2_256 } from '../src/common/dag-cbor.ts'
import { createFolderDestination } from '../src/services/backup/destinations/folder.ts'
import { createContentsWorld } from '../test/helpers/backup/contents-world.ts'
import { key } from '../test/helpers/backup-world.ts'
import type { Figure } from './support/figures.ts'
import { bench, MIB, residentBytes } from './support/measure.ts'

const FILE_BYTES: number = 4096 * MIB
const QUICK_BYTES: number = 128 * MIB
/** Bytes that the baseline writes at a time: a pack. */
const PIECE_BYTES: number = 8 * MIB
const signal = new AbortController().signal

interface Measured {
  readonly seconds: number
  /** Bytes by which the process grew at most. */
  readonly grew: number
  readonly longestPauseMs: number
}

async function measured(run: () => Promise<void>): Promise<Measured> {
  const before = await residentBytes()
  let most = before
  const watch = setInterval(async () => {
    most = Math.max(most, await residentBytes())
  }, 50)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const started = performance.now()
  await run()
  const seconds = (performance.now() - started) / 1000
  delay.disable()
  clearInterval(watch)
  return { seconds, grew: most - before, longestPauseMs: delay.max / 1e6 }
}

/** Random bytes, so that nothing is compressed. */
async function* randomBytes(size: number): AsyncGenerator<Uint8Array> {
  for (let left = size; left > 0; left -= MIB)
    yield randomFillSync(new Uint8Array(Math.min(MIB, left)))
}

/** Reads, hashes, encrypts, writes and flushes. */
async function baseline(
  from: AsyncIterable<Uint8Array>,
  path: string,
  size: number,
): Promise<number> {
  const started = performance.now()
  const file = await open(path, 'w')
  let held: Uint8Array[] = []
  let bytes = 0
  for await (const part of from) {
    sha256(part)
    const options = { authTagLength: 16 }
    const cipher = createCipheriv(
      'chacha20-poly1305',
      new Uint8Array(32),
      new Uint8Array(12),
      options,
    )
    held.push(cipher.update(part))
    bytes += part.length
    if (bytes % PIECE_BYTES !== 0 && bytes < size) continue
    await file.writev(held)
    await file.datasync()
    held = []
  }
  await file.close()
  return (performance.now() - started) / 1000
}

await bench('contents', async ({ quick, directory }) => {
  const size = quick ? QUICK_BYTES : FILE_BYTES
  const world = await createContentsWorld()
  const place = (init?: Parameters<typeof world.place>[1]) => {
    const path = join(directory, 'backups')
    return world.place(createFolderDestination({ clock: systemClock }, { path }), init)
  }
  const alive = setInterval(() => {}, 1000)
  try {
    const { root } = await world.add('large.bin', randomBytes(size))
    const leaves = async function* () {
      for await (const digest of world.disk.content.digests()) {
        yield await world.disk.content.bytes(CID.createV1(RAW, createDigest(SHA2_256, digest)))
      }
    }
    const least = await baseline(leaves(), join(directory, 'baseline'), size)
    const first = place()
    const sent = await measured(async () => {
      first.saved(key.recipient)
      await first.flush('all', signal)
    })
    assert.deepEqual(first.state()?.waiting, { files: 0, bytes: 0 })
    const again = place()
    const nothing = await measured(async () => {
      again.saved(key.recipient)
      await again.flush('all', signal)
    })
    assert.equal(again.state()?.sent, 0)
    const disk = await world.wiped()
    const back = await measured(async () => {
      const { files } = await world.bring(disk, place({ disk }))
      assert.equal(files, 1)
    })
    assert.ok(disk.pins.isWhole(root))
    const name = `of a file of ${size / MIB} MiB`
    const rate = (seconds: number): number => size / MIB / seconds
    const figures: Figure[] = [
      {
        name: `contents ${name}, to a folder`,
        value: rate(sent.seconds),
        unit: 'MiB/s',
        baseline: { name: 'hash, encrypt, write, flush', value: rate(least), unit: 'MiB/s' },
      },
      {
        name: 'memory that it takes',
        value: sent.grew / MIB,
        unit: 'MiB',
        goal: { of: 'value', is: 'at most', limit: 150 },
      },
      { name: 'longest pause of the event loop', value: sent.longestPauseMs, unit: 'ms' },
      { name: 'once more, after a restart', value: nothing.seconds * 1000, unit: 'ms' },
      { name: `contents ${name}, back`, value: rate(back.seconds), unit: 'MiB/s' },
      {
        name: 'memory that it takes',
        value: back.grew / MIB,
        unit: 'MiB',
        goal: { of: 'value', is: 'at most', limit: 150 },
      },
      { name: 'longest pause of the event loop', value: back.longestPauseMs, unit: 'ms' },
    ]
    return figures
  } finally {
    clearInterval(alive)
    await world.end()
  }
})
