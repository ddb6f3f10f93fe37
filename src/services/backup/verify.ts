/** The proof that a backup is there: all its objects read from the destination itself, compared, and opened. */
import { deviceIdOf, type NetworkId, type UserId } from '../../chain/ids.ts'
import { readDevice } from '../../chain/state/devices.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import {
  type CatalogEntry,
  forEach,
  newestFirst,
  type Problem,
  problemOf,
  readCatalog,
  readObject,
  readSegmentList,
} from './catalog.ts'
import type { VerifiedContents } from './contents/proving.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import type { BackupKey } from './keys.ts'
import { checkLine } from './line-check.ts'
import { type Manifest, segmentName } from './manifest.ts'
import { openPerson } from './person.ts'
import { openSegment } from './segment.ts'

export interface Verified {
  readonly destination: string
  readonly object: string
  readonly name: string
  readonly time: number
  readonly height: number
  readonly objects: number
  readonly bytes: number
  /**
   * Whether the objects were decrypted and their blocks hashed. Without the key they are compared with what the signed
   * manifest says, and the manifest with the chain that is here; that they open, and what is in them, is not known then.
   */
  readonly opened: boolean
  /** Contents of files, where they are sent there. */
  readonly contents?: Omit<VerifiedContents, 'problems'>
  /** None: everything is as it was written. */
  readonly problems: readonly Problem[]
}

/**
 * Verifies a backup of a user at a destination.
 *
 * @throws BACKUP_NONE, the errors of destinations when it cannot be listed
 */
export async function verifyDestination(
  destination: Destination,
  init: {
    readonly network: NetworkId
    readonly user: UserId
    readonly key: BackupKey | undefined
    /** For whom it has to be encrypted, where that is known. */
    readonly recipient: string | undefined
    /** What is here, to compare with. */
    readonly chain: Pick<ChainStore, 'block' | 'state'>
    /** One backup by its object; default: the newest. */
    readonly object?: string | undefined
  },
  signal: AbortSignal,
): Promise<Verified> {
  const { backups, problems: unread } = await readCatalog(destination, {
    prefix: `${init.network}/`,
    ...(init.object === undefined ? { newest: 1 } : {}),
    signal,
  })
  const all = backups
    .filter(({ manifest }) => manifest.user === init.user)
    .filter(({ manifest }) => init.object === undefined || manifest.object === init.object)
    .sort(newestFirst)
  // Anybody who can write there can say that a backup is the user's, and has more work.
  const isKnown = ({ manifest: { device } }: CatalogEntry): boolean =>
    readDevice(init.chain.state, deviceIdOf(device))?.user === init.user
  const newest = (all.find(isKnown) ?? all[0])?.manifest
  if (newest === undefined) {
    const [problem] = unread
    throw backupError('BACKUP_NONE', {
      wanted: init.object ?? problem?.message ?? destination.name,
    })
  }
  const problems: Problem[] = []
  let objects = 1
  let bytes = newest.bytes.length
  if (init.recipient !== undefined && init.recipient !== newest.recipient) {
    const other = backupError('BACKUP_KEY_OTHER', { name: newest.object })
    problems.push(problemOf(destination, newest.object, other))
  }
  const checks = await checksOf(destination, newest, init, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    problems.push(problemOf(destination, newest.sealed?.name ?? newest.object, error))
    return []
  })
  await forEach(
    checks,
    async ({ name, check }) => {
      try {
        const size = await check()
        bytes += size
        if (size > 0) objects += 1
      } catch (error) {
        signal.throwIfAborted()
        problems.push(problemOf(destination, name, error))
      }
    },
    AT_ONCE,
  )
  return {
    destination: destination.name,
    object: newest.object,
    name: newest.name,
    time: newest.time,
    height: newest.height,
    objects,
    bytes,
    opened: init.key !== undefined && init.key.recipient === newest.recipient,
    problems,
  }
}

/** Objects that are read at a time: 2 MiB each. */
const AT_ONCE = 3

interface Check {
  readonly name: string
  /** Bytes of the object. */
  check(): Promise<number>
}

async function checksOf(
  destination: Destination,
  manifest: Manifest,
  {
    key,
    chain,
  }: { readonly key: BackupKey | undefined; readonly chain: Pick<ChainStore, 'block'> },
  signal: AbortSignal,
): Promise<Check[]> {
  const opener = key?.recipient === manifest.recipient ? key : undefined
  const list = await readSegmentList(destination, manifest, signal)
  const line: Check = {
    name: manifest.object,
    check: async () => {
      checkLine(manifest, list, chain)
      return 0
    },
  }
  const segments = list.map((entry): Check => {
    const name = segmentName(manifest, entry)
    const check = async (): Promise<number> => {
      const bytes = await readObject(destination, { ...entry, name }, signal)
      if (opener === undefined) return bytes.length
      const { blocks, records } = await openSegment(bytes, opener, name)
      const wanted = entry.to + 1 - entry.from
      if (blocks.length === wanted && records.length === entry.records) return bytes.length
      throw backupError('BACKUP_DAMAGED', { name, why: 'it holds less than the manifest says' })
    }
    return { name, check }
  })
  const { person } = manifest
  const checks = [line, ...segments]
  if (person === null) return checks
  const check = async (): Promise<number> => {
    const bytes = await readObject(destination, person, signal)
    if (opener !== undefined) await openPerson(bytes, opener, person.name)
    return bytes.length
  }
  return [...checks, { name: person.name, check }]
}
