/** Which backup somebody means. */
import type { CatalogEntry } from './catalog.ts'
import { backupError } from './errors.ts'
import { cidOfObject } from './ipfs-place.ts'
import { type Manifest, manifestTime } from './manifest.ts'

/** Which backup: the newest unless told otherwise. */
export interface Selection {
  /** The beginning or the end of an object's name, or a backup's number. */
  readonly id?: string | undefined
  /** The newest that is not newer, milliseconds UTC. */
  readonly time?: number | undefined
}

/** The backups that a selection means. @throws BACKUP_NONE */
export function selected(
  backups: readonly CatalogEntry[],
  selection: Selection,
): readonly CatalogEntry[] {
  const chosen = backups.filter(({ manifest }) => isMeant(manifest, selection))
  if (chosen.length === 0) {
    const { id, time } = selection
    const wanted = id ?? (time === undefined ? 'the newest' : new Date(time).toISOString())
    throw backupError('BACKUP_NONE', { wanted })
  }
  return chosen
}

function isMeant(manifest: Manifest, { id, time }: Selection): boolean {
  if (time !== undefined && manifestTime(manifest.object) > time) return false
  return id === undefined || isCalled(manifest, id)
}

/** Whether somebody means this backup: by its number, its object's name or beginning, what it was called, or its CID. */
export function isCalled(
  manifest: Pick<Manifest, 'number' | 'object' | 'name'> &
    ({ readonly bytes: Uint8Array } | { readonly cid: string }),
  id: string,
): boolean {
  if (/^\d{1,10}$/.test(id)) return manifest.number === Number(id)
  const { object } = manifest
  const last = object.slice(object.lastIndexOf('/') + 1)
  const cid = 'cid' in manifest ? manifest.cid : cidOfObject(manifest.bytes)
  return id !== '' && (object === id || last.startsWith(id) || manifest.name === id || cid === id)
}
