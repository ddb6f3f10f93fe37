/**
 * Blocks that were found damaged on this disk: fetched again from others, one after the other, until each is
 * whole. While one is not, roots that need it do not count as complete.
 */
import type { CID } from 'multiformats/cid'
import { toHex } from '../../common/bytes.ts'
import { type Clock, sleep } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'

/** Damaged blocks that are known at a time; a disk with more is to be replaced, and reading finds the rest. */
const MAX_DAMAGED = 4096
/** Milliseconds until a block that nobody had is asked for again. */
const PAUSE_MS = 30_000
/** Milliseconds for one block. */
const ATTEMPT_MS = 60_000

export interface Healing {
  readonly size: number
  add(cid: CID): void
  /** Whether one of these digests is damaged. */
  has(digest: Uint8Array): boolean
  /** Somebody new can be asked. */
  hurry(): void
  stop(): Promise<void>
}

export interface HealingComponents {
  /** The verified bytes of a block from another device. */
  retrieve(cid: CID, signal: AbortSignal): Promise<Uint8Array>
  store(cid: CID, bytes: Uint8Array): Promise<void>
  clock: Clock
  logger: Logger
}

export function createHealing({ retrieve, store, clock, logger }: HealingComponents): Healing {
  const damaged = new Map<string, CID>()
  const stopped = new AbortController()
  let wake = new AbortController()
  let working: Promise<void> | undefined

  const heal = async (key: string, cid: CID): Promise<void> => {
    const limit = new AbortController()
    const late = clock.after(ATTEMPT_MS, () => limit.abort(new Error('too slow')))
    try {
      const bytes = await retrieve(cid, AbortSignal.any([limit.signal, stopped.signal]))
      await store(cid, bytes)
      damaged.delete(key)
      logger.info('A damaged block was fetched again', { cid: cid.toString() })
    } catch (error) {
      logger.debug('A damaged block is not back yet', { cid: cid.toString(), code: codeOf(error) })
    } finally {
      late()
    }
  }

  const work = async (): Promise<void> => {
    while (damaged.size > 0 && !stopped.signal.aborted) {
      for (const [key, cid] of [...damaged]) {
        if (!stopped.signal.aborted) await heal(key, cid)
      }
      if (damaged.size === 0) break
      wake = new AbortController()
      await sleep(clock, PAUSE_MS, AbortSignal.any([wake.signal, stopped.signal])).catch(() => {})
    }
    working = undefined
  }

  return {
    get size() {
      return damaged.size
    },
    add: (cid) => {
      if (damaged.size >= MAX_DAMAGED || stopped.signal.aborted) return
      damaged.set(toHex(cid.multihash.digest), cid)
      working ??= work()
      wake.abort()
    },
    has: (digest) => damaged.has(toHex(digest)),
    hurry: () => wake.abort(),
    stop: async () => {
      stopped.abort(new Error('the node is stopping'))
      await working
    },
  }
}
