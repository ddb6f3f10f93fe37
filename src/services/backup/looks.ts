/**
 * A look at all destinations at once. Where that is safe, it ends soon after one has answered with what can be
 * restored: what the others hold is taken in when they answer (late.ts).
 */
import type { Clock } from '../../common/clock.ts'
import { type Catalog, type CatalogEntry, type Problem, problemOf, readCatalog } from './catalog.ts'
import type { Destination } from './destination.ts'

/** How ids of networks begin: what else stands there, contents of files for instance, is not listed. */
export const NETWORKS = 'b'

/** Milliseconds for the others, once there is something to restore: a service far away has answered by then. */
export const GRACE_MS = 3_000

/** When a look need not wait for all. */
export interface Patience {
  readonly clock: Pick<Clock, 'after'>
  readonly graceMs?: number
}

export interface Looks {
  readonly backups: readonly CatalogEntry[]
  readonly problems: readonly Problem[]
  /** Those that did not answer, or not in time. */
  readonly unseen: readonly Destination[]
}

/**
 * @param patience - undefined: all are waited for, each as long as its calls take
 * @param isEnough - whether what was found so far may be restored before the others have answered
 * @throws the signal's reason
 */
export async function lookAtAll(
  destinations: readonly Destination[],
  {
    patience,
    isEnough,
    signal,
  }: {
    readonly patience: Patience | undefined
    readonly isEnough: (found: readonly CatalogEntry[]) => boolean
    readonly signal: AbortSignal
  },
): Promise<Looks> {
  const catalogs = new Map<Destination, Catalog>()
  const failures: Problem[] = []
  const backupsOf = (): CatalogEntry[] =>
    // In their order, whoever answered first: it breaks ties.
    destinations.flatMap((each) => catalogs.get(each)?.backups ?? [])
  const unseen = new Set(destinations)
  const enough = Promise.withResolvers<void>()
  const late = new AbortController()
  const looking = AbortSignal.any([signal, late.signal])
  let cancel: (() => void) | undefined

  const take = (destination: Destination, catalog: Catalog): void => {
    unseen.delete(destination)
    catalogs.set(destination, catalog)
    if (patience === undefined) return
    // What another one says may be a reason to wait after all.
    if (!isEnough(backupsOf())) {
      cancel?.()
      cancel = undefined
    } else {
      cancel ??= patience.clock.after(patience.graceMs ?? GRACE_MS, enough.resolve)
    }
  }
  const looks = destinations.map(async (destination) => {
    try {
      const catalog = await readCatalog(destination, { prefix: NETWORKS, signal: looking })
      if (!late.signal.aborted) take(destination, catalog)
    } catch (error) {
      signal.throwIfAborted()
      if (!late.signal.aborted) failures.push(problemOf(destination, '', error))
    }
  })
  try {
    await Promise.race([Promise.all(looks), enough.promise])
  } finally {
    cancel?.()
    late.abort(new Error('the others were enough'))
    // Those that are left end by themselves, and nobody looks at what they bring.
    for (const look of looks) look.catch(() => {})
  }
  const problems = destinations.flatMap((each) => catalogs.get(each)?.problems ?? [])
  return { backups: backupsOf(), problems: [...problems, ...failures], unseen: [...unseen] }
}
