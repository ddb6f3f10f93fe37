/**
 * What a restore did not wait for: the backups of a destination that was silent then are taken into the running chain
 * as soon as it answers, through the same checks. So the newest of all wins, if later.
 */
import type { NetworkId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import { tellAside } from './aside.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { findBackups } from './find.ts'
import type { BackupKey } from './keys.ts'
import type { Person } from './person.ts'
import { type RestoreTarget, restoreBackups } from './restore.ts'
import { createUnseen, missedOf } from './unseen.ts'

/** Milliseconds until the first try, doubled after each, and the most. */
const FIRST_MS = 1_000
const MAX_MS = 300_000
/** Tries in one run of the program: a day; the next start goes on. */
const MAX_TRIES = 300
/** What was told of already, at the restore. */
const SILENT: ReadonlySet<string> = new Set(['BACKUP_UNREACHABLE', 'BACKUP_NOT_READY'])
/** Where nothing is to be had: it was read, and another try brings the same. */
const FINAL: ReadonlySet<string> = new Set(['BACKUP_UNREADABLE', 'BACKUP_NETWORK'])

export interface LateComponents {
  /** Those of the configuration and what only a restore reads; each call to them is bounded. */
  readonly destinations: readonly Destination[]
  readonly target: RestoreTarget & { readonly store: ChainStore }
  /** Told of the user as the late backup knows it, once its chain is here. */
  readonly onPerson: ((person: Person) => Promise<void>) | undefined
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export interface Late {
  start(): void
  stop(): void
  /** Resolves when what is under way has ended. */
  idle(): Promise<void>
  /** Destinations whose backups are not known yet, and why the last try failed. */
  waiting(): readonly { readonly destination: string; readonly why: string | undefined }[]
}

export function createLate(
  components: LateComponents,
  init: { readonly network: NetworkId; readonly key: BackupKey | undefined },
): Late {
  const { destinations, target, clock, onPerson } = components
  const { key, network } = init
  const logger = components.logger.child('backup')
  const unseen = createUnseen(target.store)
  let stopping = new AbortController()
  const cancels = new Set<() => void>()
  const running = new Set<Promise<void>>()
  const failures = new Map<string, string>()

  const take = async (destination: Destination, signal: AbortSignal): Promise<void> => {
    const found = await findBackups(
      { destinations: [destination], logger: components.logger },
      { opener: { key }, network },
      signal,
    )
    if (found === undefined) return
    if (found.unseen.length > 0) {
      throw backupError('BACKUP_UNREACHABLE', { destinations: destination.name })
    }
    const { backups, person } = found
    const { height, records, problems } = await restoreBackups(
      { target, clock, logger: components.logger },
      { backups, key: found.key },
      signal,
    )
    // It fell silent again in the middle: what it has is not all here.
    const isWhole = missedOf([destination], [], [...found.problems, ...problems]).length === 0
    if (!isWhole) throw backupError('BACKUP_UNREACHABLE', { destinations: destination.name })
    for (const { manifest } of backups) {
      tellAside({ store: target.store, events: components.events }, manifest.tip)
    }
    await onPerson?.(person)
    logger.warn('A destination that was silent at the restore has answered: its backups are in', {
      destination: destination.name,
      height,
      records,
    })
  }

  const later = (destination: Destination, tries: number): void => {
    const { signal } = stopping
    if (signal.aborted || tries >= MAX_TRIES) return
    const cancel = clock.after(Math.min(FIRST_MS * 2 ** Math.min(tries, 30), MAX_MS), () => {
      cancels.delete(cancel)
      const taking = take(destination, signal).then(
        () => unseen.remove(destination),
        (error: unknown) => {
          if (signal.aborted) return
          const code = codeOf(error)
          const fields = { destination: destination.name, code, why: messageOf(error) }
          if (FINAL.has(code)) {
            unseen.remove(destination)
            logger.warn('Nothing can be taken from a destination that answered late', fields)
            return
          }
          failures.set(destination.name, fields.why)
          logger[tries === 0 && !SILENT.has(code) ? 'warn' : 'debug'](
            'What a destination holds that was silent at the restore cannot be taken in yet',
            fields,
          )
          later(destination, tries + 1)
        },
      )
      running.add(taking)
      taking.finally(() => running.delete(taking))
    })
    cancels.add(cancel)
  }

  return {
    start: () => {
      stopping = new AbortController()
      if (key === undefined) return
      for (const destination of destinations.filter(unseen.has)) later(destination, 0)
    },
    stop: () => {
      stopping.abort(new Error('the node stops'))
      for (const cancel of cancels) cancel()
      cancels.clear()
    },
    idle: async () => {
      await Promise.all(running)
    },
    waiting: () =>
      key === undefined
        ? []
        : destinations
            .filter(unseen.has)
            .map(({ name }) => ({ destination: name, why: failures.get(name) })),
  }
}
