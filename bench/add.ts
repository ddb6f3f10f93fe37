/**
 * Adding a file: chunks, hashes, tree, blocks on the disk, flushed. Against SHA-256 + write + flush of the same bytes
 * into one file, and against ipfs-unixfs-importer into blockstore-fs, which flushes nothing. The rounds take
 * turns, because a disk has moods; each figure is the median.
 */
import { createHash, randomFillSync } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { FsBlockstore } from 'blockstore-fs'
import { importFile } from 'ipfs-unixfs-importer'
import { silentLogger } from '../src/common/logger.ts'
import { importContent } from '../src/services/files/import.ts'
import { createContentBlockstore } from '../src/storage/blockstore.ts'
import { type Figure, median } from './support/figures.ts'
import { bench, MIB, residentBytes } from './support/measure.ts'

/** Bytes that a file's stream gives at a time unless told otherwise. */
const PIECE_BYTES = 65_536
/** Milliseconds between two looks at the memory. */
const LOOK_MS = 20
const pool = new Uint8Array(16 * MIB)
randomFillSync(pool)

/** `mib` MiB in which no leaf occurs twice, also not in another stream; the memory is used again. */
async function* bytes(mib: number, stream: number): AsyncGenerator<Uint8Array> {
  for (let leaf = 0; leaf < mib; leaf += 1) {
    const at = (leaf % 16) * MIB
    new DataView(pool.buffer).setUint32(at, leaf)
    new DataView(pool.buffer).setUint32(at + 4, stream)
    for (let piece = 0; piece < MIB; piece += PIECE_BYTES) {
      yield pool.subarray(at + piece, at + piece + PIECE_BYTES)
    }
  }
}

async function add(dir: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const store = createContentBlockstore({ logger: silentLogger, now: Date.now }, { dir })
  await store.start()
  await importContent(store, source, { signal: new AbortController().signal })
  await store.flush()
}

async function plain(dir: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const hash = createHash('sha256')
  const file = await open(dir, 'wx')
  for await (const piece of source) {
    hash.update(piece)
    await file.write(piece)
  }
  await file.sync()
  await file.close()
  hash.digest()
}

async function library(dir: string, source: AsyncIterable<Uint8Array>): Promise<void> {
  const store = new FsBlockstore(dir)
  await store.open()
  const content = (async function* () {
    // The importer keeps what it is given.
    for await (const piece of source) yield piece.slice()
  })()
  await importFile({ content }, store, { profile: 'unixfs-v1-2025' })
}

await bench('add', async ({ quick, directory }) => {
  const grown = await growth(directory, quick ? 512 : 4096)
  const mib = quick ? 128 : 1024
  const ways = { add, plain, library }
  const rates: Record<keyof typeof ways, number[]> = { add: [], plain: [], library: [] }
  let stream = 1
  for (let round = 0; round < 5; round += 1) {
    for (const way of ['plain', 'add', 'library'] as const) {
      const started = performance.now()
      await ways[way](join(directory, `${way}-${round}`), bytes(mib, stream))
      rates[way].push((mib / (performance.now() - started)) * 1000)
      stream += 1
    }
  }
  const value = median(rates.add)
  const rate = (name: string, of: readonly number[]) => ({ name, value: median(of), unit: 'MiB/s' })
  const figures: Figure[] = [
    {
      name: 'add',
      value,
      unit: 'MiB/s',
      baseline: rate('hash + write + flush', rates.plain),
      goal: { of: 'ratio', is: 'at least', limit: 0.6 },
    },
    {
      name: 'add',
      value,
      unit: 'MiB/s',
      baseline: rate('importer, unflushed', rates.library),
    },
    {
      name: `memory grown by adding ${quick ? '512 MiB' : '4 GiB'}`,
      value: grown / MIB,
      unit: 'MiB',
      goal: { of: 'value', is: 'at most', limit: 150 },
    },
  ]
  return figures
})

/** Bytes by which the resident memory rises above what a first, small add needs. */
async function growth(directory: string, mib: number): Promise<number> {
  await add(join(directory, 'first'), bytes(1, 0))
  const before = await residentBytes()
  let most = before
  const looking = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss())
  }, LOOK_MS)
  await add(join(directory, 'large'), bytes(mib, 2 ** 31))
  clearInterval(looking)
  return most - before
}
