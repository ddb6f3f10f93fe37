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
import type { NetworkParams } from '../../chain/params.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Verifier } from '../chain/intake.ts'
import type { Signer } from '../chain/own-records.ts'
import type { NodeEvents } from '../events.ts'
import { forEach, type Problem, problemOf } from './catalog.ts'
import type { Destination } from './destination.ts'
import { boundedCalls } from './destination-calls.ts'
import {
  createDestinationQueue,
  type DestinationQueue,
  type DestinationState,
} from './destination-queue.ts'
import type { Drilled } from './drill.ts'
import { backupError } from './errors.ts'
import { findBackups } from './find.ts'
import { type Listing, listBackups } from './listing.ts'
import { createProofs, type Proof } from './proofs.ts'
import { createProver, type Prover } from './proving.ts'
import {
  checkNotBehind,
  type Restored,
  type RestoreTarget,
  restoreBackups,
  type Selection,
  selected,
} from './restore.ts'
import {
  type Cleaned,
  type Cleaner,
  createCleaner,
  DEFAULT_RETENTION,
  type RetentionPolicy,
} from './retention.ts'
import { writeSlot } from './slots.ts'
import type { Owner } from './standing.ts'
import type { Verified } from './verify.ts'
import { createWriter, type Saved } from './writer.ts'

/** Milliseconds between looks at what there is to do. */
export const INTERVAL_MS = 300_000
/** Milliseconds that a stop waits for the destinations. */
export const STOP_MS = 8_000
/** Of these, what is left for connections to close. */
const CLOSE_MS = 1_000
const CLEAN_MS = 600_000

