/**
 * The store of content blocks: the layout of blockstore-fs, made safe.
 *
 * - A block is whole or not there: unique temporary name, flushed, renamed. `flush` makes the names durable.
 * - What is read was hashed; a damaged block is put aside, told to `onDamaged`, and then counts as missing, so
 *   that it is fetched again. Putting good bytes over bad ones repairs.
 * - "Not there" means not there: every other failure of the disk is thrown with its code.
 *
 * does not own: which blocks are wanted (pins.ts)
 */
import { join } from 'node:path'
import type { Blockstore, InputPair, Pair } from 'interface-blockstore'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { concatBytes, equalBytes } from '../common/bytes.ts'
import { sha256 } from '../common/crypto.ts'
import { RAW, SHA2_256 } from '../common/dag-cbor.ts'
import type { Startable } from '../common/lifecycle.ts'
import { KIB, MAX_CONTENT_BLOCK_BYTES } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import { contentError } from './blockstore-errors.ts'
import { createWholeFiles, type FileCalls } from './blockstore-files.ts'
import {
  BLOCK_SUFFIX,
  blockName,
  digestOfFile,
  isStorable,
  QUARANTINE,
  shardOf,
  TEMPORARY,
} from './blockstore-layout.ts'
import { createKeyedLock } from './blockstore-lock.ts'

/** Bytes from which hashing on another thread costs less than it saves. */
const APART_BYTES: number = 64 * KIB
/** Damaged blocks that are kept to look at (each up to 2 MiB); beyond that they are deleted. */
const MAX_QUARANTINE = 256

type Put = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

export interface ContentBlockstore extends Blockstore, Startable {
  /** One block's bytes, verified. @throws CONTENT_MISSING, CONTENT_DAMAGED */
  bytes(cid: CID): Promise<Uint8Array>
  /** Like `bytes`, read into `target` when the block fits; the result is a part of it then. */
  bytesInto(cid: CID, target: Uint8Array): Promise<Uint8Array>
  /** Like `put`, of bytes that the caller has just hashed or verified: they are not hashed again. */
  putVerified(cid: CID, bytes: Uint8Array): Promise<void>
  /** Resolves when every put that ended before this call survives a power failure. */
  flush(): Promise<void>
  /** Blocks that were found damaged, before this start too, and are not repaired; the codec is always raw. */
  damagedBlocks(): CID[]
  /** SHA-256 digests of all blocks, in no order; those that are put meanwhile may be missing. */
  digests(): AsyncGenerator<Uint8Array>
  /**
   * Deletes a block that nobody put or looked for with `put` since `before` (milliseconds UTC), unless that was
   * before `from`.
   *
   * @returns the bytes that became free; 0: it was used since, is older, or is not there
   */
  deleteIfUnusedSince(digest: Uint8Array, before: number, from?: number): Promise<number>
}

export interface ContentBlockstoreComponents {
  readonly logger: Logger
  /** Told of each damaged block, after it was put aside. */
  readonly onDamaged?: (cid: CID) => void
  /** Milliseconds UTC. */
  readonly now: () => number
  /** Another set of system calls; only in tests. */
  readonly calls?: FileCalls
}

