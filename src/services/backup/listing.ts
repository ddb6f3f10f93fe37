/** The backups that there are, for people. */
import type { NetworkId } from '../../chain/ids.ts'
import { forEach, type Problem, problemOf, readCatalog } from './catalog.ts'
import type { Destination, DestinationKind } from './destination.ts'
import { cidOfObject } from './ipfs-place.ts'

/** One backup at a destination. */
export interface BackupView {
  readonly destination: string
  readonly kind: DestinationKind
  readonly object: string
  /** Of the manifest, as IPFS has it. */
  readonly cid: string
  readonly number: number
  readonly name: string
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

/** All backups of a network at all destinations, the newest first; what cannot be read is a problem. */
export async function listBackups(
  destinations: readonly Destination[],
  network: NetworkId,
  signal: AbortSignal,
): Promise<Listing> {
  const backups: BackupView[] = []
  const problems: Problem[] = []
  await forEach(destinations, async (destination) => {
    try {
      const catalog = await readCatalog(destination, { prefix: `${network}/`, signal })
      problems.push(...catalog.problems)
      for (const { manifest } of catalog.backups) {
        backups.push({
          destination: destination.name,
          kind: destination.kind,
          object: manifest.object,
          cid: cidOfObject(manifest.bytes),
          number: manifest.number,
          name: manifest.name,
          manual: manifest.manual === 1,
          time: manifest.time,
          height: manifest.height,
          size: manifest.segments.reduce((sum, { size }) => sum + size, manifest.bytes.length),
        })
      }
    } catch (error) {
      signal.throwIfAborted()
      problems.push(problemOf(destination, '', error))
    }
  })
  return { backups: backups.sort((a, b) => b.time - a.time), problems }
}
