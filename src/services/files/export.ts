/**
 * UnixFS in, bytes out: any range of a file, in order, each block verified, a few blocks ahead of the reader and
 * no more, however slow the reader is. Reads every file layout of UnixFS, not only what import.ts makes.
 */
import { decode as decodeNode, type PBNode } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import { CID } from 'multiformats/cid'
import { DAG_PB, RAW } from '../../common/dag-cbor.ts'
import type { GetBlock } from './blocks.ts'
import { fileError } from './errors.ts'

/** Leaves that are read ahead of the reader: 1 MiB each. */
const READ_AHEAD = 4
/** Levels of nodes: 1,024 links each reach any size in 6. */
const MAX_DEPTH = 32

export interface ReadRange {
  /** Bytes of the whole file, as its record says; another size is an error. */
  readonly size: number
  /** First byte, default 0. */
  readonly offset?: number
  /** Bytes, default to the end; more than there are is cut off. */
  readonly length?: number
}

/** A piece of the file: of a leaf, or of the data inside a node. */
type Piece = () => Promise<Uint8Array>

interface Walk {
  readonly root: string
  readonly getBlock: GetBlock
  readonly signal: AbortSignal
  /** The range in bytes of the file, end exclusive. */
  readonly from: number
  readonly to: number
}

/**
 * @throws CONTENT_MISSING, CONTENT_DAMAGED; CONTENT_MALFORMED: the DAG is no file of this size;
 *   RANGE_OUTSIDE; the signal's reason
 */
export async function* readContent(
  getBlock: GetBlock,
  root: string,
  { size, offset = 0, length = size }: ReadRange,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (offset > size) throw fileError('RANGE_OUTSIDE', { offset, size })
  const walk = { root, getBlock, signal, from: offset, to: Math.min(size, offset + length) }
  const ahead: Promise<Uint8Array>[] = []
  for await (const piece of piecesOf(walk, CID.parse(root), 0, size, 0)) {
    const loading = piece()
    // Awaited in its turn; until then its failure is nobody's.
    loading.catch(() => {})
    ahead.push(loading)
    const first = ahead.length >= READ_AHEAD ? ahead.shift() : undefined
    if (first !== undefined) yield await first
  }
  for (const loading of ahead) yield await loading
}

/**
 * Bytes of the file under `root`, as its root node says.
 *
 * @throws as `readContent`
 */
export async function contentSize(
  getBlock: GetBlock,
  root: string,
  signal: AbortSignal,
): Promise<number> {
  const cid = CID.parse(root)
  const bytes = await getBlock(cid, signal)
  if (cid.code === RAW) return bytes.length
  const { data, links } = readNode({ root }, bytes)
  return sizeOf(data, links)
}

/** The pieces of the subtree at `cid`, which holds the file's bytes from `start` to `start + size`. */
async function* piecesOf(
  walk: Walk,
  cid: CID,
  start: number,
  size: number,
  depth: number,
): AsyncGenerator<Piece> {
  walk.signal.throwIfAborted()
  if (depth > MAX_DEPTH) throw malformed(walk, 'it is too deep')
  if (cid.code === RAW) {
    yield async () => {
      const bytes = await walk.getBlock(cid, walk.signal)
      if (bytes.length !== size) throw malformed(walk, 'a leaf has another size')
      return cut(walk, bytes, start)
    }
    return
  }
  if (cid.code !== DAG_PB) throw malformed(walk, 'a part is neither dag-pb nor raw')
  const { data, links } = readNode(walk, await walk.getBlock(cid, walk.signal))
  if (sizeOf(data, links) !== size) throw malformed(walk, 'a node has another size')
  if (overlaps(walk, start, data.length)) yield async () => cut(walk, data, start)
  let position = start + data.length
  for (const link of links) {
    if (overlaps(walk, position, link.size)) {
      yield* piecesOf(walk, link.cid, position, link.size, depth + 1)
    }
    position += link.size
    if (position >= walk.to) return
  }
}

interface Node {
  readonly data: Uint8Array
  readonly links: readonly { readonly cid: CID; readonly size: number }[]
}

function readNode(walk: Pick<Walk, 'root'>, bytes: Uint8Array): Node {
  let node: PBNode
  let unixfs: UnixFS
  try {
    node = decodeNode(bytes)
    unixfs = UnixFS.unmarshal(node.Data ?? new Uint8Array())
  } catch (error) {
    throw malformed(walk, 'a node is not UnixFS', error)
  }
  if (unixfs.type !== 'file' && unixfs.type !== 'raw') throw malformed(walk, 'it is not a file')
  if (unixfs.blockSizes.length !== node.Links.length) {
    throw malformed(walk, 'a node has not as many sizes as links')
  }
  const links = node.Links.map((link, index) => ({
    cid: link.Hash,
    size: Number(unixfs.blockSizes[index] ?? 0n),
  }))
  return { data: unixfs.data ?? new Uint8Array(), links }
}

function sizeOf(data: Uint8Array, links: Node['links']): number {
  return links.reduce((sum, link) => sum + link.size, data.length)
}

function overlaps(walk: Walk, start: number, size: number): boolean {
  return size > 0 && start < walk.to && start + size > walk.from
}

function cut(walk: Walk, bytes: Uint8Array, start: number): Uint8Array {
  return bytes.subarray(Math.max(0, walk.from - start), Math.max(0, walk.to - start))
}

function malformed(walk: Pick<Walk, 'root'>, reason: string, cause?: unknown): Error {
  return fileError('CONTENT_MALFORMED', { root: walk.root, reason }, cause)
}
