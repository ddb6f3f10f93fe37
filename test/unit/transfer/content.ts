/** Content for tests: blocks in memory, trees of them, stores that count. */
import { encode, prepare } from '@ipld/dag-pb'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from '../../../src/common/crypto.ts'
import { DAG_PB, RAW, SHA2_256 } from '../../../src/common/dag-cbor.ts'
import type { TransferBlockstore } from '../../../src/network/transfer/block-door.ts'

export interface Block {
  readonly cid: CID
  readonly bytes: Uint8Array
}

export function blockOf(bytes: Uint8Array, codec: number = RAW): Block {
  return { cid: CID.createV1(codec, createDigest(SHA2_256, sha256(bytes))), bytes }
}

/** `length` bytes that depend on `seed` alone. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = (seed * 2_654_435_761 + 1) >>> 0
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

export interface Tree {
  readonly root: CID
  /** All blocks, in the order of a depth-first walk. */
  readonly blocks: readonly Block[]
  readonly size: number
}

/** A tree of `leaves` leaves of `leafBytes` each, `width` links a node. */
export function treeOf(leaves: number, leafBytes: number, width = 4, seed = 1): Tree {
  let level = Array.from({ length: leaves }, (_, index): Tree => {
    const block = blockOf(noise(leafBytes, seed * 10_000 + index))
    return { root: block.cid, blocks: [block], size: leafBytes }
  })
  while (level.length > 1) {
    const above: Tree[] = []
    for (let at = 0; at < level.length; at += width) above.push(join(level.slice(at, at + width)))
    level = above
  }
  const [tree] = level
  if (tree === undefined) throw new Error('a tree has a leaf')
  return tree
}

export function join(parts: readonly Tree[]): Tree {
  const links = parts.map(({ root, size }) => ({ Name: '', Hash: root, Tsize: size }))
  const block = blockOf(encode(prepare({ Data: Uint8Array.of(8, 2), Links: links })), DAG_PB)
  return {
    root: block.cid,
    blocks: [block, ...parts.flatMap(({ blocks }) => blocks)],
    size: block.bytes.length + parts.reduce((sum, { size }) => sum + size, 0),
  }
}

export interface MemoryStore extends TransferBlockstore {
  readonly map: Map<string, Uint8Array>
  /** CIDs in the order of their puts. */
  readonly puts: string[]
  readonly gets: string[]
  flushes: number
}

/** Keys are multihashes, as in the real store. */
export function memoryStore(blocks: readonly Block[] = []): MemoryStore {
  const key = (cid: CID): string => Buffer.from(cid.multihash.bytes).toString('hex')
  const store: MemoryStore = {
    map: new Map(blocks.map(({ cid, bytes }) => [key(cid), bytes])),
    puts: [],
    gets: [],
    flushes: 0,
    has: (cid) => store.map.has(key(cid)),
    get: async function* (cid) {
      store.gets.push(cid.toString())
      const bytes = store.map.get(key(cid))
      if (bytes === undefined) throw Object.assign(new Error('missing'), { code: 'MISSING' })
      yield bytes
    },
    put: async (cid, bytes) => {
      await Promise.resolve()
      store.puts.push(cid.toString())
      store.map.set(key(cid), bytes)
    },
    flush: async () => {
      store.flushes += 1
    },
  }
  return store
}
