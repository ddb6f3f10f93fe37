/**
 * UnixFS folders: plain ones and sharded ones (HAMT). A sharded folder is searched shard by shard, without
 * the hash of the name: correct for every folder, slower for huge ones, which this project does not make.
 */
import type { CID } from 'multiformats/cid'
import { DAG_PB } from '../../common/dag-cbor.ts'
import { interfaceError } from '../errors.ts'
import type { Blocks } from './blocks.ts'
import { type Block, malformed, nodeOf } from './unixfs.ts'

/** Entries of a folder that are listed. */
export const MAX_LISTED = 10_000
/** Levels of shards: 8 bits of a 64-bit hash each. */
const MAX_SHARD_DEPTH = 8
/** Parts of a path. */
const MAX_SEGMENTS = 64

export interface FolderEntry {
  readonly name: string
  readonly cid: CID
  /** Bytes of the entry's whole tree, as its folder says. */
  readonly size: number
  /** The folder's block, and the shards down to the entry. */
  readonly path: readonly Block[]
}

/** The entries of a folder in its own order. @throws PATH_INVALID, and what `blocks` throws */
export async function* folderEntries(
  blocks: Blocks,
  cid: CID,
  above: readonly Block[] = [],
): AsyncGenerator<FolderEntry> {
  if (cid.code !== DAG_PB || above.length > MAX_SHARD_DEPTH) throw malformed(cid, 'it is no folder')
  const bytes = await blocks.get(cid)
  const { node, unixfs } = nodeOf(cid, bytes)
  if (!unixfs.isDirectory()) throw malformed(cid, 'it is no folder')
  const path = [...above, { cid, bytes }]
  const sharded = unixfs.type === 'hamt-sharded-directory'
  // The name of a shard's link begins with its place, in hexadecimal digits as wide as the last place.
  const prefix = sharded ? (Number(unixfs.fanout ?? 256n) - 1).toString(16).length : 0
  for (const { Hash, Name = '', Tsize = 0 } of node.Links) {
    if (sharded && Name.length === prefix) yield* folderEntries(blocks, Hash, path)
    else yield { name: Name.slice(prefix), cid: Hash, size: Tsize, path }
  }
}

/** The entry `name` of a folder; undefined when there is none. */
export async function findEntry(
  blocks: Blocks,
  cid: CID,
  name: string,
): Promise<FolderEntry | undefined> {
  for await (const entry of folderEntries(blocks, cid)) if (entry.name === name) return entry
  return undefined
}

/**
 * Follows names from a root; `passed` are the blocks on the way, without the last entity's own.
 *
 * @throws PATH_NOT_FOUND, PATH_INVALID, and what `blocks` throws
 */
export async function followPath(
  blocks: Blocks,
  root: CID,
  segments: readonly string[],
): Promise<{ cid: CID; passed: readonly Block[] }> {
  if (segments.length > MAX_SEGMENTS) {
    throw interfaceError('PATH_INVALID', { path: '(long)', why: 'it has too many parts' })
  }
  const passed: Block[] = []
  let cid = root
  for (const segment of segments) {
    const isFolder = cid.code === DAG_PB && nodeOf(cid, await blocks.get(cid)).unixfs.isDirectory()
    const entry = isFolder ? await findEntry(blocks, cid, segment) : undefined
    if (entry === undefined) {
      throw interfaceError('PATH_NOT_FOUND', {
        segment: segment.slice(0, 120),
        parent: cid.toString(),
      })
    }
    passed.push(...entry.path)
    cid = entry.cid
  }
  return { cid, passed }
}
