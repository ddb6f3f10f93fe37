/**
 * Lets go of content that no file wants any more, and then of its bytes. Runs now and then beside everything
 * else; what it may delete, and what not, stands in storage/pins-sweep.ts.
 */
import type { ContentId, FileId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ContentBlockstore } from '../../storage/blockstore.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { PinBook } from '../../storage/pins.ts'
import { GRACE_MS, type SweepResult, sweep } from '../../storage/pins-sweep.ts'
import type { NodeEvents } from '../events.ts'
import { createRemovals } from './removals.ts'

/** Milliseconds between two runs. */
const EVERY_MS: number = GRACE_MS
/** Roots looked at between two turns of the event loop. */
const PAGE = 100

export interface CollectResult extends SweepResult {
  /** Roots that no file wants any more. */
  readonly unpinned: number
}

export interface Collector extends Startable {
  /** One run, after the one that is under way. @throws disk errors; the signal's reason */
  collect(signal: AbortSignal): Promise<CollectResult>
}

export interface CollectorComponents {
  readonly store: Pick<ChainStore, 'projections' | 'tip' | 'block'>
  readonly pins: PinBook
  readonly content: Pick<ContentBlockstore, 'bytes' | 'digests' | 'deleteIfUnusedSince'>
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export function createCollector(components: CollectorComponents): Collector {
  const { store, pins, content, events, clock } = components
  const { projections } = store
  const logger = components.logger.child('collector')

  const removals = createRemovals({ store, clock })
  const isWanted = (root: ContentId, file: FileId): boolean =>
    pins.choice(file) !== 'freed' && removals.wants(root, file)
  /** Pins that no file wants. A pin without any file is an add that ended between pin and record. */
  const unpinUnwanted = async (signal: AbortSignal): Promise<number> => {
    let unpinned = 0
    let page = pins.pinned(PAGE)
    while (page.length > 0) {
      signal.throwIfAborted()
      for (const { root, since } of page) {
        const files = projections.filesByRoot(root)
        const young = clock.now() - since < GRACE_MS
        if (young || files.some((file) => isWanted(root, file))) continue
        pins.unpin(root)
        unpinned += 1
      }
      await new Promise((resolve) => setImmediate(resolve))
      page = pins.pinned(PAGE, page.at(-1)?.root)
    }
    return unpinned
  }
  const run = async (signal: AbortSignal): Promise<CollectResult> => {
    const unpinned = await unpinUnwanted(signal)
    return { ...(await sweepNow(signal, GRACE_MS)), unpinned }
  }
  const sweepNow = async (signal: AbortSignal, graceMs: number): Promise<SweepResult> => {
    const swept = await sweep({ pins, store: content, now: clock.now, graceMs }, signal)
    if (swept.incomplete.length > 0) {
      logger.warn('Content that is held here lacks parts; nothing was deleted', {
        roots: swept.incomplete.length,
      })
    }
    if (swept.blocks > 0) logger.info('Unwanted content was deleted', { bytes: swept.bytes })
    return swept
  }

  let stopping: AbortController | undefined
  let running: Promise<unknown> = Promise.resolve()
  let cancel: () => void = () => {}
  const collect = (signal: AbortSignal): Promise<CollectResult> => {
    const result = running.then(() => run(signal))
    running = result.catch(() => {})
    return result
  }
  const failed = (error: unknown, controller: AbortController): void => {
    if (controller.signal.aborted) return
    logger.error('Unwanted content could not be deleted', { code: codeOf(error) })
  }
  /** What an add left that filled the disk goes at once: until then nothing could be written, a block neither. */
  const sweepFull = (controller: AbortController): void => {
    running = running
      .then(() => sweepNow(controller.signal, 0))
      .catch((error) => failed(error, controller))
  }
  let off: () => void = () => {}
  const plan = (controller: AbortController): void => {
    cancel = clock.after(EVERY_MS, () => {
      collect(controller.signal)
        .catch((error) => failed(error, controller))
        .finally(() => {
          if (!controller.signal.aborted) plan(controller)
        })
    })
  }

  return {
    collect,
    start: async () => {
      if (stopping !== undefined) return
      const controller = new AbortController()
      stopping = controller
      off = events.on('add:full', () => sweepFull(controller))
      plan(controller)
    },
    stop: async () => {
      stopping?.abort()
      stopping = undefined
      cancel()
      off()
      await running
    },
  }
}
