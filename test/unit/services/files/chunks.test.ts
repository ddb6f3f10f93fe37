import assert from 'node:assert/strict'
import { chunksOf, createLeafPool } from '../../../../src/services/files/chunks.ts'

const LEAF_BYTES = 1_048_576

async function* pieces(total: number, each: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < total; at += each) {
    yield Uint8Array.from({ length: Math.min(each, total - at) }, (_, index) => (at + index) % 251)
  }
}

describe('leaves of a stream', () => {
  it('hold what came, whatever its pieces are', async () => {
    for (const total of [0, 1, 16_383, 16_384, 16_385, LEAF_BYTES - 1, LEAF_BYTES, 2_500_000]) {
      for (const each of [1_000, 16_384, 65_536, 3_000_000]) {
        const pool = createLeafPool(LEAF_BYTES)
        const leaves: Buffer[] = []
        for await (const leaf of chunksOf(pieces(total, each), pool)) leaves.push(Buffer.from(leaf))
        const wanted: Uint8Array[] = []
        for await (const part of pieces(total, each)) wanted.push(part)
        assert.ok(Buffer.concat(leaves).equals(Buffer.concat(wanted)), `${total} by ${each}`)
        assert.equal(leaves.length, Math.max(1, Math.ceil(total / LEAF_BYTES)))
        assert.ok(leaves.slice(0, -1).every(({ length }) => length === LEAF_BYTES))
      }
    }
  })
  it('of a small file take little memory', async () => {
    const pool = createLeafPool(LEAF_BYTES)
    const buffers: number[] = []
    for await (const leaf of chunksOf(pieces(800, 800), pool)) buffers.push(leaf.buffer.byteLength)
    assert.deepEqual(buffers, [16_384])
  })
})
