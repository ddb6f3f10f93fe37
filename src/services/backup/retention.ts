/**
 * Which backups a destination keeps, and the removal of the others.
 *
 * A backup is kept when any rule wants it. Kept whatever the rules say are the one with most work, the newest of each
 * device, the newest that was verified, and those of the last minutes, which somebody may be restoring. An object that
 * no manifest names is removed only when it was found so an hour before too: a node that continues an old backup
 * looks again at what is there after half an hour (writer.ts), so two nodes may clean up together.
 */
import type { NetworkId, UserId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { type CatalogEntry, newestFirst, readCatalog, readSegmentList } from './catalog.ts'
import type { Destination, DestinationKind } from './destination.ts'
import { isDrillNotice } from './drill-notice.ts'
import { folderOf, type Manifest, manifestNumber, segmentName } from './manifest.ts'

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
/** Objects without a manifest that are remembered. */
const MAX_ORPHANS = 100_000

/** What retention looks at. */
export type Kept = Pick<
  Manifest,
  'object' | 'time' | 'manual' | 'work' | 'number' | 'network' | 'device'
>

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
  for (const [index, { object, time, manual, ...rest }] of byTime.entries()) {
    const age = now - time
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
  /** Backups that stay; of a permanent policy nothing is looked at. */
  readonly kept: number
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
  },
): Cleaner {
  const { destination, clock } = components
  /** When an object was first found without a manifest. */
  const orphans = new Map<string, number>()
  let lastKept: KeptBackups | undefined

  const namesOf = async ({ manifest }: CatalogEntry, signal: AbortSignal): Promise<string[]> => {
    const refs = [manifest.person, manifest.sealed].flatMap((ref) => (ref === null ? [] : ref.name))
    const list = await readSegmentList(destination, manifest, signal)
    return [manifest.object, ...refs, ...list.map((entry) => segmentName(manifest, entry))]
  }

  return {
    get kept() {
      return lastKept
    },
    clean: async (verified, signal) => {
      lastKept = undefined
      if (init.policy.permanent === true) return { backups: 0, objects: 0, kept: 0 }
      const prefix = `${init.network}/`
      // The list before the manifests: what is written in between is in neither or in both.
      const objects = await destination.list(prefix, signal)
      const { backups, problems } = await readCatalog(destination, { prefix, signal })
      const mine = backups.filter(({ manifest }) => manifest.user === init.user())
      const manifests = mine.map(({ manifest }) => manifest)
      const kept = keptBy(init.policy, manifests, { now: clock.now(), verified })
      const left: CatalogEntry[] = backups.filter(({ manifest }) => manifest.user !== init.user())
      let removed = 0
      for (const entry of mine.sort(newestFirst).reverse()) {
        if (kept.has(entry.manifest.object)) left.push(entry)
        else {
          await destination.remove(entry.manifest.object, signal)
          removed += 1
        }
      }
      const done = { backups: removed, objects: 0, kept: kept.size }
      // What cannot be read may name anything.
      if (problems.some(({ code }) => code !== 'BACKUP_MANIFEST' && code !== 'BACKUP_FORGED')) {
        return done
      }
      const staying = manifests.filter(({ object }) => kept.has(object))
      if (staying.length > 0) {
        lastKept = {
          lowest: Math.min(...staying.map(({ height }) => height)),
          recipients: new Set(staying.map(({ recipient }) => recipient)),
        }
      }
      const named = new Set<string>()
      for (const entry of left) for (const name of await namesOf(entry, signal)) named.add(name)
      const mineFolders = new Set(manifests.map(folderOf))
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
