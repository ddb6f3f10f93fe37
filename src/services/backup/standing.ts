/**
 * What stands at a destination when this program begins to write there: this device's last backup, for whom it is
 * encrypted, and what other devices of the user wrote of the person.
 *
 * A device without the recovery kit encrypts for whom the kit has vouched for (people/backup-key.ts), and where it has
 * not, takes the recipient from a manifest that an active device of its own user has signed: nobody else can make it
 * encrypt for a stranger.
 */
import { deviceIdOf, type NetworkId, type UserId } from '../../chain/ids.ts'
import { readDevice } from '../../chain/state/devices.ts'
import { equalBytes } from '../../common/bytes.ts'
import { sha256 } from '../../common/crypto.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import { newestFirst, readCatalog, readSegmentList } from './catalog.ts'
import type { Destination } from './destination.ts'
import type { BackupKey } from './keys.ts'
import { type Kept, sealedCount } from './lineage.ts'
import { folderOf, type Manifest, manifestNumber, type ObjectRef, segmentName } from './manifest.ts'
import { MAX_PERSON_BYTES, openPerson, type Person } from './person.ts'

/** Manifests of each device that are looked at: the newest, and some before it if it is damaged. */
const NEWEST = 3
/** No number of full segments: their list names some that are gone, and is written anew. */
const CUT = -1

/** Whose backups these are. */
export interface Owner {
  readonly network: NetworkId
  readonly user: () => UserId | undefined
  /** Where the recovery kit is. */
  readonly key: BackupKey | undefined
  /** Where it is not: for whom the kit has vouched. */
  readonly vouched?: () => Promise<Vouched | undefined>
  /** What brings the user back, as far as it is known here; the encoded parameters. */
  readonly person: () => Promise<Omit<Person, 'params' | 'user'> & { readonly params: Uint8Array }>
}

/** For whom backups are encrypted, where the key is not here. */
export interface Vouched {
  readonly recipient: string
  /** What a backup says whose it is with; undefined: not known here. */
  readonly root: Uint8Array | undefined
}

/** What stands at the destination. */
export interface Standing {
  readonly number: number
  readonly previous: ObjectRef | null
  readonly entries: readonly Kept[]
  /** Whether `entries` are those of the last backup of this program. */
  readonly isContinued: boolean
  readonly sealed: ObjectRef | null
  readonly sealedEntries: number
  readonly person: ObjectRef | null
  /** SHA-256 of the encoded person in `person`, hex; undefined: not known. */
  readonly personHash: string | undefined
  /** What others of the user's devices wrote of the person. */
  readonly inherited: Person | undefined
  readonly recipient: string | undefined
}

/** @throws the errors of destinations */
export async function loadStanding(
  components: {
    readonly store: Pick<ChainStore, 'state'>
    readonly destination: Destination
    readonly owner: Owner
    readonly logger: Logger
  },
  {
    device,
    user,
    full,
    last: known,
    standing: before,
    signal,
  }: {
    readonly device: Uint8Array
    readonly user: UserId
    readonly full: boolean
    /** The object of the last backup of this program, and what stood there then. */
    readonly last: string | undefined
    readonly standing: Standing | undefined
    readonly signal: AbortSignal
  },
): Promise<Standing> {
  const { store, destination, owner, logger } = components
  const { objects, names, backups } = await readCatalog(destination, {
    prefix: `${owner.network}/`,
    newest: NEWEST,
    signal,
  })
  const ours = backups.filter(({ manifest }) => manifest.user === user).sort(newestFirst)
  const mine = ours
    .filter(({ manifest }) => equalBytes(manifest.device, device))
    .sort((a, b) => b.manifest.number - a.manifest.number)
  const trusted = ours.filter(({ manifest }) => isOwnDevice(store, manifest, user))
  const withPerson = trusted.find(({ manifest }) => manifest.person !== null)?.manifest
  const told = owner.key ?? (await owner.vouched?.())
  const recipient = told?.recipient ?? trusted[0]?.manifest.recipient
  const inherited = await inheritedPerson(destination, owner, withPerson, signal).catch(
    (error: unknown) => {
      logger.warn('What brings the user back could not be read; it is written anew', {
        destination: destination.name,
        code: codeOf(error),
        why: messageOf(error),
      })
      return undefined
    },
  )
  const last = mine[0]?.manifest
  const sizes = new Map(objects.map(({ name, size }) => [name, size]))
  const said = withPerson?.recipient === recipient ? (withPerson?.person ?? null) : null
  const person = said !== null && sizes.get(said.name) === said.size ? said : null
  const start = {
    number: nextNumber(names, folderOf({ network: owner.network, device })),
    previous: last === undefined ? null : refOf(last),
    person,
    personHash: person?.name === before?.person?.name ? before?.personHash : undefined,
    inherited,
    recipient,
  }
  if (known !== undefined && !names.includes(known)) {
    const fields = { destination: destination.name, object: known }
    logger.error(
      'The newest backup is gone: somebody removed it, or put an older state there',
      fields,
    )
  }
  const nothing = { ...start, entries: [], isContinued: false, sealed: null, sealedEntries: 0 }
  if (last === undefined || last.recipient !== recipient || full) return nothing
  try {
    const list = await readSegmentList(destination, last, signal)
    const gone = list.findIndex((entry) => sizes.get(segmentName(last, entry)) !== entry.size)
    if (gone >= 0) {
      const fields = { destination: destination.name, objects: list.length - gone }
      logger.error('Parts of the last backup are gone; they are written anew', fields)
    }
    const there = gone < 0 ? list : list.slice(0, gone)
    const entries = there.map((entry) => ({ entry, carried: undefined }))
    const sealedEntries = gone < 0 ? sealedCount(entries) : CUT
    const isContinued = gone < 0 && last.object === known
    return { ...start, entries, isContinued, sealed: last.sealed, sealedEntries }
  } catch (error) {
    signal.throwIfAborted()
    logger.warn('The last backup is damaged; a full one is written', {
      destination: destination.name,
      code: codeOf(error),
      why: messageOf(error),
    })
    return nothing
  }
}

/** Above all numbers that were used, also those of manifests that cannot be read. */
function nextNumber(names: readonly string[], folder: string): number {
  return names
    .filter((name) => name.startsWith(folder))
    .reduce((next, name) => Math.max(next, (manifestNumber(name) ?? 0) + 1), 0)
}

export const refOf = ({ object, bytes }: Manifest): ObjectRef => ({
  name: object,
  sha256: sha256(bytes),
  size: bytes.length,
})

/** Whether an active device of this user wrote it: anybody who can write there could name another recipient. */
function isOwnDevice(store: Pick<ChainStore, 'state'>, manifest: Manifest, user: UserId): boolean {
  const device = readDevice(store.state, deviceIdOf(manifest.device))
  return device?.active === true && device.user === user
}

async function inheritedPerson(
  destination: Destination,
  { key }: Owner,
  manifest: Manifest | undefined,
  signal: AbortSignal,
): Promise<Person | undefined> {
  const ref = manifest?.person
  if (key === undefined || ref === undefined || ref === null) return undefined
  const bytes = await destination.get(ref.name, signal, MAX_PERSON_BYTES)
  return openPerson(bytes, key, ref.name)
}
