import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { openStore, pattern, rawCid, withDirectory } from './blockstore-helpers.ts'

const KILLS = Number(process.env.CAIRN_KILLS ?? 6)
const writer = join(import.meta.dirname, 'blockstore-writer.ts')

/** Runs the writer, kills it after it has made `lines` blocks durable and a little more; the durable seeds. */
function killed(dir: string, first: number, lines: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [writer, dir, String(first)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (part: Buffer) => {
      text += part.toString()
      if (text.split('\n').length > lines) child.kill('SIGKILL')
    })
    child.on('error', reject)
    // Pipes are read to their end before `close`.
    child.on('close', () => resolve(text.split('\n').slice(0, -1).map(Number)))
  })
}

describe('content blockstore and kill -9', () => {
  it(`keeps all that it acknowledged and shows no torn block, ${KILLS} times`, function () {
    this.timeout(10_000 + KILLS * 3_000)
    return withDirectory(async (dir) => {
      const durable = new Set<number>()
      for (let kill = 0; kill < KILLS; kill += 1) {
        for (const seed of await killed(dir, kill * 10_000, (kill * 7) % 40)) durable.add(seed)
        const { store, damaged } = await openStore(dir)
        assert.deepEqual(await readdir(join(dir, 'tmp')), [])
        for await (const digest of store.digests()) {
          await store.bytes(CID.createV1(0x55, createDigest(0x12, digest)))
        }
        assert.deepEqual(damaged, [])
        for (const seed of durable) await store.bytes(rawCid(pattern(50_000, seed)))
      }
      assert.ok(durable.size >= KILLS)
    })
  })
})
