/** What `doctor` says of the destinations of a configuration where no node runs. */
import type { Clock } from '../common/clock.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import type { Destination } from '../services/backup/destination.ts'
import { boundedCalls } from '../services/backup/destination-calls.ts'
import { manifestNumber, manifestTime } from '../services/backup/manifest.ts'
import { clockCheck, REMEDIES } from './backup-checks.ts'
import { openDestinations } from './backup-destinations.ts'
import type { Check } from './check.ts'
import type { BackupOptions } from './options.ts'

/** Milliseconds for a look at each. */
const LOOK_MS = 10_000

/** Asks all destinations what is there; never throws but the signal's reason. */
export async function lookAtBackups(
  components: { readonly clock: Clock; readonly logger: Logger },
  options: Pick<BackupOptions, 'plans' | 'faults'>,
  signal: AbortSignal,
): Promise<Check[]> {
  const { clock } = components
  const opened = await openDestinations(components, options, undefined)
  const failed = (name: string, code: string, message: string): Check[] => [
    { name, result: 'failed', says: message, remedy: REMEDIES[code] ?? null },
  ]
  const look = async (given: Destination): Promise<Check[]> => {
    const name = `backups at ${given.name}`
    try {
      const objects = await boundedCalls(given, clock, LOOK_MS).list('', signal)
      const times = objects
        .filter((object) => manifestNumber(object.name) !== undefined)
        .map((object) => manifestTime(object.name))
      const newest = times.reduce((most, time) => Math.max(most, time), 0)
      const says =
        newest === 0
          ? 'none yet'
          : `${times.length}, the newest of ${new Date(newest).toISOString()}`
      const found = clockCheck(given.name, newest, clock.now())
      return [{ name, result: 'ok', says, remedy: null }, ...(found === undefined ? [] : [found])]
    } catch (error) {
      signal.throwIfAborted()
      return failed(name, codeOf(error), messageOf(error))
    }
  }
  try {
    const faults = opened.faults.flatMap(({ code, message }) => failed('backups', code, message))
    return [...faults, ...(await Promise.all(opened.destinations.map(look))).flat()]
  } finally {
    await opened.close()
  }
}
