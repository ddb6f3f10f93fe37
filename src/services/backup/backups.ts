/**
 * Backups of a node: written to each destination by itself, within a second after a change, every five minutes, at the
 * stop and on request; cleaned up; verified daily and drilled weekly.
 *
 * owns: when all this happens
 * does not own: what is written (writer.ts), what is kept (retention.ts), bringing it back at a start (restore.ts)
 *
 * Nothing of the node waits for a destination but its stop, and that for a bounded time. What was acknowledged is
 * durable before any backup: the stop only sends what the last second brought.
 */

import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { NodeEvents } from '../events.ts'
import { forEach, type Problem, problemOf } from './catalog.ts'
import { createChores } from './chores.ts'
import type { ContentsBackState } from './contents/back.ts'
import { createContentsOfNode } from './contents/of-node.ts'
import type { Destination } from './destination.ts'
import { boundedCalls } from './destination-calls.ts'
import type { Drilled } from './drill.ts'
import { backupError } from './errors.ts'
import { createLate, type Late } from './late.ts'
import { type Listing, listBackups } from './listing.ts'
import type { Person } from './person.ts'
import {
  createPlace,
  type DestinationView,
  type Place,
  type PlaceComponents,
  type PlaceInit,
} from './place.ts'
import type { Restored, RestoreTarget } from './restore.ts'
import type { Cleaned } from './retention.ts'
import type { Selection } from './selection.ts'
import { createSlotMaker } from './slot-keeper.ts'
import { takeBack } from './take-back.ts'
import type { Verified } from './verify.ts'
import type { Saved } from './writer.ts'

/** Milliseconds between looks at what there is to do. */
export const INTERVAL_MS = 300_000
/** Milliseconds that a stop waits for the destinations. */
export const STOP_MS = 8_000
/** Of these, what is left for connections to close. */
const CLOSE_MS = 1_000

export interface BackupsComponents extends PlaceComponents {
  /** Those of the configuration; closed by `stop`. */
  readonly destinations: readonly Destination[]
  readonly chain: RestoreTarget['chain']
  readonly events: Events<NodeEvents>
  /** What only a restore reads, and did not hear of; closed by `stop`. */
  readonly sources?: readonly Destination[] | undefined
  /** Told of the user as a backup knows it that was read after the restore. */
  readonly onPerson?: ((person: Person) => Promise<void>) | undefined
}

export interface BackupsInit extends PlaceInit {
  readonly stopMs?: number
  /** Of scrypt; less only in tests. */
  readonly logN?: number
}

export interface SaveOutcome {
  readonly destination: string
  /** Undefined: it has everything already, or the save failed. */
  readonly saved: Saved | undefined
  readonly problem: Problem | undefined
}

export interface Backups extends Startable {
  status(): readonly DestinationView[]
  /** A backup by hand, to all destinations or the one of this name. @throws DESTINATION_UNKNOWN */
  save(
    request: {
      readonly name: string
      readonly destination?: string | undefined
      readonly full?: boolean
      /** Who asked for it: a number that an administrator gave. */
      readonly by?: number | undefined
    },
    signal: AbortSignal,
  ): Promise<readonly SaveOutcome[]>
  /** All backups of this network, the newest first. */
  list(signal: AbortSignal): Promise<Listing>
  /** Reads a backup of a destination, the newest by default. @throws DESTINATION_UNKNOWN, BACKUP_NONE, BACKUP_NOT_READY */
  verify(destination: string, signal: AbortSignal, object?: string): Promise<Verified>
  /** Restores from a destination for practice. @throws DESTINATION_UNKNOWN, what `drillDestination` throws */
  drill(destination: string, signal: AbortSignal): Promise<Drilled>
  /**
   * Takes what the backups of this network hold into the running chain: after a damaged database, or by command.
   *
   * @throws BACKUP_BEHIND: it ends before what is here; BACKUP_NONE, what `findBackups` and `restoreBackups` throw
   */
  restore(
    selection: Selection,
    signal: AbortSignal,
    how?: {
      /** Looked at besides; the caller closes them. */
      readonly more?: readonly Destination[]
      /** Waits for no destination once there is something to restore; what others hold is taken in later. */
      readonly inHaste?: boolean
    },
  ): Promise<Restored>
  /** What came back of contents of files; undefined: nothing is known of them here. */
  contents(): ContentsBackState | undefined
  /** Destinations that a restore did not hear of, and whose backups are not known yet. */
  unseen(): ReturnType<Late['waiting']>
  /** Removes what retention does not want, now. @throws DESTINATION_UNKNOWN, the errors of destinations */
  prune(destination: string, signal: AbortSignal): Promise<Cleaned>
  /** Lets a passphrase open the backups of all destinations; another one replaces it. @throws BACKUP_KEY_MISSING */
  setPassphrase(passphrase: string, signal: AbortSignal): Promise<readonly Problem[]>
}

