/**
 * The one way between the local store and the sources: looks, asks, stores. A block that is wanted twice at a
 * time is asked once.
 */
import type { CID } from 'multiformats/cid'
import { messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { createSemaphore } from './limits.ts'
import type { Source, Want } from './source.ts'

/** Blocks that are written at a time: more than the threads of the platform's file pool are of no use. */
const MAX_PUTS = 16
/** Multihash code of bytes that stand in the CID itself. */
const IDENTITY = 0x00

/**
 * What is needed of the content store; an `interface-blockstore` fits. `putVerified` takes what was hashed
 * already, `flush` makes what was put durable.
 */
export interface TransferBlockstore {
  has(cid: CID): boolean | Promise<boolean>
  get(cid: CID): Iterable<Uint8Array> | AsyncIterable<Uint8Array>
  put(cid: CID, bytes: Uint8Array): unknown
  putVerified?(cid: CID, bytes: Uint8Array): Promise<void>
  flush?(): Promise<void>
}

export interface BlockDoor {
  /** The bytes of a block that is here, `true` when they need not be read (`read` false), or undefined. */
  local(cid: CID, read: boolean): Promise<Uint8Array | true | undefined>
  /** Asks `source`; resolves when the block is stored. `joined`: somebody else asked already. */
  fetch(source: Source, cid: CID, expected: number): Want & { joined: boolean }
  /** The bytes of a block that somebody is fetching now. */
  underWay(cid: CID): Promise<Uint8Array> | undefined
  store(cid: CID, block: Uint8Array): Promise<void>
  flush(): Promise<void>
}

export function createBlockDoor(components: {
  blockstore: TransferBlockstore
  logger: Logger
}): BlockDoor {
  const { blockstore, logger } = components
  const fetching = new Map<string, Promise<Uint8Array>>()
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
    store,
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
      if (other !== undefined) return { block: other, cancel: () => {}, joined: true }
      const want = source.want(cid, expected)
      const stored = want.block
        .then(async (block) => {
          await store(cid, block)
          return block
        })
        .finally(() => fetching.delete(key))
      stored.catch(() => {})
      fetching.set(key, stored)
      return { block: stored, cancel: want.cancel, joined: false }
    },
    underWay: (cid) => fetching.get(keyOf(cid)),
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
