/** Contents of files in backups: which destinations get them, by the configuration, and what is known of them here. */
import type { NetworkParams } from '../chain/params.ts'
import type { Clock } from '../common/clock.ts'
import type { Logger } from '../common/logger.ts'
import type { LocalContents } from '../services/backup/contents/bringing.ts'
import { createMarks } from '../services/backup/contents/marks.ts'
import type { ContentsHere } from '../services/backup/contents/of-node.ts'
import { createWanted } from '../services/backup/contents/wanted.ts'
import type { Destination } from '../services/backup/destination.ts'
import type { ChainStore } from '../storage/chain-store.ts'

const ALL: ReadonlySet<string> = new Set(['all', 'true', 'yes', '1'])
const NONE: ReadonlySet<string> = new Set(['none', 'false', 'no', '0', ''])

type Place = Pick<Destination, 'kind' | 'name'>

/**
 * Whether an entry of `backup_contents` means a destination: by its kind, its name, the beginning of its name (`r2`), or
 * `all`. What is on IPFS is never taken back and for everybody to fetch, so it has to be named.
 */
function means(entry: string, { kind, name }: Place): boolean {
  if (ALL.has(entry)) return kind !== 'ipfs'
  return entry === kind || entry === name || name.startsWith(`${entry} `)
}

export interface ContentsChoice {
  has(destination: Place): boolean
  /** Entries that mean none of these. */
  strange(destinations: readonly Place[]): readonly string[]
}

export function contentsChoice(entries: readonly string[] = []): ContentsChoice {
  const some = entries.map((each) => each.trim()).filter((each) => !NONE.has(each))
  return {
    has: (destination) => some.some((entry) => means(entry, destination)),
    strange: (destinations) =>
      some.filter((entry) => !ALL.has(entry) && !destinations.some((each) => means(entry, each))),
  }
}

/** @param init - wanted: the entries of the configuration */
export function openContents(
  {
    contents,
    destinations,
    store,
    clock,
    logger,
  }: {
    readonly contents: LocalContents
    readonly destinations: readonly Place[]
    readonly store: ChainStore
    readonly clock: Clock
    readonly logger: Logger
  },
  {
    params,
    wanted,
  }: { readonly params: NetworkParams; readonly wanted?: readonly string[] | undefined },
): { readonly contents: ContentsHere; readonly hasContents: ContentsChoice['has'] } {
  const choice = contentsChoice(wanted)
  for (const entry of choice.strange(destinations)) {
    logger.error('No backup destination is called so: it gets no contents of files', { entry })
  }
  const known = createWanted({ store, pins: contents.pins, clock })
  return {
    contents: { ...contents, markOf: createMarks(params), wanted: known },
    hasContents: choice.has,
  }
}
