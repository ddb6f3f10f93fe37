/** What a destination has: its manifests, read and checked, and the segments that each of them names. */
import { equalBytes } from '../../common/bytes.ts'
import { sha256 } from '../../common/crypto.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import { MIB } from '../../common/limits.ts'
import type { Destination, StoredObject } from './destination.ts'
import { backupError } from './errors.ts'
import {
  MAX_MANIFEST_BYTES,
  type Manifest,
  manifestNumber,
  type ObjectRef,
  readIndex,
  readManifest,
  type SegmentEntry,
} from './manifest.ts'

/** Manifests of one destination that are looked at. */
export const MAX_MANIFESTS = 4096
/** Objects that are asked for at a time. */
const AT_ONCE = 8
/** Bytes of what a manifest names: a list of full segments; a segment and what says whose it is are smaller. */
export const MAX_OBJECT_BYTES: number = 17 * MIB

export interface CatalogEntry {
  readonly destination: Destination
  readonly manifest: Manifest
}

/** Something that could not be used, and why. */
export interface Problem {
  readonly destination: string
  /** Of an object; empty: the destination itself. */
  readonly object: string
  readonly code: string
  readonly message: string
}

export interface Catalog {
  /** All objects that there are. */
  readonly objects: readonly StoredObject[]
  /** Names of all manifests that there are, read or not. */
  readonly names: readonly string[]
  /** Manifests that were wanted and are too many to be read. */
  readonly unread: number
  readonly backups: readonly CatalogEntry[]
  readonly problems: readonly Problem[]
}

/**
 * Reads the manifests of a destination. A manifest that cannot be read is a problem, not an error. Of too many the
 * newest of each device are read, so that no device's pushes those of another out.
 *
 * @param newest - how many of each device are read; default: all
 * @param isWanted - whether the manifests in a folder are; default: all
 * @throws the errors of destinations, when it cannot be listed
 */
export async function readCatalog(
  destination: Destination,
  {
    prefix,
    newest = Number.POSITIVE_INFINITY,
    isWanted = () => true,
    signal,
  }: {
    readonly prefix: string
    readonly newest?: number
    readonly isWanted?: (folder: string) => boolean
    readonly signal: AbortSignal
  },
): Promise<Catalog> {
  const objects = await destination.list(prefix, signal)
  const names = objects.map(({ name }) => name).filter((name) => manifestNumber(name) !== undefined)
  const folders = Map.groupBy(names, (name) => name.slice(0, name.lastIndexOf('/') + 1))
  const ranked = [...folders]
    .filter(([folder]) => isWanted(folder))
    // Their names begin with their numbers.
    .flatMap(([_, folder]) =>
      folder
        .sort()
        .reverse()
        .slice(0, newest)
        .map((name, rank) => ({ name, rank })),
    )
    .sort((a, b) => a.rank - b.rank)
  const wanted = ranked.slice(0, MAX_MANIFESTS).map(({ name }) => name)
  const backups: CatalogEntry[] = []
  const problems: Problem[] = []
  await forEach(wanted, async (name) => {
    try {
      const bytes = await destination.get(name, signal, MAX_MANIFEST_BYTES)
      const manifest = readManifest(bytes, name)
      backups.push({ destination, manifest })
    } catch (error) {
      signal.throwIfAborted()
      problems.push(problemOf(destination, name, error))
    }
  })
  return { objects, names, unread: ranked.length - wanted.length, backups, problems }
}

export function problemOf(destination: Destination, object: string, error: unknown): Problem {
  return {
    destination: destination.name,
    object,
    code: codeOf(error),
    message: messageOf(error),
  }
}

/** Most work, then the newest by the clocks of those who wrote them. */
export function newestFirst(a: CatalogEntry, b: CatalogEntry): number {
  const { manifest: x } = a
  const { manifest: y } = b
  if (x.work !== y.work) return x.work > y.work ? -1 : 1
  return y.time - x.time || y.number - x.number
}

/** Of one device at one destination: most work, then the last that it wrote, whatever its clock said. */
export function lastFirst(a: CatalogEntry, b: CatalogEntry): number {
  const { manifest: x } = a
  const { manifest: y } = b
  return x.work === y.work ? y.number - x.number : newestFirst(a, b)
}

/** The segments of a backup, in order. @throws BACKUP_DAMAGED, the errors of destinations */
export async function readSegmentList(
  destination: Destination,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<readonly SegmentEntry[]> {
  if (manifest.sealed === null) return manifest.segments
  const index = await readObject(destination, manifest.sealed, signal)
  return [...readIndex(index, manifest.sealed.name), ...manifest.segments]
}

/** An object, compared with what is known of it. @throws BACKUP_DAMAGED, the errors of destinations */
export async function readObject(
  destination: Destination,
  { name, sha256: wanted, size }: Pick<ObjectRef, 'name' | 'sha256' | 'size'>,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await destination.get(name, signal, Math.min(size, MAX_OBJECT_BYTES))
  if (!equalBytes(sha256(bytes), wanted)) {
    throw backupError('BACKUP_DAMAGED', { name, why: 'its bytes are not those that were stored' })
  }
  return bytes
}

/** Runs `work` on all items, a few at a time. */
export async function forEach<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  const left = [...items].reverse()
  const worker = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await work(next)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
}
