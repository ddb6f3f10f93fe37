/**
 * Which pinned roots have a block that was found damaged and is not repaired. A pin says what was true when it was
 * made; this says what is known of it since.
 */
import { CID } from 'multiformats/cid'
import type { ContentId } from '../chain/ids.ts'
import { toHex } from '../common/bytes.ts'
import type { ContentBlockstore } from './blockstore.ts'
import { dagBlocks, type ReadNode } from './pins-walk.ts'

/** Pinned roots that are looked at between two turns of the event loop. */
const ROOTS_AT_ONCE = 256

export interface DamagedRoots {
  /**
   * Whether something of `root` is damaged. Which roots have a block is looked up when it is first asked for, in the
   * background: until then only damage of a root's own block is known.
   */
  has(root: ContentId): boolean
}

export interface DamagedRootsComponents {
  readonly store: Pick<ContentBlockstore, 'damagedBlocks'>
  readonly read: ReadNode
  readonly pinned: (limit: number, after?: ContentId) => readonly { readonly root: ContentId }[]
}

const nameOf = (cid: CID): string => toHex(cid.multihash.digest)

export function createDamagedRoots(components: DamagedRootsComponents): DamagedRoots {
  const { store, read, pinned } = components
  /** Blocks of each root that were damaged when it was looked at. */
  const known = new Map<ContentId, string[]>()
  let lookedFor = new Set<string>()
  let looking = false
  let now: Set<string> | undefined

  const damaged = (): Set<string> => {
    if (now !== undefined) return now
    now = new Set(store.damagedBlocks().map(nameOf))
    // A page of a list asks a thousand times in one turn.
    setImmediate(() => {
      now = undefined
    })
    return now
  }
  const look = async (names: ReadonlySet<string>): Promise<void> => {
    const found = new Map<ContentId, string[]>()
    let page = pinned(ROOTS_AT_ONCE)
    for (let last = page.at(-1); last !== undefined; last = page.at(-1)) {
      for (const { root } of page) {
        const blocks: string[] = []
        for await (const { cid } of dagBlocks(root, read)) {
          if (names.has(nameOf(cid))) blocks.push(nameOf(cid))
        }
        if (blocks.length > 0) found.set(root, blocks)
      }
      page = pinned(ROOTS_AT_ONCE, last.root)
    }
    known.clear()
    for (const [root, blocks] of found) known.set(root, blocks)
    lookedFor = new Set(names)
  }

  return {
    has: (root) => {
      const names = damaged()
      if (names.size === 0) return false
      if (!looking && [...names].some((name) => !lookedFor.has(name))) {
        looking = true
        look(names)
          // A disk that cannot be read is told of by whoever needs it; the next question looks again.
          .catch(() => {})
          .finally(() => {
            looking = false
          })
      }
      const own = nameOf(CID.parse(root))
      return names.has(own) || (known.get(root)?.some((name) => names.has(name)) ?? false)
    },
  }
}
