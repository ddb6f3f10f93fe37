/**
 * The order in which the blocks of a UnixFS tree are asked for: depth-first, so that the first bytes of a file
 * come first, but going on past a node whose links are not known yet, so that there is always something to
 * ask. Pure.
 */
import { decode } from '@ipld/dag-pb'
import type { CID } from 'multiformats/cid'
import { DAG_PB, RAW } from '../../common/dag-cbor.ts'
import { KIB, MAX_CONTENT_BLOCK_BYTES } from '../../common/limits.ts'

/** Levels of a tree. 1,024 links a node reach an exabyte in six. */
export const MAX_DEPTH = 32
/** Inner nodes that are waited for at a time: each may bring a thousand links. */
const MAX_INNER_OPEN = 4
/** Bytes that an inner node is taken for: a thousand links of some 50 bytes. */
const GUESSED_INNER_BYTES: number = 64 * KIB

export interface WalkNode {
  readonly cid: CID
  /** The place in the tree; compared item by item it gives the order of the bytes. */
  readonly path: readonly number[]
  /** Bytes that the block probably has. */
  readonly expected: number
  readonly inner: boolean
}

export interface Walk {
  /** The next node; undefined when none can be named now. */
  next(): WalkNode | undefined
  /** An inner node is here: its links are next. Returns the size of all below it, as they say. */
  expand(node: WalkNode, block: Uint8Array): number
  /** A node, and what its expansion adds, needs nothing more. */
  finish(node: WalkNode): void
  /** Whether every node was named and finished. */
  readonly done: boolean
}

interface Branch {
  readonly path: readonly number[]
  readonly links: readonly { Hash: CID; Tsize?: number }[]
  next: number
}

/** Whether the tree below a CID can be walked: a leaf or a node of UnixFS. */
export function isWalkable(cid: CID): boolean {
  return cid.code === RAW || cid.code === DAG_PB
}

/** Compares two places of the tree by the order of the bytes. */
export function comparePaths(a: readonly number[], b: readonly number[]): number {
  for (let index = 0; index < Math.min(a.length, b.length); index += 1) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** @param expected - bytes of the root block, when known */
export function createWalk(root: CID, expected?: number): Walk {
  const branches: Branch[] = [
    {
      path: [],
      links: [{ Hash: root, ...(expected === undefined ? {} : { Tsize: expected }) }],
      next: 0,
    },
  ]
  let innerOpen = 0
  let open = 0

  const first = (): Branch | undefined => {
    let best: Branch | undefined
    for (const branch of branches) {
      if (best === undefined || comparePaths(place(branch), place(best)) < 0) best = branch
    }
    return best
  }

  return {
    get done() {
      return open === 0 && branches.length === 0
    },
    next: () => {
      const branch = first()
      const link = branch?.links[branch.next]
      if (branch === undefined || link === undefined) return undefined
      const inner = link.Hash.code !== RAW
      if (inner && innerOpen >= MAX_INNER_OPEN) return undefined
      const path = place(branch)
      branch.next += 1
      if (branch.next === branch.links.length) branches.splice(branches.indexOf(branch), 1)
      open += 1
      if (inner) innerOpen += 1
      return { cid: link.Hash, path, inner, expected: expectedBytes(inner, link.Tsize) }
    },
    expand: (node, block) => {
      const { Links: links } = decode(block)
      if (links.length > 0) branches.push({ path: node.path, links, next: 0 })
      return links.reduce((sum, { Tsize }) => sum + (Tsize ?? 0), 0)
    },
    finish: (node) => {
      open -= 1
      if (node.inner) innerOpen -= 1
    },
  }
}

function place(branch: Branch): readonly number[] {
  return [...branch.path, branch.next]
}

function expectedBytes(inner: boolean, said: number | undefined): number {
  if (inner || said === undefined || said < 1) return GUESSED_INNER_BYTES
  return Math.min(said, MAX_CONTENT_BLOCK_BYTES)
}
