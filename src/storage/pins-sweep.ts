/**
 * Collects content that nothing wants: marks from the pinned and leased roots, then deletes the rest.
 *
 * Safe beside adds and fetches, and after kill -9 at any moment:
 * 1. A block that was put (or found by a put) within the last hour, or since the oldest add that still runs, stays.
 *    Without the hour, as after an add that filled the disk: a put that began before the sweep is under a lease.
 * 2. A root under a lease is marked like a pinned one, as far as it is here.
 * 3. While a node of a pinned root is missing or damaged, what is below it is not known: nothing is deleted.
 * 4. A deletion and a put of one block exclude each other in the store.
 * 5. Where the database was lost and made anew, it does not know yet what the older content is wanted for, and
 *    this device may hold the only copy: what is older than the database stays for a month.
 */
import type { ContentId } from '../chain/ids.ts'
import type { ContentBlockstore } from './blockstore.ts'
import { LEASE_KEPT_MS, type PinBook, readIfHere } from './pins.ts'
import { dagBlocks } from './pins-walk.ts'

/** A block younger than this stays, milliseconds: more than any part of the program needs between two steps. */
export const GRACE_MS = 3_600_000
/** Content that is older than the database stays so long, milliseconds: a month to meet the others again. */
export const UNKNOWN_KEPT_MS: number = 30 * 24 * 3600 * 1000
/** A file's time comes from a coarser clock than a lease's, milliseconds. */
const CLOCK_GRAIN_MS = 1000
/** Rows of pins read at a time. */
const PAGE = 1000

export interface SweepResult {
  /** Blocks and bytes that were deleted. */
  readonly blocks: number
  readonly bytes: number
  /** Pinned roots that lack a node; when there are any, nothing was deleted. */
  readonly incomplete: readonly ContentId[]
}

export interface SweepComponents {
  readonly pins: Pick<
    PinBook,
    'pinned' | 'leasedRoots' | 'oldestOpenLease' | 'since' | 'dropOldLeases' | 'alone'
  >
  readonly store: Pick<ContentBlockstore, 'bytes' | 'digests' | 'deleteIfUnusedSince'>
  /** Milliseconds UTC, of the same clock as the files' times. */
  readonly now: () => number
  /** Milliseconds that a young block stays; GRACE_MS unless told otherwise. */
  readonly graceMs?: number
}

/** Memory: some 50 bytes for each block that is wanted. @throws disk errors; the signal's reason */
export function sweep(components: SweepComponents, signal: AbortSignal): Promise<SweepResult> {
  return components.pins.alone(() => run(components, signal))
}

async function run(
  { pins, store, now, graceMs = GRACE_MS }: SweepComponents,
  signal: AbortSignal,
): Promise<SweepResult> {
  // Before marking: what is put from here on is younger.
  const before = Math.min(now() - graceMs, (pins.oldestOpenLease() ?? Infinity) - CLOCK_GRAIN_MS)
  const since = pins.since()
  const from = now() - since > UNKNOWN_KEPT_MS ? 0 : since - CLOCK_GRAIN_MS
  pins.dropOldLeases(now() - LEASE_KEPT_MS)

  const wanted = new Set<number>()
  const read = readIfHere(store)
  const mark = async (root: ContentId): Promise<boolean> => {
    let complete = true
    for await (const { cid, missing } of dagBlocks(root, read)) {
      signal.throwIfAborted()
      wanted.add(shortened(cid.multihash.digest))
      if (missing) complete = false
    }
    return complete
  }
  const incomplete: ContentId[] = []
  let page = pins.pinned(PAGE)
  while (page.length > 0) {
    for (const { root } of page) if (!(await mark(root))) incomplete.push(root)
    page = pins.pinned(PAGE, page.at(-1)?.root)
  }
  for (const root of pins.leasedRoots()) await mark(root)
  if (incomplete.length > 0) return { blocks: 0, bytes: 0, incomplete }

  let blocks = 0
  let bytes = 0
  for await (const digest of store.digests()) {
    signal.throwIfAborted()
    if (wanted.has(shortened(digest))) continue
    const freed = await store.deleteIfUnusedSince(digest, before, from)
    if (freed > 0) blocks += 1
    bytes += freed
  }
  return { blocks, bytes, incomplete }
}

/** 48 bits of a digest. Two blocks that share them only make one of them stay without need. */
function shortened(digest: Uint8Array): number {
  const view = new DataView(digest.buffer, digest.byteOffset, digest.byteLength)
  return view.getUint32(0) * 0x1_0000 + view.getUint16(4)
}
