/** UnixFS (https://specs.ipfs.tech/unixfs/) as the gateway reads it: files by range, whole trees. */
import { decode as decodePb, type PBNode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { DAG_PB, RAW } from '../../common/dag-cbor.ts'
import { codeOf } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'
import type { Blocks } from './blocks.ts'

/** Levels of a file's tree: 174 links each, so that a dozen hold any size; more is somebody's trap. */
const MAX_DEPTH = 16
/** Levels of folders and files together. */
const MAX_TREE_DEPTH = 128

export interface Block {
  readonly cid: CID
  readonly bytes: Uint8Array
}

/** What stands at the end of a path. */
export type Entity =
  | { readonly kind: 'file'; readonly cid: CID; readonly block: Uint8Array; readonly size: number }
  | { readonly kind: 'folder'; readonly cid: CID; readonly block: Uint8Array }
  /** Not UnixFS: the chain's own blocks, for instance. */
  | { readonly kind: 'data'; readonly cid: CID; readonly block: Uint8Array }

/** The entity of a CID. @throws PATH_INVALID, and what `blocks` throws */
export async function entityOf(blocks: Blocks, cid: CID): Promise<Entity> {
  const block = await blocks.get(cid)
  if (cid.code === RAW) return { kind: 'file', cid, block, size: block.length }
  if (cid.code !== DAG_PB) return { kind: 'data', cid, block }
  const { unixfs } = nodeOf(cid, block)
  if (unixfs.isDirectory()) return { kind: 'folder', cid, block }
  if (unixfs.type !== 'file' && unixfs.type !== 'raw') return { kind: 'data', cid, block }
  return { kind: 'file', cid, block, size: Number(unixfs.fileSize()) }
}

/** One block of a file's tree, and the file's bytes in it that lie in the wanted range. */
export interface FilePart extends Block {
  readonly data: Uint8Array
}

/**
 * The blocks of a file in depth-first order, those that bytes `start` to `end` (exclusive) lie in.
 *
 * @param known - the bytes of `cid`, when they are here already
 */
export async function* fileParts(
  blocks: Blocks,
  cid: CID,
  { start, end }: { start: number; end: number },
  known?: Uint8Array,
  depth = 0,
): AsyncGenerator<FilePart> {
  if (depth > MAX_DEPTH) throw malformed(cid, 'its tree is too deep')
  const bytes = known ?? (await blocks.get(cid))
  const clip = (data: Uint8Array): Uint8Array =>
    data.subarray(
      Math.min(data.length, Math.max(0, start)),
      Math.max(0, Math.min(data.length, end)),
    )
  if (cid.code === RAW) return yield { cid, bytes, data: clip(bytes) }
  if (cid.code !== DAG_PB) throw malformed(cid, 'a part of it is no part of a file')
  const { node, unixfs } = nodeOf(cid, bytes)
  const own = unixfs.data ?? new Uint8Array(0)
  if (node.Links.length !== unixfs.blockSizes.length) throw malformed(cid, 'its sizes are missing')
  yield { cid, bytes, data: clip(own) }
  let at = own.length
  for (const [index, { Hash }] of node.Links.entries()) {
    const size = Number(unixfs.blockSizes[index])
    if (at < end && at + size > start) {
      yield* fileParts(blocks, Hash, { start: start - at, end: end - at }, undefined, depth + 1)
    }
    at += size
  }
}

/** All blocks below and with `cid`, depth first, each link followed in its order; only dag-pb has links. */
export async function* treeOf(blocks: Blocks, cid: CID, depth = 0): AsyncGenerator<Block> {
  if (depth > MAX_TREE_DEPTH) throw malformed(cid, 'its tree is too deep')
  const bytes = await blocks.get(cid)
  yield { cid, bytes }
  if (cid.code !== DAG_PB) return
  for (const { Hash } of decodePb(bytes).Links) yield* treeOf(blocks, Hash, depth + 1)
}

/** A dag-pb block with its UnixFS part. @throws PATH_INVALID */
export function nodeOf(cid: CID, bytes: Uint8Array): { node: PBNode; unixfs: UnixFS } {
  try {
    const node = decodePb(bytes)
    return { node, unixfs: UnixFS.unmarshal(node.Data ?? new Uint8Array(0)) }
  } catch (error) {
    throw malformed(cid, `it is not UnixFS (${codeOf(error)})`)
  }
}

export function malformed(cid: CID, why: string): Error {
  return interfaceError('PATH_INVALID', { path: cid.toString(), why })
}
