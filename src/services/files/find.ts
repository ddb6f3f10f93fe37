/** Which file a text names: an id, a CID, a name, folder/name, or the beginning of an id. */
import type { ContentId, FileId, VersionId } from '../../chain/ids.ts'
import type { FileEntry, Projections } from '../../storage/projections.ts'
import type { Directory } from '../explorer/directory.ts'
import { fileError } from './errors.ts'
import type { Candidate } from './types.ts'

/** Letters of text that are looked for: a name with its folders. */
const MAX_TEXT = 10_000
/** Letters that all ids of one kind have in common: CIDv1 of dag-cbor, dag-pb and raw under SHA-256. */
const COMMON_PREFIX = /^ba(?:fyrei|fybei|fkrei)/
const COMMON_LETTERS = 7
/** Letters of an id beyond those: 4 of base32 tell a thousand files apart almost surely. */
const OWN_LETTERS = 4
/** Candidates that an error lists. */
const MAX_CANDIDATES = 20

/**
 * What is meant exactly goes before what is meant by its beginning, and what is there before what was removed.
 *
 * @throws FILE_NOT_FOUND; FILE_AMBIGUOUS, whose detail `candidates` is JSON text of a list of Candidate
 */
export function findFile(projections: Projections, directory: Directory, text: string): FileEntry {
  const wanted = text.slice(0, MAX_TEXT).normalize('NFC')
  for (const look of [byId, byName, byBeginning]) {
    const found = new Map(look(projections, wanted).map((entry) => [entry.file, entry]))
    const there = [...found.values()].filter((entry) => !entry.removed)
    const best = there.length > 0 ? there : [...found.values()]
    if (best.length > 1) throw ambiguous(directory, wanted, best)
    if (best[0] !== undefined) return best[0]
  }
  throw fileError('FILE_NOT_FOUND', { text: shown(wanted) })
}

function entries(projections: Projections, files: Iterable<FileId>): FileEntry[] {
  return [...files].flatMap((file) => projections.file(file) ?? [])
}

/** A file, a version, or a root. */
function byId(projections: Projections, text: string): FileEntry[] {
  if (!COMMON_PREFIX.test(text)) return []
  const file = projections.file(text as FileId)
  if (file !== undefined) return [file]
  const of = projections.fileOf(text as VersionId)
  return entries(projections, of === undefined ? projections.filesByRoot(text as ContentId) : [of])
}

function byName(projections: Projections, text: string): FileEntry[] {
  const parts = text.split('/').filter((part) => part !== '')
  const name = parts.at(-1)
  if (name === undefined) return []
  const folder = parts.slice(0, -1)
  const named = projections.filesByName(name)
  const foldersOf = ({ details }: FileEntry): readonly string[] => details?.folder ?? []
  const exact = named.filter((entry) => foldersOf(entry).join('/') === folder.join('/'))
  if (exact.length > 0) return exact
  // Outer folders may be left out, as a path from within them does.
  return named.filter((entry) => {
    const above = foldersOf(entry).slice(Math.max(0, foldersOf(entry).length - folder.length))
    return above.join('/') === folder.join('/')
  })
}

function byBeginning(projections: Projections, text: string): FileEntry[] {
  if (!COMMON_PREFIX.test(text) || text.length < COMMON_LETTERS + OWN_LETTERS) return []
  const files = new Set<FileId>()
  for (const { kind, id } of projections.idsBeginningWith(text)) {
    if (kind === 'file') files.add(id as FileId)
    if (kind === 'version') {
      const file = projections.fileOf(id as VersionId)
      if (file !== undefined) files.add(file)
    }
    if (kind === 'root') {
      for (const file of projections.filesByRoot(id as ContentId)) files.add(file)
    }
  }
  return entries(projections, files)
}

function ambiguous(directory: Directory, text: string, found: readonly FileEntry[]): Error {
  const candidates = found.slice(0, MAX_CANDIDATES).map(
    (entry): Candidate => ({
      file: entry.file,
      name: pathOf(entry),
      owner: directory.user(entry.owner).name,
      size: entry.details?.size ?? null,
    }),
  )
  return fileError('FILE_AMBIGUOUS', {
    text: shown(text),
    count: found.length,
    candidates: JSON.stringify(candidates),
  })
}

function pathOf({ details }: FileEntry): string | null {
  return details === undefined ? null : [...details.folder, details.name].join('/')
}

/** Text of a person or a peer as it may stand in a message: short and on one line. */
function shown(text: string): string {
  return JSON.stringify(text.slice(0, 80)).slice(1, -1)
}
