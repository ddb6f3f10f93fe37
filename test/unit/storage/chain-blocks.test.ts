import assert from 'node:assert/strict'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from '../../../src/common/crypto.ts'
import { DAG_CBOR, SHA2_256 } from '../../../src/common/dag-cbor.ts'
import {
  type ChainBlocksComponents,
  createNodeBlockstore,
} from '../../../src/storage/chain-blocks.ts'
import { pattern, rawCid, withStore } from './blockstore-helpers.ts'

const cborCid = (bytes: Uint8Array): CID =>
  CID.createV1(DAG_CBOR, createDigest(SHA2_256, sha256(bytes)))

async function only(parts: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const part of parts) all.push(part)
  return Buffer.concat(all)
}

describe('blockstore of a node', () => {
  const [header, body, record, leaf] = [1, 2, 3, 4].map((seed) => pattern(100, seed))
  assert.ok(header && body && record && leaf)
  const chain = {
    headerBytes: (id: string) => (id === cborCid(header).toString() ? header : undefined),
    bodyById: (id: string) => (id === cborCid(body).toString() ? body : undefined),
    record: (id: string) =>
      id === cborCid(record).toString() ? { record: { bytes: record } } : undefined,
  } as unknown as ChainBlocksComponents['chain']

  it('reads headers, bodies and records of the chain beside the content', () =>
    withStore(async ({ store }) => {
      const blockstore = createNodeBlockstore({ chain, content: store })
      await blockstore.put(rawCid(leaf), leaf)
      for (const bytes of [header, body, record]) {
        assert.equal(await blockstore.has(cborCid(bytes)), true)
        assert.deepEqual(await only(blockstore.get(cborCid(bytes))), Buffer.from(bytes))
        assert.equal(await blockstore.has(rawCid(bytes)), false, 'under its own codec alone')
      }
      assert.deepEqual(await only(blockstore.get(rawCid(leaf))), Buffer.from(leaf))
      assert.equal(await store.has(rawCid(leaf)), true)
      await assert.rejects(only(blockstore.get(cborCid(leaf.slice(1)))), {
        code: 'CONTENT_MISSING',
      })
    }))

  it('CONTENT_READ_ONLY: never writes or deletes a block of the chain', () =>
    withStore(async ({ store }) => {
      const blockstore = createNodeBlockstore({ chain, content: store })
      await blockstore.put(cborCid(header), header)
      assert.equal(await store.has(cborCid(header)), false)
      await assert.rejects(async () => blockstore.delete(cborCid(header)), {
        code: 'CONTENT_READ_ONLY',
      })
      await blockstore.put(rawCid(leaf), leaf)
      await blockstore.delete(rawCid(leaf))
      assert.equal(await blockstore.has(rawCid(leaf)), false)
    }))
})
