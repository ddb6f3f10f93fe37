/**
 * Keeps key holders and grantees supplied: after an update the keys of the new version go to the named holders,
 * and after a new generation of keys its metadata key goes to those whose grant stands.
 *
 * The device that makes the version does it at once. Each other device of the owner looks after it when the version is
 * in a block; they wait for each other by rank, so that mostly one does. Keys that were sealed twice do no harm.
 */
import type { DeviceId, FileId, UserId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { isBackup, listDevices } from '../../chain/state/devices.ts'
import { readFile } from '../../chain/state/files.ts'
import { sharedFiles } from '../../chain/state/grants.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import type { Publisher } from '../files/components.ts'
import type { Supply } from './supply.ts'

/** Milliseconds in which records are gathered: what came with a version may follow at once. */
const GATHER_MS = 500
/** Milliseconds that a device leaves each one before it: longer than a block takes. */
const RANK_MS = 5_000
/** Milliseconds until what failed is tried again. */
const RETRY_MS = 30_000
/** Files that wait to be looked at; those beyond come with the next start or update. */
const MAX_FILES = 1024

/** After these a holder or a grantee may lack a key. */
const WATCHED: ReadonlySet<string> = new Set(['file.update', 'grant', 'holder.add'])

export interface SupplyingComponents {
  readonly store: Pick<ChainStore, 'state' | 'record'>
  readonly records: Publisher
  readonly supply: Supply
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export interface Supplying extends Startable {
  /** Does now what waits. */
  settle(): Promise<void>
}

export function createSupplying(components: SupplyingComponents): Supplying {
  const { store, records, supply, self, events, clock } = components
  const logger = components.logger.child('supplying')
  const { state } = store
  const files = new Set<FileId>()
  const offs: (() => void)[] = []
  let stopped = true
  let cancel: (() => void) | undefined
  let running: Promise<void> = Promise.resolve()

  const all = (): void => {
    const owner = self.user()
    if (owner === undefined) return
    for (const file of sharedFiles(state)) {
      if (readFile(state, file)?.owner === owner) files.add(file)
    }
  }

  const look = (record: SignedRecord): void => {
    if (record.user !== self.user() || files.size >= MAX_FILES) return
    if (record.type !== 'file.update' && record.type !== 'grant' && record.type !== 'holder.add') {
      return
    }
    files.add(record.body.file)
    schedule(GATHER_MS)
  }

  /** How many of the user's devices act before this one. */
  const rank = (): number => {
    const user = self.user()
    return listDevices(state)
      .filter(({ device }) => device.user === user && device.active)
      .filter(({ id, device }) => !isBackup(state, id, device))
      .map(({ id }) => id)
      .sort()
      .indexOf(self.device)
  }

  const run = async (): Promise<void> => {
    const owner = self.user()
    const due = [...files]
    files.clear()
    if (owner === undefined || rank() < 0) return
    for (const file of due) {
      if (stopped) return
      for (const statement of await supply.missing(file, owner)) await records.publish(statement)
    }
  }

  const settle = (): Promise<void> => {
    cancel?.()
    cancel = undefined
    running = running.then(run).catch((error: unknown) => {
      if (stopped) return
      logger.warn('Keys of files could not be passed on; it is tried again', {
        code: codeOf(error),
      })
      all()
      schedule(RETRY_MS)
    })
    return running
  }
  const schedule = (ms: number): void => {
    if (cancel !== undefined) return
    cancel = clock.after(ms + Math.max(0, rank()) * RANK_MS, () => {
      cancel = undefined
      void settle()
    })
  }

  return {
    settle,
    start: async () => {
      if (!stopped) return
      stopped = false
      offs.push(
        // A version that is made here: with it its keys go out, so that nobody has it without them for long.
        events.on('record:pending', ({ record, own }) => {
          if (!own || record.type !== 'file.update' || record.body.visibility !== 'private') return
          files.add(record.body.file)
          void settle()
        }),
        events.on('record:confirmed', ({ record, type }) => {
          const stored = WATCHED.has(type) ? store.record(record) : undefined
          if (stored !== undefined) look(stored.record)
        }),
      )
      all()
      if (files.size > 0) schedule(GATHER_MS)
    },
    stop: async () => {
      stopped = true
      cancel?.()
      cancel = undefined
      for (const off of offs.splice(0)) off()
      await running
    },
  }
}
