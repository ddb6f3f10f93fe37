/**
 * Which destinations the environment names, without any configuration: the variables that hosts and services give.
 * A destination's code and its client library are loaded when it is opened.
 */
import { CairnError } from '../../common/errors.ts'
import type { Destination, DestinationKind } from './destination.ts'
import { cidFrom } from './environment/cid.ts'
import { gcsFrom, r2From, s3From } from './environment/object-storage.ts'
import { pinataFrom, pinningServiceFrom, renderFrom } from './environment/pinning.ts'
import { folderFrom, postgresFrom } from './environment/simple.ts'
import type { DestinationComponents, Environment } from './environment/variables.ts'

/** A destination that is configured. */
export interface DestinationPlan {
  readonly kind: DestinationKind
  /** For people and logs; no secret. */
  readonly name: string
  /**
   * @throws DESTINATION_SETTING when what a variable names cannot be used
   */
  open(components: DestinationComponents): Promise<Destination>
}

export interface EnvironmentDestinations {
  /** In the order in which they break ties: PostgreSQL, IPFS, object storage, folder. */
  readonly plans: readonly DestinationPlan[]
  /** What can be read only, by a restore: the backup that `CAIRN_BACKUP_CID` names. */
  readonly sources: readonly DestinationPlan[]
  /** One for each that is configured by half or not usable: DESTINATION_VARIABLE, DESTINATION_SETTING. */
  readonly faults: readonly CairnError[]
}

const READERS = [
  postgresFrom,
  pinataFrom,
  pinningServiceFrom,
  r2From,
  s3From,
  gcsFrom,
  folderFrom,
] as const

/** What is configured, and what is wrong with the rest: one that is wrong does not keep the others from working. */
export function destinationsFrom(environment: Environment): EnvironmentDestinations {
  const plans: DestinationPlan[] = []
  const faults: CairnError[] = []
  for (const read of READERS) {
    const found = read(environment)
    if (found === undefined) continue
    if (found instanceof CairnError) faults.push(found)
    else plans.push(found)
  }
  const host = renderFrom(environment)
  if (host instanceof CairnError) faults.push(host)
  const source = cidFrom(environment)
  if (source instanceof CairnError) faults.push(source)
  const sources = source === undefined || source instanceof CairnError ? [] : [source]
  return { plans, sources, faults }
}
