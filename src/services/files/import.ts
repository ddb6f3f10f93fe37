/**
 * Bytes in, UnixFS out: one pass over a stream of any length in constant memory. Reading and the hash of the
 * plain bytes, the hashes of the leaves, and writing them to the disk run side by side.
 */
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import type { ContentId } from '../../chain/ids.ts'
import type { ContentCipher } from '../../common/content-cipher.ts'
import { encryptContent } from '../../common/content-stream.ts'
import { sha256Stream } from '../../common/crypto.ts'
import { DAG_PB, RAW, SHA2_256 } from '../../common/dag-cbor.ts'
import { MIB } from '../../common/limits.ts'
import { type ContentBlockstore, hashOf } from '../../storage/blockstore.ts'
import { chunksOf, createLeafPool } from './chunks.ts'
import { createDagBuilder, LEAF_BYTES, type Part } from './dag-builder.ts'

/** Bytes read and not yet on the disk: enough to keep hashing and writing busy at once. */
const BYTES_IN_FLIGHT: number = 16 * MIB

export interface Imported {
  readonly root: ContentId
  /** Plain bytes. */
  readonly size: number
  /** Bytes of the DAG's blocks. */
  readonly storedSize: number
  /** SHA-256 of the plain bytes. */
  readonly sha256: Uint8Array
}

export interface ImportOptions {
  readonly signal: AbortSignal
  /** Encrypts each leaf: what is stored is its content format, a segment a leaf. */
  readonly cipher?: ContentCipher
  /** Called after each leaf that was read, with the plain bytes so far. */
  readonly onBytes?: (bytes: number) => void
  /** Bytes of a leaf and links of a node; others than the profile's only in tests. */
  readonly leafBytes?: number
  readonly nodeLinks?: number
}

/**
 * Stores the stream. Not flushed: call `blockstore.flush()` before anything refers to the root.
 *
 * @throws what the source throws; STORAGE_FULL and the other errors of the blockstore; the signal's reason
 */
export async function importContent(
  blockstore: Pick<ContentBlockstore, 'putVerified'>,
  source: AsyncIterable<Uint8Array>,
  { signal, cipher, onBytes, leafBytes = LEAF_BYTES, nodeLinks }: ImportOptions,
): Promise<Imported> {
  const plain = sha256Stream()
  const pool = createLeafPool(leafBytes)
  const inFlight = new Set<Promise<Part>>()
  const failures: unknown[] = []
  const slots = Math.max(2, Math.floor(BYTES_IN_FLIGHT / leafBytes))

  const put = async (codec: number, bytes: Uint8Array): Promise<CID> => {
    const cid = CID.createV1(codec, createDigest(SHA2_256, await hashOf(bytes)))
    await blockstore.putVerified(cid, bytes)
    return cid
  }
  const builder = createDagBuilder((node) => put(DAG_PB, node), nodeLinks)
  const storeLeaf = (leaf: Uint8Array): Promise<Part> => {
    const part = put(RAW, leaf).then((cid) => {
      pool.give(leaf)
      return { cid, size: leaf.length, storedSize: leaf.length }
    })
    inFlight.add(part)
    part.then(
      () => inFlight.delete(part),
      (error) => {
        inFlight.delete(part)
        failures.push(error)
      },
    )
    return part
  }
  /** Leaves in the order of the file; they may end in another. */
  const ordered: Promise<Part>[] = []
  const takeFirst = async (): Promise<void> => {
    const first = ordered.shift()
    if (first !== undefined) await builder.add(await first)
  }
  try {
    let size = 0
    const onPlain = (bytes: Uint8Array): void => {
      plain.update(bytes)
      size += bytes.length
    }
    const leaves =
      cipher === undefined
        ? chunksOf(source, pool)
        : encryptContent(cipher, source, { take: pool.take, onPlain })
    for await (const leaf of leaves) {
      signal.throwIfAborted()
      if (failures.length > 0) throw failures[0]
      ordered.push(storeLeaf(leaf))
      if (cipher === undefined) onPlain(leaf)
      onBytes?.(size)
      if (ordered.length >= slots) await takeFirst()
    }
    while (ordered.length > 0) await takeFirst()
    const root = await builder.finish()
    return {
      root: root.cid.toString() as ContentId,
      size,
      storedSize: root.storedSize,
      sha256: plain.digest(),
    }
  } finally {
    // Nothing of this import may still be written when its lease goes.
    await Promise.allSettled(inFlight)
  }
}
