/**
 * The tree over a file's leaves: balanced UnixFS, profile `unixfs-v1-2025`
 * (https://github.com/ipfs/specs, IPIP-499: CIDv1, raw leaves of 1 MiB, at most 1,024 links per node), so that
 * the root is the CID that Kubo and Helia give the same bytes. It holds the links of one node per level.
 */
import { encode as encodeNode, prepare } from '@ipld/dag-pb'
import { UnixFS } from 'ipfs-unixfs'
import type { CID } from 'multiformats/cid'
import { MIB } from '../../common/limits.ts'

/** Bytes of a leaf. */
export const LEAF_BYTES: number = MIB
/** Links of a node at most. */
const NODE_LINKS = 1024

/** A finished part of the tree. */
export interface Part {
  readonly cid: CID
  /** Bytes of the file under it. */
  readonly size: number
  /** Bytes of its blocks. A block that occurs twice counts twice. */
  readonly storedSize: number
}

export interface DagBuilder {
  /** Adds the next leaf. */
  add(leaf: Part): Promise<void>
  /** The root: the leaf itself when there is one alone. At least one leaf must have been added. */
  finish(): Promise<Part>
}

/**
 * @param store - stores a dag-pb node and gives its CID
 * @param nodeLinks - links of a node; another number than the profile's only in tests
 */
export function createDagBuilder(
  store: (node: Uint8Array) => Promise<CID>,
  nodeLinks: number = NODE_LINKS,
): DagBuilder {
  /** Unfinished nodes from the leaves up: the parts that each will link to. */
  const levels: Part[][] = []

  const seal = async (level: number): Promise<void> => {
    const parts = levels[level] ?? []
    levels[level] = []
    await push(level + 1, await makeNode(parts, store))
  }
  const push = async (level: number, part: Part): Promise<void> => {
    const parts = levels[level] ?? []
    levels[level] = parts
    parts.push(part)
    if (parts.length === nodeLinks) await seal(level)
  }
  return {
    add: (leaf) => push(0, leaf),
    finish: async () => {
      for (let level = 0; ; level += 1) {
        const parts = levels[level] ?? []
        const top = levels.slice(level + 1).every((above) => above.length === 0)
        const [root] = parts
        if (top && parts.length === 1 && root !== undefined) return root
        if (parts.length > 0) await seal(level)
      }
    },
  }
}

async function makeNode(
  parts: readonly Part[],
  store: (node: Uint8Array) => Promise<CID>,
): Promise<Part> {
  const unixfs = new UnixFS({ type: 'file', blockSizes: parts.map((part) => BigInt(part.size)) })
  const links = parts.map((part) => ({ Name: '', Tsize: part.storedSize, Hash: part.cid }))
  const node = encodeNode(prepare({ Data: unixfs.marshal(), Links: links }))
  const sum = (of: (part: Part) => number): number => parts.reduce((n, part) => n + of(part), 0)
  return {
    cid: await store(node),
    size: sum((part) => part.size),
    storedSize: node.length + sum((part) => part.storedSize),
  }
}
