/**
 * The contents of files at one destination: sent in the background after each save of the chain, a pack at a time, so
 * that the chain never waits for them; cleaned up; verified; practised.
 *
 * owns: when packs are sent, and that one thing at a time is done there
 * does not own: what is sent (shipping.ts), what is not needed (clean.ts), bringing it back (bringing.ts)
 */
import type { NetworkId, UserId } from '../../../chain/ids.ts'
import type { Clock } from '../../../common/clock.ts'
import { codeOf, messageOf } from '../../../common/errors.ts'
import type { Logger } from '../../../common/logger.ts'
import { createSerialQueue } from '../../../common/queue.ts'
import type { ChainStore } from '../../../storage/chain-store.ts'
import type { Signer } from '../../chain/own-records.ts'
import type { Destination } from '../destination.ts'
import { boundedCalls } from '../destination-calls.ts'
import { askedWait } from '../destination-queue.ts'
import { backupError } from '../errors.ts'
import type { BackupKey } from '../keys.ts'
import type { KeptBackups } from '../retention.ts'
import type { BringSource, LocalContents } from './bringing.ts'
import { type CleanedContents, type ContentsCleaner, createContentsCleaner } from './clean.ts'
import type { MarkOf } from './marks.ts'
import { drillContents, type VerifiedContents, verifyContents } from './proving.ts'
import { createShipping, type Shipping } from './shipping.ts'
import { createStock, type Stock } from './stock.ts'
import type { Wanted } from './wanted.ts'

/** Milliseconds for a call: a pack at 32 KB/s, a list of a hundred thousand objects. */
const CALL_MS = 300_000
/** Milliseconds after the first failure, doubled with each further one, and the most. */
const FIRST_RETRY_MS = 2_000
const MAX_RETRY_MS = 300_000
/** Milliseconds between two clean-ups that nobody asked for. */
const CLEAN_MS = 3_600_000
/** Things that may wait for their turn. */
const MAX_WAITING = 64

export interface ContentsState {
  /** Files that are there whole, the objects that they are in, and the bytes of these. */
  readonly files: number
  readonly packs: number
  readonly bytes: number
  /** What is here and not there yet; undefined: it is not known yet. */
  readonly waiting: { readonly files: number; readonly bytes: number } | undefined
  /** Bytes sent since the start. */
  readonly sent: number
  readonly lastError:
    | { readonly code: string; readonly message: string; readonly time: number }
    | undefined
}

export interface PlaceContents extends BringSource {
  /** Undefined: contents are not sent there. */
  state(): ContentsState | undefined
  /** The chain was saved there, for this recipient: contents have their turn. */
  saved(recipient: string): void
  /** Content is here that was not; undefined: everything is to be looked through. */
  changed(root?: Parameters<Shipping['add']>[0]): void
  /** Sends what is left, or of it what came since the start; ends with `signal`, without an error. */
  flush(what: 'new' | 'all', signal: AbortSignal): Promise<void>
  /** @throws the errors of destinations */
  clean(kept: KeptBackups, signal: AbortSignal): Promise<CleanedContents>
  /** As `clean`, when the last time is long enough ago. */
  cleanIfDue(kept: KeptBackups, signal: AbortSignal): Promise<CleanedContents>
  /** @param all - reads every pack; else those of the day. @throws the errors of destinations */
  verify(all: boolean, signal: AbortSignal): Promise<VerifiedContents | undefined>
  /** @throws what `drillContents` throws */
  drill(
    signal: AbortSignal,
  ): Promise<{ readonly files: number; readonly bytes: number } | undefined>
  /** Ends what is under way. */
  stop(): Promise<void>
}

export interface PlaceContentsComponents {
  readonly store: ChainStore
  readonly signer: Signer
  readonly local: Pick<LocalContents, 'content'>
  readonly wanted: Wanted
  readonly markOf: MarkOf
  readonly clock: Clock
  readonly logger: Logger
}

export interface PlaceContentsInit {
  readonly network: NetworkId
  readonly user: () => UserId | undefined
  readonly key: BackupKey | undefined
  /** Whether contents are sent there. */
  readonly isOn: boolean
  /** Whether the chain waits to be saved there: it goes first. */
  readonly isChainWaiting: () => boolean
}

interface Parts {
  readonly stock: Stock
  readonly shipping: Shipping
  readonly cleaner: ContentsCleaner
}

