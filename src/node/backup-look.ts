/** What `doctor` says of the destinations of a configuration where no node runs. */
import type { Clock } from '../common/clock.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { type Catalog, readCatalog } from '../services/backup/catalog.ts'
import { boundedCalls } from '../services/backup/destination-calls.ts'
import { NETWORKS } from '../services/backup/looks.ts'
import { manifestTime } from '../services/backup/manifest.ts'
import { clockCheck, REMEDIES } from './backup-checks.ts'
import { openDestinations } from './backup-destinations.ts'
import { openingOf } from './backup-look-opening.ts'
import type { Check } from './check.ts'
import { isOfNoNetwork } from './network-choice.ts'
import type { BackupOptions } from './options.ts'

/** Milliseconds for a look at each. */
const LOOK_MS = 10_000

/**
 * Asks all destinations what is there, and whether what is given opens it; never throws but the signal's reason.
 *
 * @param options - `dataDir`: one of no network is made from the backups by the next start; `canAsk`: that asks for the
 *   passphrase where none is given
 */
export async function lookAtBackups(
  components: { readonly clock: Clock; readonly logger: Logger },
  options: Pick<BackupOptions, 'plans' | 'faults' | 'given'> & {
    readonly dataDir: string
    readonly canAsk: boolean
  },
  signal: AbortSignal,
): Promise<Check[]> {
  const { clock } = components
  const opened = await openDestinations(components, options, undefined)
  const destinations = opened.destinations.map((each) => boundedCalls(each, clock, LOOK_MS))
  const failed = (name: string, error: unknown): Check => ({
    name,
    result: 'failed',
    says: messageOf(error),
    remedy: REMEDIES[codeOf(error)] ?? null,
  })
  const nameOf = (destination: string): string => `backups at ${destination}`
  try {
    const looks = await Promise.all(
      destinations.map(async (destination) => {
        try {
          const how = { prefix: NETWORKS, newest: 1, signal }
          return { destination, catalog: await readCatalog(destination, how) }
        } catch (error) {
          signal.throwIfAborted()
          return { destination, error }
        }
      }),
    )
    const seen = looks.flatMap(({ destination, catalog }) =>
      catalog === undefined || catalog.names.length === 0 ? [] : [{ destination, catalog }],
    )
    const isFirst = isOfNoNetwork(options.dataDir)
    const opening = await openingOf(seen, { ...options, isFirst }, signal)
    const checks = looks.flatMap(({ destination, catalog, error }): Check[] => {
      const name = nameOf(destination.name)
      if (catalog === undefined) return [failed(name, error)]
      const newest = newestOf(catalog)
      const clocks = clockCheck(destination.name, newest, clock.now()) ?? []
      const there =
        newest === 0
          ? 'none yet'
          : `${catalog.names.length}, the newest of ${new Date(newest).toISOString()}`
      const { result, says, remedy } = opening(destination.name)
      const text = says === '' ? there : `${there}; ${says}`
      return [{ name, result, says: text, remedy }, clocks].flat()
    })
    return [...opened.faults.map((fault) => failed('backups', fault)), ...checks]
  } finally {
    await opened.close()
  }
}

const newestOf = ({ names }: Catalog): number =>
  names.reduce((most, name) => Math.max(most, manifestTime(name)), 0)
