/** Where CIDs of backups are kept beside the pinning service itself: without its CID, content on IPFS is lost. */
import { codeOf } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import type { Destination } from '../destination.ts'
import { isObject } from './answers.ts'

export interface StoredCid {
  /** The object's name. */
  readonly name: string
  readonly cid: string
  /** Opens the content in a browser. */
  readonly link: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds UTC. */
  readonly stored: number
}

/** A place that keeps CIDs. */
export interface CidKeeper {
  /** For logs. */
  readonly name: string
  keep(stored: StoredCid, signal: AbortSignal): Promise<void>
}

/**
 * Keeps CIDs in all the places; one of them is enough, since the pinning service has them too. What a place could not
 * keep is a warning.
 *
 * @throws what the first place threw, when none kept it
 */
export function keepCids(
  components: { readonly logger: Pick<Logger, 'warn'> },
  keepers: readonly CidKeeper[],
): (stored: StoredCid, signal: AbortSignal) => Promise<void> {
  return async (stored, signal) => {
    const results = await Promise.allSettled(keepers.map((each) => each.keep(stored, signal)))
    signal.throwIfAborted()
    const failures = results.filter((result) => result.status === 'rejected')
    for (const [at, result] of results.entries()) {
      if (result.status !== 'rejected') continue
      const fields = {
        place: keepers[at]?.name ?? '',
        cid: stored.cid,
        code: codeOf(result.reason),
      }
      components.logger.warn('the CID of a backup could not be kept in one of its places', fields)
    }
    if (failures.length > 0 && failures.length === keepers.length) throw failures[0]?.reason
  }
}

/** CIDs that a file keeps: the newest of this many names. */
const MAX_KEPT = 1000

/**
 * A file of CIDs, the newest last: `[{ "name", "cid", "link", "size", "stored" }, …]`. Written whole or not at all,
 * and without holding the node.
 *
 * @param components - `folder`: where the file is, a second disk for instance; `file`: its name
 */
export function createCidFile(components: {
  readonly folder: Destination
  readonly file: string
}): CidKeeper & {
  /** What is kept, the newest last; nothing when the file is missing or is no such list. */
  all(signal: AbortSignal): Promise<readonly StoredCid[]>
} {
  const { folder, file } = components
  let last: Promise<unknown> = Promise.resolve()
  const all = async (signal: AbortSignal): Promise<readonly StoredCid[]> => {
    try {
      const value: unknown = JSON.parse(Buffer.from(await folder.get(file, signal)).toString())
      return Array.isArray(value) ? value.filter(isStoredCid) : []
    } catch (error) {
      if (codeOf(error) === 'OBJECT_NOT_FOUND' || error instanceof SyntaxError) return []
      throw error
    }
  }
  return {
    name: `${folder.name}/${file}`,
    all,
    keep: (stored, signal) => {
      const written = last.then(async () => {
        const others = (await all(signal)).filter(({ name }) => name !== stored.name)
        const kept = [...others, stored].slice(-MAX_KEPT)
        const text = `${JSON.stringify(kept, undefined, 1)}\n`
        await folder.put(file, Buffer.from(text), { signal })
      })
      last = written.catch(() => {})
      return written
    },
  }
}

function isStoredCid(value: unknown): value is StoredCid {
  if (!isObject(value)) return false
  const { name, cid, link, size, stored } = value
  return (
    [name, cid, link].every((each) => typeof each === 'string') &&
    [size, stored].every((each) => Number.isSafeInteger(each))
  )
}