export interface BackupsComponents {
  /** Those of the configuration; closed by `stop`. */
  readonly destinations: readonly Destination[]
  readonly owner: Owner
  readonly chain: RestoreTarget['chain']
  readonly store: ChainStore
  readonly signer: Signer
  readonly verifier: Verifier
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export interface BackupsInit {
  readonly params: NetworkParams
  /** By a destination's name; default: by its kind. */
  readonly retention?: Readonly<Record<string, RetentionPolicy>>
  /** Makes the path of a database for a drill, and takes it away; default: in memory. */
  readonly scratchPath?: () => { readonly path: string; remove(): void }
  readonly stopMs?: number
}

export interface DestinationView extends DestinationState {
  readonly verified: Proof | undefined
  readonly drilled: Proof | undefined
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
  restore(selection: Selection, signal: AbortSignal): Promise<Restored>
  /** Removes what retention does not want, now. @throws DESTINATION_UNKNOWN, the errors of destinations */
  prune(destination: string, signal: AbortSignal): Promise<Cleaned>
  /** Lets a passphrase open the backups of all destinations; another one replaces it. @throws BACKUP_KEY_MISSING */
  setPassphrase(passphrase: string, signal: AbortSignal): Promise<readonly Problem[]>
}

interface Place {
  readonly destination: Destination
  readonly queue: DestinationQueue
  readonly cleaner: Cleaner
  readonly prover: Prover
  note(record: Parameters<ReturnType<typeof createWriter>['note']>[0]): void
  unsure(): void
  cleanedAt: number
}

export function createBackups(components: BackupsComponents, init: BackupsInit): Backups {
  const { owner, store, events, clock } = components
  const logger = components.logger.child('backup')
  const proofs = createProofs(store)
  const ends: (() => void)[] = []
  let stopping = new AbortController()
  let chores: Promise<void> = Promise.resolve()
  let cancelTick = (): void => {}

  const places: Place[] = components.destinations.map((given) => {
    const destination = boundedCalls(given, clock)
    const writer = createWriter(components, { destination, owner })
    const policy = init.retention?.[destination.name] ?? DEFAULT_RETENTION[destination.kind]
    const queue = createDestinationQueue({
      destination,
      writer,
      clock,
      logger: components.logger,
      onSaved: () => later(() => cleanSoon(place)),
    })
    const place: Place = {
      destination,
      queue,
      prover: createProver(
        { ...components, destination, queue, proofs },
        { params: init.params, scratchPath: init.scratchPath },
      ),
      cleaner: createCleaner(
        { destination, clock },
        { network: owner.network, user: owner.user, policy },
      ),
      note: writer.note,
      unsure: writer.unsure,
      cleanedAt: Number.NEGATIVE_INFINITY,
    }
    return place
  })

  /** Chores go one after the other, behind everything else; a failed one is tried again at its next time. */
  const later = (chore: () => Promise<void>): void => {
    const { signal } = stopping
    chores = chores.then(async () => {
      if (signal.aborted) return
      await chore().catch((error: unknown) => {
        logger.debug('A chore of the backups failed', {
          code: codeOf(error),
          why: messageOf(error),
        })
      })
    })
  }

  const clean = async (place: Place, signal: AbortSignal): Promise<Cleaned> => {
    place.cleanedAt = clock.now()
    const verified = proofs.get(place.destination, 'verified')
    const object = verified?.code === null ? verified.object : undefined
    const cleaned = await place.cleaner.clean(object, signal)
    if (cleaned.backups + cleaned.objects > 0) {
      logger.info('Old backups were removed', { destination: place.destination.name, ...cleaned })
    }
    return cleaned
  }
  const cleanSoon = async (place: Place): Promise<void> => {
    if (clock.now() - place.cleanedAt >= CLEAN_MS) await clean(place, stopping.signal)
  }

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
    for (const place of places) later(() => place.prover.prove(stopping.signal))
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
        () => stopping.abort(new Error('the node stops')),
      )
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
      cancel()
      for (const { queue, destination } of places) {
        queue.stop()
        const { name } = destination
        if (queue.state().behind)
          logger.warn('Not everything could be backed up at the stop', { destination: name })
      }
      await within(clock, CLOSE_MS, async () => {
        await chores
        await Promise.allSettled(places.map(({ destination }) => destination.close()))
      })
    },
    status: () =>
      places.map(({ destination, queue }) => ({
        ...queue.state(),
        verified: proofs.get(destination, 'verified'),
        drilled: proofs.get(destination, 'drilled'),
      })),
    save: async ({ name, destination, full }, signal) => {
      const chosen = destination === undefined ? places : [placeOf(destination)]
      return Promise.all(
        chosen.map(async (place) => {
          const outcome = { destination: place.destination.name }
          try {
            const saved = await place.queue.save({ name, full: full === true }, signal)
            return { ...outcome, saved, problem: undefined }
          } catch (error) {
            signal.throwIfAborted()
            const problem = problemOf(place.destination, '', error)
            return { ...outcome, saved: undefined, problem }
          }
        }),
      )
    },
    list: (signal) =>
      listBackups(
        places.map(({ destination }) => destination),
        owner.network,
        signal,
      ),
    verify: async (destination, signal, object) =>
      placeOf(destination).prover.verify(signal, object),
    drill: async (destination, signal) => placeOf(destination).prover.drill(signal),
    restore: async (selection, signal) => {
      const destinations = places.map(({ destination }) => destination)
      const found = await findBackups(
        { destinations, logger: components.logger },
        { opener: { key: owner.key }, network: owner.network },
        signal,
      )
      if (found === undefined) throw backupError('BACKUP_NONE', { wanted: 'the newest' })
      const backups = selected(found, selection)
      checkNotBehind(backups, store.tip())
      const { chain, signer } = components
      const target = { chain, store, device: signer.device }
      const { key } = found
      return restoreBackups({ target, logger: components.logger }, { backups, key }, signal)
    },
    prune: async (destination, signal) => clean(placeOf(destination), signal),
    setPassphrase: async (passphrase, signal) => {
      const { key } = owner
      if (key === undefined) throw backupError('BACKUP_KEY_MISSING')
      const problems: Problem[] = []
      await forEach(places, async ({ destination }) => {
        try {
          await writeSlot(destination, key, { passphrase, randomBytes: clock.randomBytes, signal })
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