export function createPlaceContents(
  components: PlaceContentsComponents,
  given: Destination,
  init: PlaceContentsInit,
): PlaceContents {
  const { store, signer, local, wanted, markOf, clock } = components
  const logger = components.logger.child('backup')
  const destination = boundedCalls(given, clock, CALL_MS)
  /** One thing at a time changes or looks up what stands there. */
  const turns = createSerialQueue(MAX_WAITING)
  let parts: Parts | undefined
  let recipient: string | undefined
  let running: Promise<void> | undefined
  let stopping = new AbortController()
  let cancelRetry: (() => void) | undefined
  let isEnding = false
  let failures = 0
  let lastError: ContentsState['lastError']
  /** Asked for while something is under way: looked at again behind it. */
  let asked: number | undefined
  let cleanedAt = Number.NEGATIVE_INFINITY

  /** @throws BACKUP_NOT_READY */
  const made = (): Parts => {
    if (parts !== undefined) return parts
    const user = init.user()
    if (user === undefined) throw backupError('BACKUP_NOT_READY')
    const stock = createStock({ destination, store, signer }, { network: init.network, user })
    const more = { stock, wanted, markOf, clock }
    parts = {
      stock,
      shipping: createShipping({ ...more, content: local.content, device: signer.device }),
      cleaner: createContentsCleaner(more),
    }
    return parts
  }

  const send = async (
    to: string,
    what: Parameters<Shipping['slice']>[1],
    mayGoOn: () => boolean,
    signal: AbortSignal,
  ): Promise<void> => {
    const { shipping } = made()
    while (mayGoOn()) {
      const isMore = await turns.run(() => shipping.slice(to, what, signal), signal)
      failures = 0
      lastError = undefined
      if (!isMore) return
    }
  }

  const failed = (error: unknown): void => {
    failures += 1
    lastError = { code: codeOf(error), message: messageOf(error), time: clock.now() }
    const wait = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 30), MAX_RETRY_MS)
    const pause = Math.max(Math.ceil(wait * (0.5 + clock.random() / 2)), askedWait(error))
    cancelRetry = clock.after(pause, () => {
      cancelRetry = undefined
      kick(0)
    })
    const loud = failures === 1 || failures % 10 === 0
    logger[loud ? 'warn' : 'debug']('Contents could not be backed up; it is tried again', {
      destination: destination.name,
      code: lastError.code,
      why: lastError.message,
      failures,
    })
  }

  /** @param credit - packs that are sent although the chain waits: it may never come to rest */
  const kick = (credit: number): void => {
    const to = recipient
    const isWaiting = to === undefined || cancelRetry !== undefined
    if (!init.isOn || isWaiting || isEnding || stopping.signal.aborted) return
    if (running !== undefined) {
      asked = Math.max(asked ?? 0, credit)
      return
    }
    const { signal } = stopping
    let left = credit
    const mayGoOn = (): boolean => !isEnding && (left-- > 0 || !init.isChainWaiting())
    running = send(to, 'tidy', mayGoOn, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) failed(error)
      })
      .finally(() => {
        running = undefined
        const again = asked
        asked = undefined
        if (again !== undefined) kick(again)
      })
  }

  const clean: PlaceContents['clean'] = async (kept, signal) => {
    if (!init.isOn) return { packs: 0, bytes: 0 }
    cleanedAt = clock.now()
    const { cleaner } = made()
    const cleaned = await turns.run(() => cleaner.clean(kept, signal), signal)
    if (cleaned.packs > 0) {
      const fields = { destination: destination.name, ...cleaned }
      logger.info('Contents that nobody needs were removed', fields)
    }
    return cleaned
  }
  const refreshed = async (signal: AbortSignal): Promise<Stock> => {
    const { stock } = made()
    await turns.run(() => stock.refresh(signal), signal)
    return stock
  }

  return {
    destination,
    state: () => {
      if (!init.isOn) return undefined
      const shelf = parts?.stock.shelf
      const packs = [...(shelf?.packs.values() ?? [])]
      return {
        files: shelf?.files ?? 0,
        packs: packs.length,
        bytes: packs.reduce((sum, { entry }) => sum + entry.size, 0),
        waiting: parts?.shipping.waiting,
        sent: parts?.shipping.sent ?? 0,
        lastError,
      }
    },
    saved: (to) => {
      if (stopping.signal.aborted) stopping = new AbortController()
      recipient = to
      kick(1)
    },
    changed: (root) => {
      if (!init.isOn || init.user() === undefined) return
      const { shipping } = made()
      if (root === undefined) shipping.lookAgain()
      else shipping.add(root)
      kick(0)
    },
    flush: async (what, signal) => {
      if (!init.isOn || recipient === undefined) return
      const to = recipient
      cancelRetry?.()
      cancelRetry = undefined
      const aborted = new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        signal.addEventListener('abort', () => resolve(), { once: true })
      })
      const both = AbortSignal.any([signal, stopping.signal])
      // What is under way ends with its pack.
      isEnding = true
      const sent = (async () => {
        await running
        await send(to, what, () => true, both)
      })()
      await Promise.race([sent.catch(() => {}), aborted])
      isEnding = false
    },
    clean,
    cleanIfDue: async (kept, signal) => {
      if (clock.now() - cleanedAt < CLEAN_MS) return { packs: 0, bytes: 0 }
      return clean(kept, signal)
    },
    verify: async (all, signal) => {
      if (!init.isOn) return undefined
      const stock = await refreshed(signal)
      const about = { key: init.key, all }
      const { bad, ...verified } = await verifyContents(
        { destination, stock, markOf, clock },
        about,
        signal,
      )
      if (bad.size > 0) {
        const { shipping } = made()
        stock.distrust(bad)
        shipping.forget()
        kick(1)
      }
      return verified
    },
    drill: async (signal) => {
      const { key } = init
      if (!init.isOn || key === undefined) return undefined
      const stock = await refreshed(signal)
      return drillContents({ destination, stock, markOf, clock }, { key, wanted }, signal)
    },
    source: async (signal) => ({ destination, shelf: (await refreshed(signal)).shelf }),
    stop: async () => {
      cancelRetry?.()
      cancelRetry = undefined
      stopping.abort(new Error('the node stops'))
      await running
    },
  }
}
