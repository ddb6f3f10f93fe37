/**
 * Which backups a destination keeps, and the removal of the others.
 *
 * A backup is kept when any rule wants it. Kept whatever the rules say are the one with most work, the newest of each
 * device, the newest that was verified, and those of the last minutes, which somebody may be restoring. An object that
 * no manifest names is removed only when it was found so an hour before too: a node that continues an old backup
 * looks again at what is there after half an hour (writer.ts), so two nodes may clean up together.
 */
import { type DeviceId, deviceIdOf, type NetworkId, type UserId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { CairnError, codeOf } from '../../common/errors.ts'
import { type CatalogEntry, newestFirst, readCatalog, readSegmentList } from './catalog.ts'
import type { Destination, DestinationKind, StoredObject } from './destination.ts'
import { isDrillNotice } from './drill-notice.ts'
import { deviceOf, folderOf, type Manifest, manifestNumber, segmentName } from './manifest.ts'

/** A backup is kept when one of these wants it. */
export interface RetentionPolicy {
  /** So many of the newest. */
  readonly last?: number | undefined
  /** Of so many days: those with a name, and of the others the last of each hour. */
  readonly days?: number | undefined
  /** All. */
  readonly permanent?: boolean | undefined
}

export const DEFAULT_RETENTION: Readonly<Record<DestinationKind, RetentionPolicy>> = {
  postgres: { last: 10, days: 30 },
  s3: { last: 10, days: 30 },
  gcs: { last: 10, days: 30 },
  ipfs: { permanent: true },
  folder: { last: 1 },
}

/** Milliseconds in which a backup may be read by somebody who restores. */
const RECENT_MS = 600_000
/** Milliseconds between the pass that first finds an object without a manifest and the one that removes it. */
export const ORPHAN_MS = 3_600_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** Why a list of full segments will not be read another time. */
const LOST: ReadonlySet<string> = new Set(['OBJECT_NOT_FOUND', 'BACKUP_DAMAGED'])
/** Manifests with these are none of ours: anybody who can write there can put them. */
const IGNORED: ReadonlySet<string> = new Set(['BACKUP_MANIFEST', 'BACKUP_FORGED'])
/** Objects without a manifest that are remembered. */
const MAX_ORPHANS = 100_000

/** What retention looks at. */
export interface Kept
  extends Pick<Manifest, 'object' | 'time' | 'manual' | 'work' | 'number' | 'network' | 'device'> {
  /** When the destination got it, milliseconds UTC: of whoever wrote it with a clock that was behind, it says more. */
  readonly stored?: number | undefined
}

/** The backups that stay, by the names of their objects. @param verified - the newest one that was verified */
export function keptBy(
  policy: RetentionPolicy,
  backups: readonly Kept[],
  { now, verified }: { readonly now: number; readonly verified: string | undefined },
): ReadonlySet<string> {
  const byTime = [...backups].sort((a, b) => b.time - a.time || b.number - a.number)
  if (policy.permanent === true) return new Set(byTime.map(({ object }) => object))
  const kept = new Set<string>()
  const hours = new Set<number>()
  // By the number, not the time: a clock may have gone back.
  const lastOfLines = new Map<string, Kept>()
  for (const each of backups) {
    const last = lastOfLines.get(folderOf(each))
    if (last === undefined || each.number > last.number) lastOfLines.set(folderOf(each), each)
  }
  const best = byTime.toSorted((a, b) => (a.work === b.work ? 0 : a.work > b.work ? -1 : 1))[0]
  if (best !== undefined) kept.add(best.object)
  for (const [index, { object, time, manual, stored = time, ...rest }] of byTime.entries()) {
    const age = now - Math.max(time, stored)
    const hour = Math.floor(time / HOUR_MS)
    const lastOfHour = !hours.has(hour)
    hours.add(hour)
    const inDays = policy.days !== undefined && age <= policy.days * DAY_MS
    const newestOfLine = lastOfLines.get(folderOf(rest))?.object === object
    const wanted =
      index < (policy.last ?? 0) || (inDays && (manual === 1 || lastOfHour)) || age <= RECENT_MS
    const always = object === verified || (newestOfLine && age <= LINE_MS)
    if (wanted || always) kept.add(object)
  }
  return kept
}

/** Milliseconds for which the newest backup of each device stays: it may hold records that nobody else has. */
const LINE_MS: number = 90 * DAY_MS

export interface Cleaned {
  /** Backups and other objects that were removed. */
  readonly backups: number
  readonly objects: number
  /** Backups that stay. */
  readonly kept: number
  /** Nothing is ever removed there, and `kept` counted only where somebody asked for a clean-up. */
  readonly permanent?: true
}

/** What is known of the backups that stay, for what they need besides. */
export interface KeptBackups {
  /** The least height of them. */
  readonly lowest: number
  /** What they are encrypted for. */
  readonly recipients: ReadonlySet<string>
}

export interface Cleaner {
  /** Of the last clean-up; undefined: there was none, none stays, or not all could be read. */
  readonly kept: KeptBackups | undefined
  /** @throws the errors of destinations; what was removed until then is */
  clean(verified: string | undefined, signal: AbortSignal): Promise<Cleaned>
}

export function createCleaner(
  components: { readonly destination: Destination; readonly clock: Clock },
  init: {
    readonly network: NetworkId
    readonly user: () => UserId | undefined
    readonly policy: RetentionPolicy
    /** Whose a device is; undefined: the chain here does not know it. */
    readonly userOf?: (device: DeviceId) => UserId | undefined
  },
): Cleaner {
  const { destination, clock } = components
  const { userOf = () => undefined } = init
  /** When an object was first found without a manifest. */
  const orphans = new Map<string, number>()
  let lastKept: KeptBackups | undefined

  /** What a manifest names; of segments undefined where the list of full ones is damaged or gone. */
  const namesOf = async ({ manifest }: CatalogEntry, signal: AbortSignal) => {
    const refs = [manifest.person, manifest.sealed].flatMap((ref) => (ref === null ? [] : ref.name))
    const list = await readSegmentList(destination, manifest, signal).catch((error: unknown) => {
      if (LOST.has(codeOf(error))) return undefined
      throw error
    })
    return { refs, segments: list?.map((entry) => segmentName(manifest, entry)) }
  }

  /**
   * Whoever can write there can say that a backup is the user's, newer and with more work: what devices write that the
   * chain does not know pushes nothing out. Nor does a clock that is ahead: the destination's own says how late it is.
   */
  const keptOf = (
    manifests: readonly Manifest[],
    objects: readonly StoredObject[],
    verified: string | undefined,
  ): ReadonlySet<string> => {
    const times = new Map(objects.map(({ name, stored }) => [name, stored]))
    const latest = objects.reduce((last, { stored }) => Math.max(last, stored), 0)
    const now = Math.min(clock.now(), latest + HOUR_MS)
    const isKnown = ({ device }: Manifest): boolean => userOf(deviceIdOf(device)) !== undefined
    const groups = [manifests.filter(isKnown), manifests.filter((each) => !isKnown(each))]
    return new Set(
      groups.flatMap((group) => {
        const all = group.map((each) => ({ ...each, stored: times.get(each.object) }))
        return [...keptBy(init.policy, all, { now, verified })]
      }),
    )
  }

  return {
    get kept() {
      return lastKept
    },
    clean: async (verified, signal) => {
      lastKept = undefined
      if (init.policy.permanent === true)
        return { backups: 0, objects: 0, kept: 0, permanent: true }
      const prefix = `${init.network}/`
      // The list before the manifests: what is written in between is in neither or in both.
      const objects = await destination.list(prefix, signal)
      const user = init.user()
      const { backups, problems, unread } = await readCatalog(destination, {
        prefix,
        // A device's objects are in its own folder, and named by its own manifests.
        isWanted: (folder) => [undefined, user].includes(userOf(deviceOf(folder))),
        signal,
      })
      const mine = backups.filter(({ manifest }) => manifest.user === user)
      // Of what cannot be read nothing is known: it is no place without backups.
      const unreadable = problems.find(({ code }) => !IGNORED.has(code))
      if (mine.length === 0 && unreadable !== undefined)
        throw new CairnError(unreadable.code, unreadable.message)
      const manifests = mine.map(({ manifest }) => manifest)
      const kept = keptOf(manifests, objects, verified)
      const left: CatalogEntry[] = backups.filter(({ manifest }) => manifest.user !== user)
      let removed = 0
      for (const entry of mine.sort(newestFirst).reverse()) {
        if (kept.has(entry.manifest.object)) left.push(entry)
        else {
          await destination.remove(entry.manifest.object, signal)
          removed += 1
        }
      }
      const done = { backups: removed, objects: 0, kept: kept.size }
      // What cannot be read, or was not, may name anything.
      if (unread > 0) return done
      if (unreadable !== undefined) return done
      const staying = manifests.filter(({ object }) => kept.has(object))
      if (staying.length > 0) {
        lastKept = {
          lowest: Math.min(...staying.map(({ height }) => height)),
          recipients: new Set(staying.map(({ recipient }) => recipient)),
        }
      }
      const named = new Set<string>()
      const mineFolders = new Set(manifests.map(folderOf))
      for (const entry of left) {
        const { refs, segments } = await namesOf(entry, signal)
        for (const name of [...refs, ...(segments ?? [])]) named.add(name)
        if (segments === undefined) mineFolders.delete(folderOf(entry.manifest))
      }
      const unnamed = objects.filter(
        ({ name }) =>
          !named.has(name) &&
          !isDrillNotice(name) &&
          manifestNumber(name) === undefined &&
          mineFolders.has(name.slice(0, name.lastIndexOf('/') + 1)),
      )
      const stay = new Set(unnamed.map(({ name }) => name))
      for (const name of orphans.keys()) if (!stay.has(name)) orphans.delete(name)
      for (const { name } of unnamed) {
        const since = orphans.get(name)
        if (since === undefined) {
          if (orphans.size < MAX_ORPHANS) orphans.set(name, clock.now())
        } else if (clock.now() - since >= ORPHAN_MS) {
          await destination.remove(name, signal)
          orphans.delete(name)
          done.objects += 1
        }
      }
      return done
    },
  }
}
