/**
 * The policy "keep everything": the content of every current version is brought here, and what breaks on this
 * disk is fetched again.
 *
 * What is missing is always derived from the state and from what is pinned here, at the start and after every
 * record about files; nothing has to be remembered over a restart but the blocks that are already here.
 *
 * owns: what is fetched by itself, when, and in which order
 * does not own: how bytes come (network/transfer), that a whole is right and stays (files/copies, pins)
 */
import { CID } from 'multiformats/cid'
import type { ContentId } from '../../chain/ids.ts'
import { toHex } from '../../common/bytes.ts'
import { type Clock, sleep } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { Transfer } from '../../network/transfer/transfer.ts'
import type { ContentBlockstore } from '../../storage/blockstore.ts'
import type { Pins } from '../../storage/pins.ts'
import { dagBlocks } from '../../storage/pins-walk.ts'
import type { NodeEvents } from '../events.ts'
import { createHealing } from './healing.ts'
import { createSchedule, type Missing } from './schedule.ts'
import { type WantedComponents, type WantedContent, wantedContent } from './wanted.ts'

/** Milliseconds in which records about files are gathered before what is missing is looked for. */
const GATHER_MS = 300
/** A scan takes at most this part of the time: the pause after it is so many times its length. */
const SCAN_SHARE = 10
/** Milliseconds without a fetch after the disk was full. */
const FULL_PAUSE_MS = 60_000

/** Codes of content that no other device can have better. */
const WRONG = new Set([
  'CONTENT_DIFFERS',
  'CONTENT_MALFORMED',
  'DAG_INVALID',
  'DAG_TOO_LARGE',
  'CID_UNSUPPORTED',
])

