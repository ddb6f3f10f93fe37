/**
 * No key leaves this device before it knows what it gave out. Its data directory may be an old copy that somebody put
 * back: releases that it made since then are in the chain, and at its peers. So after a start, and whenever a peer
 * brings records of this device that are missing here, keys wait for a sync that ended well: with somebody else than
 * the one who asks, where anybody else is known, since who wants one more key would not tell. It is bounded: a node
 * that is alone goes on after a while.
 */
import type { DeviceId, UserId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { NodeEvents } from '../events.ts'

/** Milliseconds that keys wait: for connections to all who are on, and one exchange with them. */
const HOLD_MS = 10_000
/** Milliseconds in all, however slowly records of this device come: whoever has them must not stop it for long. */
const MAX_HOLD_MS = 60_000
/** Users whose devices were synced with. */
const MAX_SYNCED = 256

export interface ReleaseHold extends Startable {
  /** Resolves when a key may leave to a device of `asker`. @throws the signal's reason */
  ready(asker: UserId | undefined, signal: AbortSignal): Promise<void>
  /** A sync with a device has ended well: what it knows is known here. */
  synced(device: DeviceId): void
}

export interface ReleaseHoldComponents {
  readonly events: Events<NodeEvents>
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly userOf: (device: DeviceId) => UserId | undefined
  /** Whether this device signed anything before this start. */
  readonly signedBefore: () => boolean
  /** Devices that this one knows how to reach, or is connected with. */
  readonly known: () => readonly DeviceId[]
}

export function createReleaseHold(components: ReleaseHoldComponents): ReleaseHold {
  const { events, clock, userOf, signedBefore, known } = components
  const synced = new Set<string>()
  const waiters = new Set<() => void>()
  let cancel: (() => void) | undefined
  /** When the hold that lasts began. */
  let since: number | undefined
  /** No hold begins before this time: the last one was drawn out as long as one may be. */
  let restUntil = 0
  let started = false

  const wake = (): void => {
    for (const look of [...waiters]) look()
  }
  const end = (): void => {
    cancel?.()
    cancel = undefined
    since = undefined
    wake()
  }
  const begin = (): void => {
    since ??= clock.now()
    synced.clear()
    cancel?.()
    const left = Math.max(0, since + MAX_HOLD_MS - clock.now())
    cancel = clock.after(Math.min(HOLD_MS, left), () => {
      if (left <= HOLD_MS) restUntil = clock.now() + MAX_HOLD_MS
      end()
    })
  }
  const nameOf = (device: DeviceId): string => userOf(device) ?? device
  const mayGo = (asker: string | undefined): boolean => {
    if (since === undefined) return true
    for (const user of synced) if (user !== asker) return true
    if (asker === undefined || !synced.has(asker)) return false
    return known().every((device) => nameOf(device) === asker)
  }

  events.on('record:adopted', () => {
    if (started && clock.now() >= restUntil) begin()
  })

  return {
    start: async () => {
      if (started) return
      started = true
      if (signedBefore()) begin()
    },
    stop: async () => {
      started = false
      end()
    },
    synced: (device) => {
      if (since === undefined || synced.size >= MAX_SYNCED) return
      synced.add(nameOf(device))
      wake()
    },
    ready: (asker, signal) =>
      new Promise((resolve, reject) => {
        const done = (settle: () => void): void => {
          waiters.delete(look)
          signal.removeEventListener('abort', look)
          settle()
        }
        const look = (): void => {
          if (signal.aborted) done(() => reject(signal.reason))
          else if (mayGo(asker)) done(resolve)
        }
        waiters.add(look)
        signal.addEventListener('abort', look)
        look()
      }),
  }
}
