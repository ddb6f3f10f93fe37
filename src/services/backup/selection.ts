/** Which backup somebody means. */
import { calledOf, isCalled, shortNames, stateOf } from './called.ts'
import type { CatalogEntry } from './catalog.ts'
import { backupError } from './errors.ts'
import { type Manifest, manifestTime } from './manifest.ts'

/** Candidates that an error lists, the newest. */
const MAX_LISTED = 10

/** Which backup: the newest unless told otherwise. */
export interface Selection {
  /** What it is called: called.ts. */
  readonly id?: string | undefined
  /** The newest that is not newer, milliseconds UTC. */
  readonly time?: number | undefined
}

/**
 * The backups that a selection means: copies of one state, where it names one.
 *
 * @throws BACKUP_NONE, BACKUP_AMBIGUOUS
 */
export function selected(
  backups: readonly CatalogEntry[],
  selection: Selection,
): readonly CatalogEntry[] {
  const { id, time } = selection
  const chosen = backups.filter(({ manifest }) => isMeant(manifest, selection))
  if (chosen.length === 0) {
    const wanted = id ?? (time === undefined ? 'the newest' : new Date(time).toISOString())
    throw backupError('BACKUP_NONE', { wanted })
  }
  const states = new Set(chosen.map(({ manifest }) => stateOf(manifest)))
  if (id !== undefined && states.size > 1) throw ambiguous(id, chosen, backups)
  return chosen
}

function isMeant(manifest: Manifest, { id, time }: Selection): boolean {
  if (time !== undefined && manifestTime(manifest.object) > time) return false
  return id === undefined || isCalled(calledOf(manifest), id)
}

function ambiguous(
  wanted: string,
  chosen: readonly CatalogEntry[],
  all: readonly CatalogEntry[],
): Error {
  const names = shortNames(all.map(({ manifest }) => manifest))
  const candidates = chosen
    .toSorted((a, b) => b.manifest.time - a.manifest.time)
    .map(({ destination, manifest: one }) => {
      const time = new Date(one.time).toISOString().slice(0, 19)
      const called = names.get(one) ?? one.object
      return `${called} (${calledOf(one).device}, ${time}Z, block ${one.height}, at ${destination.name})`
    })
  const listed = candidates.slice(0, MAX_LISTED)
  if (candidates.length > MAX_LISTED) listed.push('…')
  return backupError('BACKUP_AMBIGUOUS', { wanted, candidates: listed.join('; ') })
}
