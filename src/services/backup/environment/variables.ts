/** Reading the variables of one destination. */
import type { Clock } from '../../../common/clock.ts'
import { CairnError } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import type { Destination, DestinationKind } from '../destination.ts'
import type { CidKeeper } from '../destinations/cids.ts'
import type { IpfsContent } from '../destinations/pinning-service.ts'
import { backupError } from '../errors.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What opening a destination may need. */
export interface DestinationComponents {
  readonly clock: Clock
  readonly logger: Pick<Logger, 'warn'>
  /** Where CIDs are kept beside the pinning service: a file of the node. */
  readonly cidKeepers: readonly CidKeeper[]
  /** Whether an object is one from which a restore can begin. */
  readonly isRestorePoint: (name: string) => boolean
  /** Gives content to a pinning service; undefined: this program cannot, and uploads only. */
  readonly content?: () => Promise<IpfsContent>
}

/** A destination that is configured, as `from-environment` gives it. */
export interface Plan {
  readonly kind: DestinationKind
  readonly name: string
  open(components: DestinationComponents): Promise<Destination>
}

/** The variables of one destination, by name. */
export interface Variables {
  /** The value without spaces around it. @throws DESTINATION_VARIABLE when it is missing or empty */
  need(variable: string): string
  may(variable: string): string | undefined
  /** @throws DESTINATION_SETTING */
  refuse(variable: string, why: string): never
}

/**
 * The plan that `read` makes of the variables, the error that says why there is none, or nothing when none of
 * `triggers` is set.
 *
 * @param destination - what it is called in errors
 */
export function planOf<Found = Plan>(
  environment: Environment,
  destination: string,
  triggers: readonly string[],
  read: (variables: Variables) => Found,
): Found | CairnError | undefined {
  const may = (variable: string): string | undefined => environment[variable]?.trim() || undefined
  if (triggers.every((variable) => may(variable) === undefined)) return undefined
  try {
    return read({
      may,
      need: (variable) => {
        const value = may(variable)
        if (value === undefined)
          throw backupError('DESTINATION_VARIABLE', { destination, variable })
        return value
      },
      refuse: (variable, why) => {
        throw backupError('DESTINATION_SETTING', { destination, variable, why })
      },
    })
  } catch (error) {
    if (error instanceof CairnError) return error
    throw error
  }
}