export interface ReplicationComponents extends WantedComponents {
  readonly pins: Pick<Pins, 'choice' | 'isPinned'>
  readonly content: Pick<ContentBlockstore, 'bytes' | 'putVerified' | 'flush' | 'damagedBlocks'>
  /** Brings all bytes of a version here, checks them as a whole, pins them, emits `copy:verified`. */
  readonly complete: (wanted: WantedContent, work: { signal: AbortSignal }) => Promise<void>
  readonly transfer: Pick<Transfer, 'onSource' | 'sources' | 'broker'>
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export interface ReplicationStatus {
  /** Roots that are wanted and not complete here. */
  readonly missing: number
  /** Bytes that those take, what is here of them included. */
  readonly missingBytes: number
  /** Roots that are being fetched. */
  readonly fetching: number
  /** Blocks that were found damaged and are not back yet. */
  readonly damaged: number
}

export interface Replication extends Startable {
  /** Whether every block under `root` is here and was verified: pinned, and nothing of it is known to be damaged. */
  isComplete(root: CID): Promise<boolean>
  status(): ReplicationStatus
}

export function createReplication(components: ReplicationComponents): Replication {
  const { pins, content, complete, transfer, events, clock, logger } = components
  const schedule = createSchedule()
  const healing = createHealing({
    retrieve: (cid, signal) => transfer.broker.retrieve(cid, { signal }),
    store: async (cid, bytes) => {
      await content.putVerified(cid, bytes)
      await content.flush()
    },
    clock,
    logger,
  })
  const work = new Set<Promise<void>>()
  let offs: (() => void)[] = []
  let stopped: AbortController | undefined
  let scanning: Promise<void> | undefined
  let scanAgain = false
  let scan = 0
  let fullUntil = 0
  let stopTimer: (() => void) | undefined

  const scanSoon = (ms: number): void => {
    scanAgain = true
    if (stopped === undefined || scanning !== undefined) return
    scanning = scanLoop(stopped.signal, ms).finally(() => {
      scanning = undefined
    })
    scanning.catch((error) => {
      if (stopped?.signal.aborted === true) return
      logger.error('What is missing here could not be found out', { code: codeOf(error) })
    })
  }

  const scanLoop = async (signal: AbortSignal, firstMs: number): Promise<void> => {
    let pause = firstMs
    while (scanAgain) {
      await sleep(clock, pause, signal)
      scanAgain = false
      const began = clock.now()
      scan += 1
      for (const page of wantedContent(components)) {
        for (const wanted of page) {
          const { root } = wanted.record.body
          if (!pins.isPinned(root)) schedule.add(wanted, scan, clock.now())
        }
        await sleep(clock, 0, signal)
      }
      schedule.keepOnly(scan)
      fill()
      pause = Math.max(GATHER_MS, (clock.now() - began) * SCAN_SHARE)
    }
  }

  const fill = (): void => {
    stopTimer?.()
    stopTimer = undefined
    if (stopped === undefined || stopped.signal.aborted) return
    const now = clock.now()
    const alone = transfer.sources.length === 0
    while (now >= fullUntil) {
      const missing = schedule.next(now, alone)
      if (missing === undefined) break
      const running = bring(missing, stopped.signal).finally(() => work.delete(running))
      work.add(running)
    }
    const due = Math.max(schedule.nextDue() ?? Number.POSITIVE_INFINITY, fullUntil)
    // What is due already waits for a place or for a source, and both call `fill`.
    if (due > now && due < Number.POSITIVE_INFINITY) stopTimer = clock.after(due - now, fill)
  }

  const bring = async (missing: Missing, stop: AbortSignal): Promise<void> => {
    const { root, wanted } = missing
    missing.running = new AbortController()
    try {
      const signal = AbortSignal.any([missing.running.signal, stop])
      if (!pins.isPinned(root)) await complete(wanted, { signal })
      schedule.done(root)
    } catch (error) {
      if (stop.aborted || missing.running.signal.aborted) return
      const code = codeOf(error)
      const wrong = WRONG.has(code)
      if (code === 'STORAGE_FULL') fullUntil = clock.now() + FULL_PAUSE_MS
      schedule.failed(missing, wrong, clock.now(), clock.random())
      const say = wrong || code === 'STORAGE_FULL' ? logger.warn : logger.debug
      say('Content could not be brought here yet', { root, code, attempt: missing.attempts })
    } finally {
      missing.running = undefined
      fill()
    }
  }

  return {
    isComplete: async (root) => {
      if (!pins.isPinned(root.toString() as ContentId)) return false
      // Also where nothing is brought here by itself, and so nothing heals.
      const damaged = new Set(
        content.damagedBlocks().map(({ multihash }) => toHex(multihash.digest)),
      )
      if (healing.size === 0 && damaged.size === 0) return true
      try {
        for await (const { cid } of dagBlocks(root.toString() as ContentId, content.bytes)) {
          const { digest } = cid.multihash
          if (healing.has(digest) || damaged.has(toHex(digest))) return false
        }
        return true
      } catch {
        // A node of the tree cannot be read.
        return false
      }
    },
    status: () => {
      const all = [...schedule.all.values()]
      return {
        missing: all.length,
        missingBytes: all.reduce((sum, { size }) => sum + size, 0),
        fetching: all.filter(({ running }) => running !== undefined).length,
        damaged: healing.size,
      }
    },
    start: async () => {
      if (stopped !== undefined) return
      stopped = new AbortController()
      const aboutFiles = ({ type }: { type: string }): void => {
        if (type.startsWith('file.')) scanSoon(GATHER_MS)
      }
      offs = [
        events.on('record:pending', ({ record }) => aboutFiles(record)),
        events.on('record:confirmed', aboutFiles),
        events.on('chain:reorg', () => scanSoon(GATHER_MS)),
        events.on('copy:damaged', ({ cid }) => healing.add(CID.parse(cid))),
        transfer.onSource(() => {
          healing.hurry()
          schedule.hurry(clock.now())
          fill()
        }),
      ]
      for (const cid of content.damagedBlocks()) healing.add(cid)
      scanSoon(0)
    },
    stop: async () => {
      if (stopped === undefined) return
      for (const off of offs) off()
      stopTimer?.()
      stopped.abort(new Error('the node is stopping'))
      await Promise.allSettled([...work, healing.stop(), scanning])
      stopped = undefined
    },
  }
}