/** @param init - dir: the directory of the store, which nothing else writes to */
export function createContentBlockstore(
  { logger, onDamaged, now, calls }: ContentBlockstoreComponents,
  { dir }: { readonly dir: string },
): ContentBlockstore {
  const files = createWholeFiles(calls === undefined ? { now } : { now, calls }, {
    temporary: join(dir, TEMPORARY),
  })
  // One change of a block at a time: a put that finds the block there must not lose it to a deletion.
  const lock = createKeyedLock()
  const damaged = new Set<string>()
  const pathOf = (name: string): string => join(dir, shardOf(name), name + BLOCK_SUFFIX)

  /** Moves a damaged block out of the way. Called under its lock. */
  const putAside = async (name: string): Promise<void> => {
    const full = damaged.size >= MAX_QUARANTINE
    if (full) await files.remove(pathOf(name))
    else await files.move(pathOf(name), join(dir, QUARANTINE, `${name}.damaged`))
    if (!full) damaged.add(name)
  }
  const report = (cid: CID): void => {
    logger.error('A block of content is damaged on the disk; it was put aside', {
      cid: cid.toString(),
    })
    onDamaged?.(cid)
  }
  const store = async (name: string, cid: CID, bytes: Uint8Array): Promise<void> => {
    const found = await files.read(pathOf(name))
    if (found !== undefined) {
      if (equalBytes(found, bytes)) return files.touch(pathOf(name))
      await putAside(name)
      report(cid)
    }
    await files.write(pathOf(name), bytes)
    if (damaged.delete(name)) await files.remove(join(dir, QUARANTINE, `${name}.damaged`))
  }
  const isGood = async (
    name: string,
    cid: CID,
    target?: Uint8Array,
  ): Promise<Uint8Array | undefined> => {
    const path = pathOf(name)
    const found = await (target === undefined ? files.read(path) : files.readInto(path, target))
    if (found === undefined) throw missing(name, cid)
    return equalBytes(await hashOf(found), cid.multihash.digest) ? found : undefined
  }
  const missing = (name: string, cid: CID): Error =>
    contentError(damaged.has(name) ? 'CONTENT_DAMAGED' : 'CONTENT_MISSING', { cid: cid.toString() })

  const readVerified = async (cid: CID, target?: Uint8Array): Promise<Uint8Array> => {
    if (!isStorable(cid)) throw contentError('CONTENT_MISSING', { cid: cid.toString() })
    const name = blockName(cid)
    const found = await isGood(name, cid, target)
    if (found !== undefined) return found
    // Read again alone: somebody may have repaired it meanwhile.
    const repaired = await lock.run(name, async () => {
      const again = await isGood(name, cid)
      if (again === undefined) await putAside(name)
      return again
    })
    if (repaired !== undefined) return repaired
    report(cid)
    throw contentError('CONTENT_DAMAGED', { cid: cid.toString() })
  }

  const blockstore: ContentBlockstore = {
    start: async () => {
      await files.prepare([dir, join(dir, QUARANTINE)])
      for (const name of await files.list(join(dir, QUARANTINE))) {
        damaged.add(name.slice(0, name.lastIndexOf('.')))
      }
    },
    stop: async () => {
      await lock.idle()
      await files.flush()
    },
    bytes: (cid) => readVerified(cid),
    bytesInto: (cid, target) => readVerified(cid, target),
    putVerified: async (cid, bytes) => {
      const name = blockName(cid)
      if (bytes.length > MAX_CONTENT_BLOCK_BYTES) throw tooLarge()
      await lock.run(name, () => store(name, cid, bytes))
    },
    put: async (cid, value, options) => {
      const bytes = await collect(value)
      options?.signal?.throwIfAborted()
      blockName(cid)
      if (!equalBytes(await hashOf(bytes), cid.multihash.digest)) {
        throw contentError('CONTENT_MISMATCH', { cid: cid.toString() })
      }
      await blockstore.putVerified(cid, bytes)
      return cid
    },
    has: async (cid) => isStorable(cid) && (await files.stat(pathOf(blockName(cid)))) !== undefined,
    get: async function* (cid, options) {
      options?.signal?.throwIfAborted()
      yield await blockstore.bytes(cid)
    },
    delete: async (cid) => {
      const name = blockName(cid)
      await lock.run(name, () => files.remove(pathOf(name)))
    },
    putMany: async function* (source, options) {
      for await (const { cid, bytes } of source as AsyncIterable<InputPair>) {
        await blockstore.put(cid, bytes, options)
        yield cid
      }
    },
    getMany: async function* (source, options) {
      for await (const cid of source) yield { cid, bytes: blockstore.get(cid, options) }
    },
    deleteMany: async function* (source, options) {
      for await (const cid of source) {
        await blockstore.delete(cid, options)
        yield cid
      }
    },
    getAll: async function* (options): AsyncGenerator<Pair> {
      for await (const digest of blockstore.digests()) {
        // The codec is not known here; `raw` names the same bytes.
        const cid = CID.createV1(RAW, createDigest(SHA2_256, digest))
        yield { cid, bytes: blockstore.get(cid, options) }
      }
    },
    flush: () => files.flush(),
    damagedBlocks: () =>
      [...damaged].flatMap((name) => {
        const digest = digestOfFile(name + BLOCK_SUFFIX)
        return digest === undefined ? [] : [CID.createV1(RAW, createDigest(SHA2_256, digest))]
      }),
    digests: async function* () {
      for (const shard of await files.list(dir)) {
        if (shard.length !== 2) continue
        for (const file of await files.list(join(dir, shard))) {
          const digest = digestOfFile(file)
          if (digest !== undefined) yield digest
        }
      }
    },
    deleteIfUnusedSince: (digest, before, from = 0) => {
      const name = blockName(CID.createV1(RAW, createDigest(SHA2_256, digest)))
      return lock.run(name, async () => {
        const found = await files.stat(pathOf(name))
        if (found === undefined || found.time >= before || found.time < from) return 0
        return (await files.remove(pathOf(name))) ? found.size : 0
      })
    },
  }
  return blockstore
}

const tooLarge = (): Error => contentError('CONTENT_TOO_LARGE', { limit: MAX_CONTENT_BLOCK_BYTES })

async function collect(value: Put): Promise<Uint8Array> {
  if (value instanceof Uint8Array) return value
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of value) {
    length += part.length
    if (length > MAX_CONTENT_BLOCK_BYTES) throw tooLarge()
    parts.push(part)
  }
  return concatBytes(parts, length)
}

/** SHA-256 of `bytes`, of many of them on a thread of the process's pool. They must not change meanwhile. */
export async function hashOf(bytes: Uint8Array): Promise<Uint8Array> {
  if (bytes.length < APART_BYTES) return sha256(bytes)
  const view = bytes as Uint8Array<ArrayBuffer>
  return new Uint8Array(await crypto.subtle.digest('SHA-256', view))
}