export function createBackups(components: BackupsComponents, init: BackupsInit): Backups {
  const { owner, store, events, clock } = components
  const logger = components.logger.child('backup')
  const ends: (() => void)[] = []
  const chores = createChores({ logger })
  let stopping = new AbortController()
  let cancelTick = (): void => {}

  const slotMaker = createSlotMaker({ clock }, owner.key, init.logN)
  const places: Place[] = components.destinations.map((given) => {
    const cleanSoon = (): void =>
      chores.add(() => place.cleanIfDue(stopping.signal), stopping.signal)
    const place: Place = createPlace(components, given, {
      ...init,
      slotMaker,
      onSaved: cleanSoon,
    })
    return place
  })

  const target = { chain: components.chain, store, device: components.signer.device }
  const readOnly = (components.sources ?? []).map((each) => boundedCalls(each, clock))
  const late = createLate(
    {
      target,
      destinations: [...places.map(({ destination }) => destination), ...readOnly],
      onPerson: components.onPerson,
      events,
      clock,
      logger: components.logger,
    },
    { network: owner.network, key: owner.key },
  )

  const contents = createContentsOfNode(
    { ...components, contents: components.contents, places: places.map((place) => place.contents) },
    { key: owner.key },
  )

  const changed = (): void => {
    if (owner.user() === undefined) return
    for (const { queue } of places) queue.changed()
  }

  const placeOf = (name: string): Place => {
    const place = places.find(({ destination }) => destination.name === name)
    if (place === undefined) throw backupError('DESTINATION_UNKNOWN', { destination: name })
    return place
  }

  const tick = (): void => {
    changed()
    contents.tick()
    for (const place of places) {
      void place.slot.ensure(stopping.signal)
      chores.add(() => place.prover.prove(stopping.signal), stopping.signal)
    }
    cancelTick = clock.after(INTERVAL_MS, tick)
  }

  return {
    start: async () => {
      if (ends.length > 0) return
      stopping = new AbortController()
      if (places.length === 0) {
        logger.warn('No backup destination is configured: what is here is on this disk alone')
      }
      ends.push(
        events.on('record:pending', ({ record: { id, bytes } }) => {
          for (const place of places) place.note({ id, bytes })
          changed()
          // While this device's own admission is told of, it has no user yet.
          if (owner.user() === undefined) clock.after(0, changed)
        }),
        events.on('chain:tip', changed),
        events.on('block:disconnect', () => {
          for (const place of places) place.unsure()
        }),
        () => cancelTick(),
        () => late.stop(),
        () => stopping.abort(new Error('the node stops')),
      )
      late.start()
      contents.start()
      tick()
    },
    stop: async () => {
      if (ends.length === 0) return
      const deadline = new AbortController()
      const stopMs = init.stopMs ?? STOP_MS
      const cancel = clock.after(stopMs - CLOSE_MS, () => deadline.abort(new Error('too late')))
      for (const end of ends.splice(0)) end()
      if (places.some(({ queue }) => queue.state().lastSaved === undefined)) changed()
      await Promise.all(places.map(({ queue }) => queue.flush(deadline.signal)))
      // Of what is left of the time.
      await contents.stop(deadline.signal)
      cancel()
      for (const { queue, destination } of places) {
        queue.stop()
        const { name } = destination
        if (queue.state().behind)
          logger.warn('Not everything could be backed up at the stop', { destination: name })
      }
      await within(clock, CLOSE_MS, async () => {
        await Promise.all([chores.idle(), late.idle(), contents.idle()])
        await Promise.allSettled(
          [...places.map(({ destination }) => destination), ...readOnly].map((each) =>
            each.close(),
          ),
        )
      })
    },
    status: () => places.map((place) => place.view()),
    save: async ({ name, destination, full, by }, signal) => {
      const chosen = destination === undefined ? places : [placeOf(destination)]
      return Promise.all(
        chosen.map(async (place) => {
          const outcome = { destination: place.destination.name }
          try {
            const saved = await place.queue.save({ name, full: full === true, by }, signal)
            return { ...outcome, saved, problem: undefined }
          } catch (error) {
            signal.throwIfAborted()
            const problem = problemOf(place.destination, '', error)
            return { ...outcome, saved: undefined, problem }
          }
        }),
      )
    },
    list: (signal) => listBackups(places, owner.network, signal),
    verify: async (destination, signal, object) =>
      placeOf(destination).prover.verify(signal, object),
    drill: async (destination, signal) => placeOf(destination).prover.drill(signal),
    restore: async (selection, signal, { more = [], inHaste = false } = {}) => {
      const bounded = more.map((each) => boundedCalls(each, clock))
      const destinations = [...places.map(({ destination }) => destination), ...bounded]
      const take = () =>
        takeBack(
          { destinations, target, clock, logger: components.logger },
          {
            network: owner.network,
            key: owner.key,
            selection,
            patience: inHaste ? { clock } : undefined,
          },
          signal,
        )
      return contents.restore(take, inHaste, signal)
    },
    contents: contents.state,
    unseen: () => late.waiting(),
    prune: async (destination, signal) => placeOf(destination).clean(signal),
    setPassphrase: async (passphrase, signal) => {
      if (owner.key === undefined) throw backupError('BACKUP_KEY_MISSING')
      const problems: Problem[] = []
      await forEach(places, async ({ destination, slot, queue }) => {
        try {
          await slot.set(passphrase, signal)
          // What has no names there is named by the next manifest.
          if (destination.kind === 'ipfs') queue.changed()
        } catch (error) {
          signal.throwIfAborted()
          problems.push(problemOf(destination, '', error))
        }
      })
      return problems
    },
  }
}

/** Waits for `run`, but not longer than `ms`. */
async function within(clock: Clock, ms: number, run: () => Promise<void>): Promise<void> {
  let cancel = (): void => {}
  const late = new Promise<void>((resolve) => {
    cancel = clock.after(ms, resolve)
  })
  await Promise.race([run().catch(() => {}), late])
  cancel()
}
