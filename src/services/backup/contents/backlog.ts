/**
 * Which files are shipped next: new ones first, then the smallest, so that most files are safe soonest. A file that is
 * under way waits while new ones go.
 */
import type { ContentId } from '../../../chain/ids.ts'
import type { Root } from './wanted.ts'

/** Files that are remembered; what does not fit is found by a later look. */
const MAX_BACKLOG = 100_000

export interface Backlog {
  /** Files and bytes that wait. */
  readonly waiting: { readonly files: number; readonly bytes: number }
  /** Whether something did not fit. */
  readonly overflown: boolean
  has(root: ContentId): boolean
  /** A file that just came. */
  addFirst(root: Root): void
  /** What a look has found, instead of what the one before did; files of about one size go by their rank. */
  set(roots: readonly Root[], rank: (root: ContentId) => number): void
  /** Whether a file came after the one that is taken now. */
  readonly hasNew: boolean
  take(): Root | undefined
}

export function createBacklog(): Backlog {
  const fresh = new Map<ContentId, Root>()
  /** The smallest last. */
  let found: Root[] = []
  let bytes = 0
  let overflown = false

  return {
    get waiting() {
      const new_ = [...fresh.values()]
      return {
        files: new_.length + found.length,
        bytes: new_.reduce((sum, { size }) => sum + size, bytes),
      }
    },
    get overflown() {
      return overflown
    },
    get hasNew() {
      return fresh.size > 0
    },
    has: (root) => fresh.has(root),
    addFirst: (root) => {
      if (fresh.size < MAX_BACKLOG) fresh.set(root.root, root)
      else overflown = true
    },
    set: (roots, rank) => {
      overflown = roots.length > MAX_BACKLOG
      const order = roots.map((each) => ({ each, size: sizeOf(each), rank: rank(each.root) }))
      found = order
        .sort((a, b) => a.size - b.size || a.rank - b.rank)
        .slice(0, MAX_BACKLOG)
        .map(({ each }) => each)
        .reverse()
      bytes = found.reduce((sum, { size }) => sum + size, 0)
    },
    take: () => {
      const [first] = fresh.values()
      if (first !== undefined) {
        fresh.delete(first.root)
        return first
      }
      const next = found.pop()
      bytes -= next?.size ?? 0
      return next
    },
  }
}

/** Doublings. */
function sizeOf({ size }: Root): number {
  return Math.floor(Math.log2(size + 1))
}
