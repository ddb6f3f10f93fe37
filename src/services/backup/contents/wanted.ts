/** Which content backups have to hold, and which a restore has to bring, as the chain says. */
import type { ContentId } from '../../../chain/ids.ts'
import type { Clock } from '../../../common/clock.ts'
import { sleep } from '../../../common/clock.ts'
import type { ChainStore } from '../../../storage/chain-store.ts'
import type { Pins } from '../../../storage/pins.ts'
import type { FileEntry, VersionRecord } from '../../../storage/projections.ts'
import { createRemovals } from '../../files/removals.ts'
import type { WantedContent } from '../../replication/wanted.ts'

/** Files or pins that are read between two turns of the event loop: a millisecond or two. */
const PAGE = 100

/** Content of a file. */
export interface Root {
  readonly root: ContentId
  /** Bytes of its blocks, as its record says. */
  readonly size: number
}

export interface Wanted {
  /** Content that is here whole and that a file wants, in pages; `isKnown`: what nobody has to look at. */
  here(isKnown: (root: ContentId) => boolean, signal: AbortSignal): AsyncGenerator<readonly Root[]>
  /** A root that is here whole and wanted; undefined: it is not. */
  of(root: ContentId): Root | undefined
  /** Versions whose content is wanted and is not whole here, in pages; what was let go here is not wanted. */
  missing(signal: AbortSignal): AsyncGenerator<readonly WantedContent[]>
  /** All content that some file wants, in pages. */
  all(signal: AbortSignal): AsyncGenerator<readonly ContentId[]>
  /** Content that no file wants any more, with the height of the last removal, in pages. */
  gone(
    signal: AbortSignal,
  ): AsyncGenerator<readonly { readonly root: ContentId; readonly height: number }[]>
}

export function createWanted({
  store,
  pins,
  clock,
}: {
  readonly store: Pick<ChainStore, 'projections' | 'tip' | 'block'>
  readonly pins: Pick<Pins, 'pinned' | 'isWhole' | 'choice'>
  readonly clock: Clock
}): Wanted {
  const { projections } = store
  const removals = createRemovals({ store, clock })

  async function* files(signal: AbortSignal): AsyncGenerator<readonly FileEntry[]> {
    let after: FileEntry | undefined
    do {
      await sleep(clock, 0, signal)
      const query = {
        all: true,
        limit: PAGE,
        ...(after === undefined ? {} : { after: after.file }),
      }
      const page = projections.listFiles(query)
      yield page
      after = page.length < PAGE ? undefined : page.at(-1)
    } while (after !== undefined)
  }

  const of = (root: ContentId): Root | undefined => {
    const file = projections.filesByRoot(root).find((each) => removals.wants(root, each))
    if (file === undefined || !pins.isWhole(root)) return undefined
    for (const { record } of projections.versionsOf(file)) {
      if ('root' in record.body && record.body.root === root) {
        return { root, size: record.body.storedSize }
      }
    }
    return undefined
  }

  return {
    of,
    here: async function* (isKnown, signal) {
      let after: ContentId | undefined
      do {
        await sleep(clock, 0, signal)
        const page = pins.pinned(PAGE, after)
        yield page.flatMap(({ root }) => (isKnown(root) ? [] : (of(root) ?? [])))
        after = page.length < PAGE ? undefined : page.at(-1)?.root
      } while (after !== undefined)
    },
    missing: async function* (signal) {
      for await (const page of files(signal)) {
        yield page
          .filter(({ file }) => pins.choice(file) !== 'freed')
          .flatMap(({ file }) => {
            const roots = new Set(removals.wantedOf(file).filter((root) => !pins.isWhole(root)))
            if (roots.size === 0) return []
            return projections.versionsOf(file).flatMap(({ version, record, outcome }) => {
              const body = record.body as VersionRecord['body']
              const isMissing = outcome !== 'rejected' && roots.delete(body.root)
              return isMissing ? [{ version, record: record as VersionRecord }] : []
            })
          })
      }
    },
    all: async function* (signal) {
      for await (const page of files(signal))
        yield page.flatMap(({ file }) => removals.wantedOf(file))
    },
    gone: async function* (signal) {
      for await (const page of files(signal)) {
        yield page.flatMap(({ file }) => {
          const { roots, height } = removals.goneOf(file)
          return roots
            .filter(
              (root) => !projections.filesByRoot(root).some((each) => removals.wants(root, each)),
            )
            .map((root) => ({ root, height }))
        })
      }
    },
  }
}
