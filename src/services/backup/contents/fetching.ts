/**
 * Brings the blocks of one file from backups: walked from its root, so that only packs are read that hold something
 * which is missing, and what was interrupted goes on. Each block is compared with its hash.
 */
import { CID } from 'multiformats/cid'
import type { ContentId } from '../../../chain/ids.ts'
import { codeOf } from '../../../common/errors.ts'
import type { ContentBlockstore } from '../../../storage/blockstore.ts'
import { dagBlocks } from '../../../storage/pins-walk.ts'
import { type Problem, problemOf } from '../catalog.ts'
import type { Destination } from '../destination.ts'
import type { BackupKey } from '../keys.ts'
import { contentsError } from './errors.ts'
import type { MarkOf } from './marks.ts'
import { openPack, readPack } from './pack.ts'
import type { Pack, Shelf } from './shelf.ts'

/** Blocks that are looked at between two turns of the event loop. */
const LOOKS = 128

/** Where blocks come from. */
export interface Source {
  readonly destination: Destination
  readonly shelf: Pick<Shelf, 'packOf' | 'isNamed'>
}

/** Where they go to. */
export type BlockTarget = Pick<ContentBlockstore, 'bytes' | 'has' | 'putVerified'>

export interface Fetching {
  /** Bytes of packs that were read. */
  readonly read: number
  /**
   * Makes a file whole in the target.
   *
   * @returns what was wrong with packs on the way; another one had what they lacked
   * @throws CONTENTS_MISSING: no source has all of it; disk errors; the signal's reason
   */
  fetch(root: ContentId, signal: AbortSignal): Promise<readonly Problem[]>
}

export function createFetching(
  {
    sources,
    target,
    markOf,
  }: {
    readonly sources: readonly Source[]
    readonly target: BlockTarget
    readonly markOf: MarkOf
  },
  { key }: { readonly key: BackupKey },
): Fetching {
  /** Packs that could not be read: not tried again for the next file. */
  const bad = new Map<string, Problem>()
  let read = 0

  const take = async (
    { destination }: Source,
    { name, entry }: Pack,
    signal: AbortSignal,
  ): Promise<void> => {
    const bytes = await readPack(destination, { name, sha256: entry.sha256 }, signal)
    read += bytes.length
    for await (const { cid, bytes: block } of openPack(bytes, key, {
      name,
      squeezed: entry.zstd === 1,
    })) {
      const id = CID.decode(cid)
      if (!(await target.has(id))) await target.putVerified(id, Uint8Array.from(block))
    }
  }

  /** The block, from the first source that gives it. */
  const bring = async (cid: CID, problems: Problem[], signal: AbortSignal): Promise<boolean> => {
    const mark = markOf(cid.multihash.digest)
    for (const source of sources) {
      const pack = source.shelf.packOf(mark)
      if (pack === undefined) continue
      const { destination } = source
      const place = `${destination.kind}\n${destination.name}\n${pack.name}`
      const known = bad.get(place)
      if (known !== undefined) {
        problems.push(known)
        continue
      }
      try {
        await take(source, pack, signal)
        if (await target.has(cid)) return true
        throw contentsError('CONTENTS_DAMAGED', { name: pack.name, why: 'it lacks a block' })
      } catch (error) {
        signal.throwIfAborted()
        if (isOfDisk(error)) throw error
        const problem = problemOf(destination, pack.name, error)
        bad.set(place, problem)
        problems.push(problem)
      }
    }
    return false
  }

  return {
    get read() {
      return read
    },
    fetch: async (root, signal) => {
      const problems: Problem[] = []
      const missing = (): Error => {
        const [first] = problems
        const why = first?.message ?? 'no destination has it'
        return contentsError('CONTENTS_MISSING', { root, why })
      }
      const readNode = async (cid: CID): Promise<Uint8Array | undefined> => {
        try {
          return await target.bytes(cid)
        } catch (error) {
          if (isOfDisk(error)) throw error
        }
        if (!(await bring(cid, problems, signal))) return undefined
        return target.bytes(cid)
      }
      let looks = 0
      for await (const { cid, missing: isMissing } of dagBlocks(root, readNode)) {
        signal.throwIfAborted()
        if (++looks % LOOKS === 0) await new Promise((resolve) => setImmediate(resolve))
        if (isMissing) throw missing()
        if (await target.has(cid)) continue
        if (!(await bring(cid, problems, signal))) throw missing()
      }
      return problems
    },
  }
}

/** Whether an error is of this computer's disk: no other source helps. */
function isOfDisk(error: unknown): boolean {
  return /^(?:STORAGE_|DATA_DIRECTORY|E(?:IO|MFILE|NFILE|ROFS|DQUOT)$)/.test(codeOf(error))
}
