/**
 * How many files there are, how large, and how much of them is here. What a file comes to is read when it is new here or
 * shows another version, and kept; what is asked each time are marks of change and pins, a page in each turn of the
 * event loop. Where that takes more than one, the figures stand for a moment.
 */
import type { ContentId, FileId } from '../chain/ids.ts'
import { type Clock, sleep } from '../common/clock.ts'
import type { Events } from '../common/events.ts'
import type { NodeEvents } from '../services/events.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import type { Pins } from '../storage/pins.ts'
import type { FileMark } from '../storage/projections.ts'

/** Files of one turn that are compared, and of these read anew: some ten milliseconds each. */
const PAGE_FILES = 1000
const PAGE_READS = 200
/** Files that are counted at the most: what is kept of each takes some 300 bytes. */
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

/** What a file comes to, while its mark is this one. */
interface Known extends Pick<FileMark, 'mark'> {
  readonly root: ContentId
  readonly storedSize: number
  readonly size: number
}

export function createFileFigures(components: {
  readonly store: { readonly projections: Pick<ChainStore['projections'], FileReads> }
  readonly pins: Pick<Pins, 'isWhole'>
  readonly events: Events<NodeEvents>
  readonly clock: Clock
}): () => Promise<FileFigures> {
  const { pins, events, clock } = components
  const { projections } = components.store
  let figures: { readonly last: FileFigures; readonly until: number } | undefined
  /** Everybody who asks meanwhile is given the same. */
  let reading: Promise<FileFigures> | undefined
  let files: ReadonlyMap<FileId, Known> = new Map()
  events.on('record:pending', ({ own }) => {
    if (!own) return
    figures = undefined
    // What is being read may lack it.
    reading = undefined
  })

  const look = ({ file, mark }: FileMark): Known | undefined => {
    const entry = projections.file(file)
    if (entry === undefined) return undefined
    const { root, storedSize } = entry.record.body
    return { mark, root, storedSize, size: entry.details?.size ?? storedSize }
  }

  const read = async (): Promise<FileFigures> => {
    let [bytes, local, localBytes, used, reads] = [0, 0, 0, 0, 0]
    // Those that are gone are not taken over.
    const now = new Map<FileId, Known>()
    let after: FileId | undefined
    for (;;) {
      const page = projections.fileMarks(Math.min(PAGE_FILES, MAX_FILES - now.size), after)
      for (const each of page) {
        const before = files.get(each.file)
        if (before?.mark !== each.mark) {
          reads += 1
          if (reads % PAGE_READS === 0) await sleep(clock, 0)
        }
        const known = before?.mark === each.mark ? before : look(each)
        if (known === undefined) continue
        now.set(each.file, known)
        const { root, size, storedSize } = known
        bytes += size
        if (!pins.isWhole(root)) continue
        local += 1
        localBytes += size
        used += storedSize
      }
      after = page.at(-1)?.file
      if (page.length < PAGE_FILES || now.size >= MAX_FILES) break
      await sleep(clock, 0)
    }
    files = now
    const seen = now.size
    const count = seen < MAX_FILES ? seen : projections.countFiles()
    return { count, bytes, local, localBytes, missing: seen - local, used }
  }

  return async () => {
    if (figures !== undefined && clock.now() < figures.until) return figures.last
    const asked = reading ?? read()
    reading = asked
    try {
      const last = await asked
      const isLatest = reading === asked
      if (isLatest && last.count > PAGE_READS) figures = { last, until: clock.now() + FRESH_MS }
      return last
    } finally {
      if (reading === asked) reading = undefined
    }
  }
}

type FileReads = 'fileMarks' | 'file' | 'countFiles'
