/**
 * How many files there are, how large, and how much of them is here. All of them are read for that, a page in each
 * turn of the event loop; where that takes more than one, the figures stand for a moment.
 */
import { type Clock, sleep } from '../common/clock.ts'
import type { Events } from '../common/events.ts'
import type { NodeEvents } from '../services/events.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import type { Pins } from '../storage/pins.ts'
import type { FileEntry } from '../storage/projections.ts'

/** Files of one turn: some ten milliseconds. */
const PAGE_FILES = 200
/** Files that are read at the most. */
const MAX_FILES = 10_000
/** Milliseconds for which figures of many files stand, unless this device adds one. */
const FRESH_MS = 2000

export interface FileFigures {
  readonly count: number
  /** Bytes, plain where this device can tell. */
  readonly bytes: number
  readonly local: number
  readonly localBytes: number
  readonly missing: number
  /** Bytes on the disk. */
  readonly used: number
}

export function createFileFigures(components: {
  readonly store: Pick<ChainStore, 'projections'>
  readonly pins: Pick<Pins, 'isWhole'>
  readonly events: Events<NodeEvents>
  readonly clock: Clock
}): () => Promise<FileFigures> {
  const { store, pins, events, clock } = components
  let known: { readonly figures: FileFigures; readonly until: number } | undefined
  /** Everybody who asks meanwhile is given the same. */
  let reading: Promise<FileFigures> | undefined
  events.on('record:pending', ({ own }) => {
    if (own) known = undefined
  })

  const read = async (): Promise<FileFigures> => {
    let [seen, bytes, local, localBytes, used] = [0, 0, 0, 0, 0]
    let after: FileEntry | undefined
    for (;;) {
      const page = store.projections.listFiles({
        limit: PAGE_FILES,
        ...(after === undefined ? {} : { after: after.file }),
      })
      for (const { record, details } of page) {
        const { root, storedSize } = record.body
        const size = details?.size ?? storedSize
        seen += 1
        bytes += size
        if (!pins.isWhole(root)) continue
        local += 1
        localBytes += size
        used += storedSize
      }
      after = page.at(-1)
      if (after === undefined || page.length < PAGE_FILES || seen >= MAX_FILES) break
      await sleep(clock, 0)
    }
    const count = seen < MAX_FILES ? seen : store.projections.countFiles()
    return { count, bytes, local, localBytes, missing: seen - local, used }
  }

  return async () => {
    if (known !== undefined && clock.now() < known.until) return known.figures
    const asked = reading ?? read()
    reading = asked
    try {
      const figures = await asked
      if (figures.count > PAGE_FILES) known = { figures, until: clock.now() + FRESH_MS }
      return figures
    } finally {
      if (reading === asked) reading = undefined
    }
  }
}
