/** The backups that there are, for people. */
import type { NetworkId } from '../../chain/ids.ts'
import { type Called, calledOf, shortNames } from './called.ts'
import { type CatalogEntry, forEach, type Problem, problemOf, readCatalog } from './catalog.ts'
import type { Destination, DestinationKind } from './destination.ts'
import { backupError } from './errors.ts'

/** One backup at a destination. */
export interface BackupView extends Called {
  /** What means it, or copies of it, and no other: its number, the device's name with it, or its object's id. */
  readonly id: string
  readonly destination: string
  readonly kind: DestinationKind
  readonly manual: boolean
  readonly time: number
  readonly height: number
  /** Bytes of the manifest and of the segments that it names itself. */
  readonly size: number
}

export interface Listing {
  readonly backups: readonly BackupView[]
  readonly problems: readonly Problem[]
}

/** A destination, and whether something was backed up there from here. */
export interface ListedPlace {
  readonly destination: Destination
  readonly isUsed?: boolean
}

/** All backups of a network at all destinations, the newest first; what cannot be read is a problem. */
export async function listBackups(
  places: readonly ListedPlace[],
  network: NetworkId,
  signal: AbortSignal,
): Promise<Listing> {
  const found: CatalogEntry[] = []
  const problems: Problem[] = []
  await forEach(places, async ({ destination, isUsed = false }) => {
    try {
      const catalog = await readCatalog(destination, { prefix: `${network}/`, signal })
      if (isUsed && catalog.names.length === 0) {
        throw backupError('DESTINATION_EMPTIED', { destination: destination.name })
      }
      problems.push(...catalog.problems)
      found.push(...catalog.backups)
    } catch (error) {
      signal.throwIfAborted()
      problems.push(problemOf(destination, '', error))
    }
  })
  const names = shortNames(found.map(({ manifest }) => manifest))
  const backups = found.map(({ destination, manifest }): BackupView => {
    const { time, height, segments, bytes } = manifest
    return {
      ...calledOf(manifest),
      id: names.get(manifest) ?? manifest.object,
      destination: destination.name,
      kind: destination.kind,
      manual: manifest.manual === 1,
      time,
      height,
      size: segments.reduce((sum, { size }) => sum + size, bytes.length),
    }
  })
  return { backups: backups.sort((a, b) => b.time - a.time), problems }
}
