/**
 * Opens what private versions say as soon as this device can: after a start, when a version, a grant or a key
 * comes. What was opened stands in the read models, and files are listed and found by their names.
 */
import type { FileId, RecordId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { VersionRecord } from '../../storage/projections.ts'
import type { NodeEvents } from '../events.ts'
import type { FileKeys } from './file-keys.ts'

/** Milliseconds in which records are gathered. */
const GATHER_MS = 50
/** Versions that one turn looks at: some ten milliseconds. */
const PAGE_VERSIONS = 64
/** Versions that are looked at one by one; more: all that are sealed. */
const MAX_NAMED = 1024

export interface OpeningComponents {
  readonly store: Pick<
    ChainStore,
    'projections' | 'sealedVersions' | 'setDetails' | 'record' | 'transaction'
  >
  readonly keys: Pick<FileKeys, 'open'>
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

export interface Opening extends Startable {
  /** Resolves when everything that came before this call was looked at. */
  idle(): Promise<void>
}

export function createOpening(components: OpeningComponents): Opening {
  const { store, keys, events, clock } = components
  const logger = components.logger.child('opening')
  const named = new Set<RecordId>()
  let all = false
  let running: Promise<void> | undefined
  let cancel: (() => void) | undefined
  let stopped = true
  const offs: (() => void)[] = []

  const open = async (versions: readonly VersionRecord[]): Promise<void> => {
    const opened: { id: RecordId; details: Parameters<typeof store.setDetails>[1] }[] = []
    for (const version of versions) {
      const found = await keys.open(version)
      if (found !== undefined) opened.push({ id: version.id, details: found.details })
    }
    if (opened.length === 0) return
    store.transaction(() => {
      for (const { id, details } of opened) store.setDetails(id, details)
    })
  }

  const run = async (): Promise<void> => {
    while (!stopped && (all || named.size > 0)) {
      if (all) {
        all = false
        named.clear()
        let after: RecordId | undefined
        for (;;) {
          const page = store.sealedVersions(PAGE_VERSIONS, after)
          await open(page)
          after = page.at(-1)?.id
          if (after === undefined || page.length < PAGE_VERSIONS || stopped) break
        }
        continue
      }
      const ids = [...named].slice(0, PAGE_VERSIONS)
      for (const id of ids) named.delete(id)
      await open(ids.flatMap((id) => versionOf(store.record(id)?.record) ?? []))
    }
  }

  const settle = (): Promise<void> => {
    cancel?.()
    cancel = undefined
    running ??= run()
      .catch((error: unknown) => {
        if (!stopped) logger.error('Private files could not be opened', { code: codeOf(error) })
      })
      .finally(() => {
        running = undefined
        if (all || named.size > 0) soon()
      })
    return running
  }
  const soon = (): void => {
    if (stopped || running !== undefined) return
    cancel ??= clock.after(GATHER_MS, () => void settle())
  }

  const ofFile = (file: FileId): void => {
    for (const { record } of store.projections.versionsOf(file)) named.add(record.id)
  }
  const look = (record: SignedRecord): void => {
    switch (record.type) {
      case 'file.add':
      case 'file.update':
        if (record.body.visibility !== 'private') return
        named.add(record.id)
        break
      case 'grant':
      case 'holder.add':
        ofFile(record.body.file)
        break
      case 'user.key':
      case 'key.copy':
        all = true
        break
      default:
        return
    }
    if (named.size > MAX_NAMED) all = true
    soon()
  }

  return {
    start: async () => {
      stopped = false
      all = true
      offs.push(
        events.on('record:pending', ({ record }) => look(record)),
        events.on('record:confirmed', ({ record, type, visibility }) => {
          // Not read before it is known to matter: a long sync tells of every record.
          if (!WATCHED.has(type) || visibility === 'public') return
          const stored = store.record(record)
          if (stored !== undefined) look(stored.record)
        }),
      )
      soon()
    },
    stop: async () => {
      stopped = true
      cancel?.()
      cancel = undefined
      for (const off of offs.splice(0)) off()
      await running
    },
    idle: async () => {
      if (!stopped) await settle()
    },
  }
}

const WATCHED: ReadonlySet<string> = new Set([
  'file.add',
  'file.update',
  'grant',
  'holder.add',
  'user.key',
  'key.copy',
])

function versionOf(record: SignedRecord | undefined): VersionRecord | undefined {
  return record?.type === 'file.add' || record?.type === 'file.update' ? record : undefined
}
