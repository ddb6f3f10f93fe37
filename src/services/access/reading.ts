/**
 * The reader: says on the chain that it reads somebody else's private file, waits for what the rules say, and asks
 * the key holders for the key.
 *
 * owns: waiting, and that one read is one access, also over a restart
 * does not own: whether it may (chain/state/grants.ts, and the key holder: releasing.ts), streams
 *
 * The key stays in memory for some minutes, unless the grant ends before, and is never written to the disk.
 */
import type { DeviceId, FileId, RecordId, UserId, VersionId } from '../../chain/ids.ts'
import { readRecordState } from '../../chain/state/records.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import { createDeadline } from '../../network/deadline.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import type { Directory } from '../explorer/directory.ts'
import type { Publisher } from '../files/components.ts'
import type { ReadableVersion, ReadingWait, ReadingWork } from '../files/secrets.ts'
import type { Gate } from '../people/gate.ts'
import { type AskingComponents, createAsking, denied } from './asking.ts'
import { accessError } from './errors.ts'
import { deviceLabel, keyHoldersOf } from './key-holders.ts'
import { createOwnAccesses } from './own-access.ts'

export interface ReadingComponents extends AskingComponents {
  readonly store: Pick<ChainStore, 'state' | 'meta' | 'setMeta'> & {
    readonly projections: Pick<ChainStore['projections'], 'fileOf' | 'accessesOf' | 'grantsOf'>
  }
  readonly records: Publisher
  readonly people: Pick<Gate, 'userOf'>
  readonly directory: Pick<Directory, 'device' | 'userOf'>
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  readonly events: Events<NodeEvents>
  readonly clock: Clock
}

export interface ReadingInit {
  /** Milliseconds that one call waits at most. */
  readonly patienceMs?: number
}

export interface ReadingService {
  /**
   * States that this user reads a version, also without a grant, so that the attempt stands in the log. Resolves
   * to the access when the rules allow it; one whose key did not come is used again.
   *
   * @throws ACCESS_DENIED, ACCESS_UNCONFIRMED when the time is over, NOT_ADMITTED, and the signal's reason
   */
  requestAccess(wanted: ReadableVersion, work: ReadingWork): Promise<RecordId>
  /**
   * The key of a version's bytes, 32 bytes, from the first key holder that gives it.
   *
   * @throws as requestAccess, and KEY_HOLDER_AWAY when the time is over
   */
  contentKey(wanted: ReadableVersion, work: ReadingWork): Promise<Uint8Array>
}

/** A person waits for that long, and then is told for whom; the next call goes on. */
const PATIENCE_MS = 10 * 60_000
/** Milliseconds after which holders are asked again that said to come later. */
const RETRY_MS = 5_000
/** Milliseconds that a key stays in memory: that long one read may take in pieces. */
const KEEP_MS = 10 * 60_000
/** Keys in memory. */
const MAX_KEYS = 1024

interface Kept {
  readonly access: RecordId
  readonly key: Uint8Array
}

