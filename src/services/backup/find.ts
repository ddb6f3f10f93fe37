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
import { type CatalogEntry, lastFirst, newestFirst, type Problem, problemOf } from './catalog.ts'
import type { Destination, DestinationKind } from './destination.ts'
import { backupError } from './errors.ts'
import type { BackupKey } from './keys.ts'
import { lookAtAll, type Patience } from './looks.ts'
import { folderOf, type Manifest } from './manifest.ts'
import { MAX_PERSON_BYTES, openPerson, type Person } from './person.ts'
import { openAnySlot } from './slots.ts'

/**
 * Objects that say who the user is, of one user, that are tried: whoever can write there can put some before the real
 * one, and each costs no more than its manifest did.
 */
const MAX_PERSONS = 4096
/** Networks that an error names. */
const MAX_NAMED = 3

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
  /** Destinations that did not answer, or not in time: what they hold is not in `backups`. */
  readonly unseen: readonly Destination[]
}

export interface FindInit {
  readonly opener: Opener
  /** The only one that counts; undefined: the one with most work. */
  readonly network?: NetworkId | undefined
  /** Does not wait for all where one network is found and the key is known; undefined: waits. */
  readonly patience?: Patience | undefined
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
 * @returns undefined: all destinations answered, and none has a backup
 * @throws BACKUP_UNREACHABLE: none was found, and some destination did not answer; BACKUP_KEY_MISSING;
 *   BACKUP_NETWORK: all are of other networks; BACKUP_UNREADABLE: there are some, and none is of use
 */
export async function findBackups(
  components: { readonly destinations: readonly Destination[]; readonly logger: Logger },
  init: FindInit,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { destinations } = components
  const logger = components.logger.child('backup')
  const { opener, network } = init
  const isOf = (manifest: Manifest): boolean =>
    network === undefined || manifest.network === network
  const looks = await lookAtAll(destinations, {
    patience: init.patience,
    isEnough: (found) => {
      const mine = found.filter(
        ({ manifest }) => isOf(manifest) && manifest.recipient === opener.key?.recipient,
      )
      return groupsOf(mine).length === 1
    },
    signal,
  })
  const { backups: all, unseen } = looks
  const problems = [...looks.problems]
  const unreachable = (): Error => {
    const told = unseen.map(({ name }) => {
      const why = problems.find(({ destination }) => destination === name)?.message
      return why === undefined ? name : `${name}: ${why}`
    })
    return backupError('BACKUP_UNREACHABLE', { destinations: told.join(' ') })
  }
  if (all.length === 0 && problems.length === 0) return undefined
  if (all.length === 0 && unseen.length > 0) throw unreachable()
  if (network !== undefined && unseen.length === 0 && all.length > 0) {
    if (!all.some(({ manifest }) => isOf(manifest))) throw otherNetworks(all, network)
  }
  const key =
    all.length === 0
      ? undefined
      : await keyOf(answered(destinations, unseen), opener, problems, signal)
  const usable = all.filter((entry) => {
    const { manifest, destination } = entry
    const name = manifest.object
    let wrong: unknown
    if (!isOf(manifest)) {
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
      if (found !== undefined) return { ...found, unseen }
    }
  }
  if (unseen.length > 0) throw unreachable()
  throw backupError('BACKUP_UNREADABLE', { problems: codesOf(problems) })
}

/** BACKUP_NETWORK: names what is there, and what was wanted. */
function otherNetworks(all: readonly CatalogEntry[], wanted: NetworkId): Error {
  const found = [...new Set(all.map(({ manifest }) => manifest.network))].slice(0, MAX_NAMED)
  const destinations = [...new Set(all.map(({ destination }) => destination.name))]
  const details = { wanted, found: found.join(', '), destinations: destinations.join(', ') }
  return backupError('BACKUP_NETWORK', details)
}

const answered = (
  destinations: readonly Destination[],
  unseen: readonly Destination[],
): readonly Destination[] => destinations.filter((each) => !unseen.includes(each))

/** What the problems are, each once: in words where a person knows more by them, with the code. */
export function codesOf(problems: readonly Problem[]): string {
  const codes = [...new Set(problems.map(({ code }) => code))]
  return codes
    .map((code) => (WORDS[code] === undefined ? code : `${WORDS[code]} (${code})`))
    .join('; ')
}

const WORDS: Readonly<Record<string, string>> = {
  BACKUP_KEY_OTHER: 'they were made for another recovery kit than the one that is given or here',
  BACKUP_OTHER_NETWORK: 'they are of another network',
  BACKUP_DAMAGED: 'what they hold is damaged',
  BACKUP_FORGED: 'they are not signed by who they name',
  BACKUP_MANIFEST: 'what describes them is damaged',
  BACKUP_NEWER: 'they were written by a newer version of this program',
  OBJECT_NOT_FOUND: 'objects of them are missing',
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
  const opened = await openAnySlot(destinations, passphrase, signal)
  if (opened.key !== undefined) return opened.key
  let last: unknown = backupError('BACKUP_KEY_MISSING')
  for (const { destination, error } of opened.failures) {
    problems.push(problemOf(destination, '', error))
    // That one destination has no slot says less than that the passphrase is wrong at another.
    if (codeOf(last) !== 'BACKUP_PASSPHRASE') last = error
  }
  throw last
}

async function judged(
  backups: readonly CatalogEntry[],
  key: BackupKey,
  problems: Problem[],
  signal: AbortSignal,
): Promise<Omit<Found, 'unseen'> | undefined> {
  const [first] = backups
  if (first === undefined) return undefined
  const { network, user } = first.manifest
  const tried = new Set<string>()
  let judgedBy: Person | undefined
  for (const { destination, manifest } of backups) {
    const ref = manifest.person
    if (ref === null || tried.has(destination.name + ref.name)) continue
    if (tried.size >= MAX_PERSONS) break
    tried.add(destination.name + ref.name)
    try {
      const person = await openPerson(
        await destination.get(ref.name, signal, MAX_PERSON_BYTES),
        key,
        ref.name,
      )
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
  if (judgedBy !== undefined) return { network, user, person: judgedBy, key, backups, problems }
  const none = backupError('BACKUP_DAMAGED', {
    name: first.manifest.object,
    why: 'what says whose it is cannot be read',
  })
  problems.push(problemOf(first.destination, first.manifest.object, none))
  return undefined
}
