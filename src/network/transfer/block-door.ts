/**
 * The one way between the local store and the sources: looks, asks, stores. A block that is wanted twice at a
 * time is asked once.
 */
import type { CID } from 'multiformats/cid'
import { RAW } from '../../common/dag-cbor.ts'
import { messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { Buffers } from './buffers.ts'
import { createSemaphore } from './limits.ts'
import type { Source } from './source.ts'

/** Blocks that are written at a time: more than the threads of the platform's file pool are of no use. */
const MAX_PUTS = 16
/** Multihash code of bytes that stand in the CID itself. */
const IDENTITY = 0x00

/**
 * What is needed of the content store; an `interface-blockstore` fits. `putVerified` takes what was hashed
 * already and does not keep the array, `bytesInto` reads into a buffer that is used again, `flush` makes what
 * was put durable.
 */
export interface TransferBlockstore {
  has(cid: CID): boolean | Promise<boolean>
  get(cid: CID): Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  put(cid: CID, bytes: Uint8Array): unknown
  bytesInto?(cid: CID, target: Uint8Array): Promise<Uint8Array>
  putVerified?(cid: CID, bytes: Uint8Array): Promise<void>
  flush?(): Promise<void>
}

export interface Fetching {
  /** The bytes of an inner node, the number of bytes of a leaf; resolves when the block is stored. */
  readonly stored: Promise<Uint8Array | number>
  cancel(reason: unknown): void
  /** Somebody else asked for it before. */
  readonly joined: boolean
}

export interface BlockDoor {
  /** The bytes of a block that is here, `true` when they need not be read (`read` false), or undefined. */
  local(cid: CID, read: boolean): Promise<Uint8Array | true | undefined>
  /** Asks `source` for a block and stores it. */
  fetch(source: Source, cid: CID, expected: number): Fetching
  /** The bytes of a block that is being fetched now. */
  underWay(cid: CID): Promise<Uint8Array> | undefined
  flush(): Promise<void>
}

interface Entry {
  readonly block: Promise<Uint8Array>
  readonly stored: Promise<Uint8Array | number>
  /** Somebody else got the bytes: the buffer cannot be used again. */
  shared: boolean
}

export function createBlockDoor(components: {
  blockstore: TransferBlockstore
  logger: Logger
  buffers: Buffers
}): BlockDoor {
  const { blockstore, logger, buffers } = components
  const fetching = new Map<string, Entry>()
  const puts = createSemaphore(MAX_PUTS)
  const keyOf = (cid: CID): string => Buffer.from(cid.multihash.bytes).toString('latin1')

  const store = async (cid: CID, block: Uint8Array): Promise<void> => {
    const leave = await puts.enter()
    try {
      if (blockstore.putVerified === undefined) await blockstore.put(cid, block)
      else await blockstore.putVerified(cid, block)
    } finally {
      leave()
    }
  }

  return {
    local: async (cid, read) => {
      if (cid.multihash.code === IDENTITY) return cid.multihash.digest
      if (!(await blockstore.has(cid))) return undefined
      if (!read) return true
      try {
        return await gather(blockstore.get(cid))
      } catch (error) {
        logger.debug('A block that should be here cannot be read', { why: messageOf(error) })
        return undefined
      }
    },
    fetch: (source, cid, expected) => {
      const key = keyOf(cid)
      const other = fetching.get(key)
      if (other !== undefined) return { stored: other.stored, cancel: () => {}, joined: true }
      const { block, cancel } = source.want(cid, expected)
      const stored = block
        .then(async (bytes) => {
          await store(cid, bytes)
          if (cid.code !== RAW) return bytes
          // Other stores keep the array that they are given.
          if (blockstore.putVerified !== undefined && !entry.shared) buffers.give(bytes)
          return bytes.length
        })
        .finally(() => fetching.delete(key))
      const entry: Entry = { block, stored, shared: false }
      fetching.set(key, entry)
      return { stored, cancel, joined: false }
    },
    underWay: (cid) => {
      const entry = fetching.get(keyOf(cid))
      if (entry !== undefined) entry.shared = true
      return entry?.block
    },
    flush: async () => void (await blockstore.flush?.()),
  }
}

/** All bytes of a block that a store gives in pieces. */
export async function gather(
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  for await (const part of pieces) parts.push(part)
  const [only] = parts
  return parts.length === 1 && only !== undefined ? only : Buffer.concat(parts)
}