export function createReading(
  components: ReadingComponents,
  init: ReadingInit = {},
): ReadingService {
  const { store, records, directory, self, events, clock } = components
  const asking = createAsking(components)
  const { state, projections } = store
  const { people } = components
  const own = createOwnAccesses({ store, people, clock, device: self.device })
  const kept = new Map<VersionId, Kept>()
  const stating = new Map<VersionId, Promise<RecordId>>()

  const keep = (version: VersionId, entry: Kept): void => {
    kept.delete(version)
    kept.set(version, entry)
    const oldest = kept.keys().next().value
    if (kept.size > MAX_KEYS && oldest !== undefined) kept.delete(oldest)
    clock.after(KEEP_MS, () => {
      if (kept.get(version) === entry) kept.delete(version)
    })
  }
  const fileOf = (version: VersionId): FileId => projections.fileOf(version) ?? version

  /** A key that is here; what was taken back, or is over, is forgotten, and the next read is a new attempt. */
  const held = (version: VersionId): Kept | undefined => {
    const user = self.user()
    if (user === undefined || own.isOver(fileOf(version), user)) kept.delete(version)
    return kept.get(version)
  }

  const publishAccess = async (version: VersionId): Promise<RecordId> => {
    const file = fileOf(version)
    const user = self.user()
    const grant = user === undefined ? undefined : own.grantFor(file, user)
    const before = own.unused(file, version, grant)
    if (before !== undefined) return before
    const body = { version, ...(grant === undefined ? {} : { grant }) }
    return (await records.publish({ type: 'access', body })).identity
  }
  /** Two who read the same at once share one access. */
  const stated = (version: VersionId): Promise<RecordId> => {
    const running = stating.get(version)
    if (running !== undefined) return running
    const now = publishAccess(version).finally(() => stating.delete(version))
    stating.set(version, now)
    return now
  }

  /** Resolves when something happened that may change an answer, or after a time. */
  const change = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const done = (): void => {
        cancel()
        for (const off of offs) off()
        signal.removeEventListener('abort', done)
        if (signal.aborted) reject(signal.reason)
        else resolve()
      }
      const cancel = clock.after(RETRY_MS, done)
      const offs = (['chain:tip', 'peer:connect'] as const).map((name) => events.on(name, done))
      signal.addEventListener('abort', done, { once: true })
    })

  /** Runs `run` within the patience of one call. Where it stands when the time is over is the error. */
  const patiently = async <T>(
    work: ReadingWork,
    run: (signal: AbortSignal, stand: Stand) => Promise<T>,
  ): Promise<T> => {
    const whole = createDeadline(clock, init.patienceMs ?? PATIENCE_MS, work.signal)
    let late = (): Error => accessError('ACCESS_UNCONFIRMED')
    let told = ''
    try {
      return await run(whole.signal, (error, wait) => {
        late = error
        const now = wait === undefined ? told : `${wait.for} ${wait.holders.join()}`
        if (wait === undefined || now === told) return
        told = now
        work.onWait?.(wait)
      })
    } catch (error) {
      if (!whole.signal.aborted || !isTimeout(whole.signal.reason)) throw error
      throw late()
    } finally {
      whole.end()
    }
  }

  /** Resolves when the rules allow it. */
  const allowed = async (access: RecordId, signal: AbortSignal, stand: Stand): Promise<void> => {
    for (;;) {
      const place = readRecordState(state, access)
      if (place?.outcome === 'applied') return
      if (place?.outcome === 'rejected') throw denied(place.code ?? 'ACCESS_NO_GRANT')
      const late = (): Error => accessError('ACCESS_UNCONFIRMED', { access })
      stand(late, { for: 'confirmation', holders: [] })
      await change(signal)
    }
  }

  return {
    requestAccess: ({ version }, work) =>
      patiently(work, async (signal, stand) => {
        const access = held(version)?.access ?? (await stated(version))
        await allowed(access, signal, stand)
        return access
      }),
    contentKey: (wanted, work) =>
      patiently(work, async (signal, stand) => {
        const { version } = wanted
        const access = held(version)?.access ?? (await stated(version))
        for (;;) {
          // Again each time: a reorg may have denied it.
          await allowed(access, signal, stand)
          const here = held(version)
          if (here !== undefined) return here.key
          const holders = keyHoldersOf(state, fileOf(version)).filter((id) => id !== self.device)
          const names = holders.map((holder) => deviceLabel(directory, holder))
          const late = (): Error =>
            accessError('KEY_HOLDER_AWAY', { holders: names.join(', '), access })
          stand(late)
          const key = await asking.askAll(wanted, access, holders, signal)
          if (key !== undefined) {
            own.received(access)
            keep(version, { access, key })
            return key
          }
          stand(late, { for: 'key-holder', holders: names })
          await change(signal)
        }
      }),
  }
}

/** Notes where a call stands: the error when its time is over now, and what a person is told that it waits for. */
type Stand = (late: () => Error, wait?: ReadingWait) => void

function isTimeout(reason: unknown): boolean {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
}
