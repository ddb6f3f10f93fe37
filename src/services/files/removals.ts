/** Which content files want, as the chain says: a removal counts when it is deep enough. */
import type { ContentId, FileId, VersionId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'

/** Blocks above a removal before the bytes may go: what a reorg without an alarm can still undo. */
export const REMOVAL_BLOCKS = 100
/** Milliseconds since a removal before the bytes may go: a week for a second thought, or for a device on a journey. */
export const REMOVAL_MS: number = 7 * 24 * 3600 * 1000

/** Where a removal stands on the best chain. */
export interface Removal {
  readonly height: number
  /** Time of its block, milliseconds UTC. */
  readonly time: number
}

/** Whether the bytes of a version that was removed so may be freed. */
export function isRemovalDeep(
  removal: Removal,
  now: { readonly height: number; readonly time: number },
): boolean {
  const blocks = now.height - removal.height
  return blocks >= REMOVAL_BLOCKS && now.time - removal.time >= REMOVAL_MS
}

export interface Removals {
  /** Whether a version of the file that is not removed has this content. */
  wants(root: ContentId, file: FileId): boolean
  /** The contents of its versions that are not removed. */
  wantedOf(file: FileId): readonly ContentId[]
  /** The contents of its versions that are removed, with the height of the last removal. */
  goneOf(file: FileId): { readonly roots: readonly ContentId[]; readonly height: number }
}

export function createRemovals({
  store,
  clock,
}: {
  readonly store: Pick<ChainStore, 'projections' | 'tip' | 'block'>
  readonly clock: Pick<Clock, 'now'>
}): Removals {
  const { projections } = store

  const placeOf = ({ place }: StoredRecord) =>
    place === undefined ? undefined : store.block(place.block)
  const isDeep = (removal: StoredRecord): boolean => {
    const block = placeOf(removal)
    if (block === undefined || removal.outcome !== 'applied') return false
    return isRemovalDeep(
      { height: block.height, time: block.header.time },
      { height: store.tip().height, time: clock.now() },
    )
  }
  const removalsOf = (file: FileId): StoredRecord[] =>
    projections
      .recordsOf(file)
      .filter(({ record, outcome }) => record.type === 'file.remove' && outcome !== 'rejected')
  /** Versions of which removals say so, deep enough; `all`: the last current version went that way. */
  const versionsGone = (file: FileId): ReadonlySet<VersionId> | 'all' => {
    const live = removalsOf(file)
    if (projections.file(file)?.removed === true && live.length > 0 && live.every(isDeep))
      return 'all'
    return new Set(
      live
        .filter(isDeep)
        .flatMap(({ record }) => (record.type === 'file.remove' ? record.body.parents : [])),
    )
  }
  const rootsOf = (file: FileId, wanted: boolean): ContentId[] => {
    const gone = versionsGone(file)
    return projections.versionsOf(file).flatMap(({ version, record, outcome }) => {
      if (!('root' in record.body) || outcome === 'rejected') return []
      const isWanted = gone !== 'all' && !gone.has(version)
      return isWanted === wanted ? [record.body.root] : []
    })
  }
  return {
    wants: (root, file) => rootsOf(file, true).includes(root),
    wantedOf: (file) => rootsOf(file, true),
    goneOf: (file) => {
      const heights = removalsOf(file)
        .filter(isDeep)
        .map((each) => placeOf(each)?.height ?? 0)
      return { roots: rootsOf(file, false), height: Math.max(0, ...heights) }
    },
  }
}
