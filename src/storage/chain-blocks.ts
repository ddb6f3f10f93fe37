/**
 * One blockstore for Helia: content blocks from the content store, and the chain's headers, bodies and records by
 * their CIDs from the database, so that any IPFS tool can walk the chain. Of the chain this is a read-only view:
 * nothing is written to it or deleted from it here.
 */
import type { Blockstore } from 'interface-blockstore'
import type { CID } from 'multiformats/cid'
import type { BlockId, BodyId, RecordId } from '../chain/ids.ts'
import { DAG_CBOR } from '../common/dag-cbor.ts'
import type { ContentBlockstore } from './blockstore.ts'
import { contentError } from './blockstore-errors.ts'
import type { ChainStore } from './chain-store.ts'

export interface ChainBlocksComponents {
  readonly chain: Pick<ChainStore, 'headerBytes' | 'bodyById' | 'record'>
  readonly content: ContentBlockstore
}

/** The chain's block with this CID, header, body or record; undefined when it is none that is here. */
export function readChainBlock(
  chain: ChainBlocksComponents['chain'],
  cid: CID,
): Uint8Array | undefined {
  if (cid.code !== DAG_CBOR) return undefined
  const id = cid.toString()
  return (
    chain.headerBytes(id as BlockId) ??
    chain.bodyById(id as BodyId) ??
    chain.record(id as RecordId)?.record.bytes
  )
}

/** Starts, stops and flushes nothing: the content store and the database do. `getAll` lists content alone. */
export function createNodeBlockstore({ chain, content }: ChainBlocksComponents): Blockstore {
  const ofChain = (cid: CID): Uint8Array | undefined => readChainBlock(chain, cid)
  const blockstore: Blockstore = {
    has: (cid, options) => ofChain(cid) !== undefined || content.has(cid, options),
    get: async function* (cid, options) {
      const bytes = ofChain(cid)
      if (bytes === undefined) yield* content.get(cid, options)
      else yield bytes
    },
    put: (cid, bytes, options) => {
      // What the chain holds came through its own checks; it need not be stored again.
      return ofChain(cid) === undefined ? content.put(cid, bytes, options) : cid
    },
    delete: (cid, options) => {
      if (ofChain(cid) !== undefined) throw contentError('CONTENT_READ_ONLY', { cid: `${cid}` })
      return content.delete(cid, options)
    },
    putMany: async function* (source, options) {
      for await (const { cid, bytes } of source) {
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
    getAll: (options) => content.getAll(options),
  }
  return blockstore
}
