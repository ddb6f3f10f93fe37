/**
 * What can be restored: the manifests of all destinations, judged.
 *
 * A manifest counts when it was written for the key that is here, and when the key itself vouches for its network and
 * user (person.ts). Who can merely write to a destination can add blocks and records that the rules of the chain
 * judge anyway, and can keep backups away; it cannot make up a network.
 */
import type { NetworkId, UserId } from '../../chain/ids.ts'
import { networkIdOf } from '../../chain/params.ts'
import { codeOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import {
  type CatalogEntry,
  lastFirst,
  newestFirst,
  type Problem,
  problemOf,
  readCatalog,
} from './catalog.ts'
import type { Destination, DestinationKind } from './destination.ts'
import { backupError } from './errors.ts'
import type { BackupKey } from './keys.ts'
import { folderOf } from './manifest.ts'
import { openPerson, type Person } from './person.ts'
import { openSlot } from './slots.ts'

/** Objects that say who the user is, of one user, that are tried. */
const MAX_PERSONS = 32

/** What opens the backups: the key, or the passphrase of a slot. */
export interface Opener {
  readonly key?: BackupKey | undefined
  readonly passphrase?: string | undefined
}

export interface Found {
  readonly network: NetworkId
  readonly user: UserId
  readonly person: Person
  readonly key: BackupKey
  /** The best first. */
  readonly backups: readonly CatalogEntry[]
  readonly problems: readonly Problem[]
}

/** Equal work is decided by it: what is fastest to read first. */
const ORDER: Readonly<Record<DestinationKind, number>> = {
  postgres: 0,
  ipfs: 1,
  s3: 2,
  gcs: 2,
  folder: 3,
}

/** Most work, then the configured order, then the newest. */
export function bestFirst(a: CatalogEntry, b: CatalogEntry): number {
  if (a.manifest.work !== b.manifest.work) return newestFirst(a, b)
  return ORDER[a.destination.kind] - ORDER[b.destination.kind] || newestFirst(a, b)
}

/**
 * Looks at all destinations.
 *
 * @param network - the only one that counts; undefined: the one with most work
 * @returns undefined: all destinations answered, and none has a backup
 * @throws BACKUP_UNREACHABLE: none was found, and some destination did not answer; BACKUP_KEY_MISSING;
 *   BACKUP_UNREADABLE: there are some, and none is of use
 */
export async function findBackups(
  components: { readonly destinations: readonly Destination[]; readonly logger: Logger },
  init: { readonly opener: Opener; readonly network?: NetworkId | undefined },
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { destinations } = components
  const logger = components.logger.child('backup')
  const problems: Problem[] = []
  const silent: string[] = []
  const catalogs = await Promise.all(
    destinations.map(async (destination) => {
      try {
        return await readCatalog(destination, { prefix: '', signal })
      } catch (error) {
        signal.throwIfAborted()
        problems.push(problemOf(destination, '', error))
        silent.push(destination.name)
        return { names: [], backups: [], problems: [] }
      }
    }),
  )
  const all = catalogs.flatMap(({ backups }) => backups)
  problems.push(...catalogs.flatMap((catalog) => catalog.problems))
  if (all.length === 0 && problems.length === 0) return undefined
  if (all.length === 0 && silent.length > 0) {
    throw backupError('BACKUP_UNREACHABLE', { destinations: silent.join(', ') })
  }
  const key =
    all.length === 0 ? undefined : await keyOf(destinations, init.opener, problems, signal)
  const usable = all.filter((entry) => {
    const { manifest, destination } = entry
    const name = manifest.object
    let wrong: unknown
    if (init.network !== undefined && manifest.network !== init.network) {
      wrong = backupError('BACKUP_OTHER_NETWORK', { name, network: manifest.network })
    } else if (manifest.recipient !== key?.recipient)
      wrong = backupError('BACKUP_KEY_OTHER', { name })
    if (wrong !== undefined) problems.push(problemOf(destination, name, wrong))
    return wrong === undefined
  })
  for (const { destination, object, code, message } of problems) {
    logger.warn('A backup cannot be used', { destination, object, code, why: message })
  }
  if (key !== undefined) {
    for (const group of groupsOf(usable)) {
      const found = await judged(group, key, problems, signal)
      if (found !== undefined) return found
    }
  }
  if (silent.length > 0)
    throw backupError('BACKUP_UNREACHABLE', { destinations: silent.join(', ') })
  throw backupError('BACKUP_UNREADABLE', { problems: codesOf(problems) })
}

/** The codes of the problems, each once. */
export function codesOf(problems: readonly Problem[]): string {
  return [...new Set(problems.map(({ code }) => code))].join(', ')
}

/** The backups of each device at each destination, the best first, and these by their best. */
export function linesOf(backups: readonly CatalogEntry[]): readonly (readonly CatalogEntry[])[] {
  return [
    ...Map.groupBy(backups, ({ destination, manifest }) =>
      [destination.kind, destination.name, folderOf(manifest)].join('\n'),
    ).values(),
  ]
    .map((line) => line.toSorted(lastFirst))
    .sort(([a], [b]) => (a === undefined || b === undefined ? 0 : bestFirst(a, b)))
}

/** By network and user, the one with most work first. */
function groupsOf(backups: readonly CatalogEntry[]): CatalogEntry[][] {
  const sorted = [...backups].sort(bestFirst)
  return [...Map.groupBy(sorted, ({ manifest }) => manifest.network + manifest.user).values()]
}

async function keyOf(
  destinations: readonly Destination[],
  { key, passphrase }: Opener,
  problems: Problem[],
  signal: AbortSignal,
): Promise<BackupKey> {
  if (key !== undefined) return key
  if (passphrase === undefined) throw backupError('BACKUP_KEY_MISSING')
  let last: unknown = backupError('BACKUP_KEY_MISSING')
  for (const destination of destinations) {
    try {
      return await openSlot(destination, passphrase, signal)
    } catch (error) {
      signal.throwIfAborted()
      problems.push(problemOf(destination, '', error))
      // That one destination has no slot says less than that the passphrase is wrong at another.
      if (codeOf(last) !== 'BACKUP_PASSPHRASE') last = error
    }
  }
  throw last
}

async function judged(
  backups: readonly CatalogEntry[],
  key: BackupKey,
  problems: Problem[],
  signal: AbortSignal,
): Promise<Found | undefined> {
  const [first] = backups
  if (first === undefined) return undefined
  const { network, user } = first.manifest
  const tried = new Set<string>()
  for (const { destination, manifest } of backups) {
    const ref = manifest.person
    if (ref === null || tried.has(destination.name + ref.name)) continue
    if (tried.size >= MAX_PERSONS) break
    tried.add(destination.name + ref.name)
    try {
      const person = await openPerson(await destination.get(ref.name, signal), key, ref.name)
      if (networkIdOf(person.params) !== network || person.user !== user) {
        throw backupError('BACKUP_FORGED', { name: manifest.object })
      }
      judgedBy ??= person
      // A device without the kit cannot say what admits a restored one; others may have written that too.
      if (person.restore === undefined) continue
      judgedBy = person
      break
    } catch (error) {
      signal.throwIfAborted()
      problems.push(problemOf(destination, ref.name, error))
    }
  }
  const none = backupError('BACKUP_DAMAGED', {
    name: first.manifest.object,
    why: 'what says whose it is cannot be read',
  })
  let judgedBy: Person | undefined
  problems.push(problemOf(first.destination, first.manifest.object, none))
  return undefined
}
  if (judgedBy !== undefined) return { network, user, person: judgedBy, key, backups, problems }
