/**
 * Brings contents back from backups into the store of the node: after a restore, or by command. What comes is compared
 * block by block, then as a whole, and pinned like what comes from other devices.
 */
import { digestOf } from '../../../common/dag-cbor.ts'
import { codeOf } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import type { ContentBlockstore } from '../../../storage/blockstore.ts'
import type { Pins } from '../../../storage/pins.ts'
import type { WantedContent } from '../../replication/wanted.ts'
import { type Problem, problemOf } from '../catalog.ts'
import type { Destination } from '../destination.ts'
import type { BackupKey } from '../keys.ts'
import { createFetching, type Source } from './fetching.ts'
import type { MarkOf } from './marks.ts'
import type { Wanted } from './wanted.ts'

/** Problems that are told by name. */
const MAX_PROBLEMS = 100

/** The contents that are here. */
export interface LocalContents {
  readonly content: ContentBlockstore
  readonly pins: Pins
  /** Checks a version as a whole and pins it; of what is missing it asks other devices. */
  readonly complete: (wanted: WantedContent, work: { signal: AbortSignal }) => Promise<void>
}

export interface BroughtContents {
  /** Files that are here now, and their bytes. */
  readonly files: number
  readonly bytes: number
  /** Files that the backups have, and not all of. */
  readonly missing: number
  readonly problems: readonly Problem[]
  /** Whether all destinations answered. */
  readonly complete: boolean
}

/** A destination with what stands there. */
export interface BringSource {
  readonly destination: Destination
  /** Looks what is there. @throws the errors of destinations */
  source(signal: AbortSignal): Promise<Source>
}

/**
 * Brings what is missing here and stands in backups.
 *
 * @throws disk errors (STORAGE_FULL); the signal's reason
 */
export async function bringContents(
  {
    content,
    pins,
    complete,
    wanted,
    markOf,
    onFile,
    logger,
  }: LocalContents & {
    readonly wanted: Pick<Wanted, 'missing'>
    readonly markOf: MarkOf
    /** A file is here; its bytes. */
    readonly onFile?: (bytes: number) => void
    readonly logger: Logger
  },
  { from, key }: { readonly from: readonly BringSource[]; readonly key: BackupKey },
  signal: AbortSignal,
): Promise<BroughtContents> {
  const problems: Problem[] = []
  const sources: Source[] = []
  const tell = (problem: Problem): void => {
    if (problems.length < MAX_PROBLEMS) problems.push(problem)
  }
  for (const each of from) {
    try {
      sources.push(await each.source(signal))
    } catch (error) {
      signal.throwIfAborted()
      tell(problemOf(each.destination, '', error))
    }
  }
  const isComplete = problems.length === 0
  const told = new Set<string>()
  const fetching = createFetching({ sources, target: content, markOf }, { key })
  let [files, bytes, missing] = [0, 0, 0]

  const bring = async (version: WantedContent): Promise<void> => {
    const { root, storedSize } = version.record.body
    const mark = markOf(digestOf(root))
    const having =
      sources.find(({ shelf }) => shelf.packOf(mark) !== undefined) ??
      sources.find(({ shelf }) => shelf.isNamed(mark))
    if (having === undefined) return
    const lease = pins.lease(root)
    let isDone = false
    try {
      for (const problem of await fetching.fetch(root, signal)) {
        if (told.has(problem.object)) continue
        told.add(problem.object)
        tell(problem)
      }
      await content.flush()
      await complete(version, { signal })
      isDone = true
      files += 1
      bytes += storedSize
      onFile?.(storedSize)
    } catch (error) {
      signal.throwIfAborted()
      if (codeOf(error) === 'STORAGE_FULL') throw error
      missing += 1
      const problem = problemOf(having.destination, root, error)
      tell(problem)
      logger.warn('The content of a file did not come back from a backup', { ...problem })
    } finally {
      if (isDone) lease.release()
      else lease.suspend()
    }
  }

  if (sources.length > 0) {
    for await (const page of wanted.missing(signal))
      for (const version of page) await bring(version)
  }
  return { files, bytes, missing, problems, complete: isComplete }
}
