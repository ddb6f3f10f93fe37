/**
 * Files: the verbs of a person. Each is durable when it resolves.
 *
 * @example
 * const added = await files.add(createReadStream(path), { name: 'a.txt', visibility: 'public' }, { signal })
 * for await (const part of files.read(added.file, {}, signal)) process.stdout.write(part)
 */
import { CID } from 'multiformats/cid'
import type { DeviceId, FileId, UserId, VersionId } from '../../chain/ids.ts'
import type { FileEntry } from '../../storage/projections.ts'
import { serviceError } from '../errors.ts'
import type { Named } from '../explorer/directory.ts'
import type { Page } from '../page.ts'
import type { FilesComponents } from './components.ts'
import { type Copies, createCopies, type ReadOptions, type ReadVersion } from './copies.ts'
import { fileError } from './errors.ts'
import { findFile } from './find.ts'
import { createPublishing, type UpdateOptions } from './publishing.ts'
import type {
  AddedFile,
  AddOptions,
  AddWork,
  FetchedFile,
  FileInfo,
  FileQuery,
  FileSummary,
  HistoryEntry,
  WorkOptions,
} from './types.ts'
import { createFileViews } from './views.ts'

/** Files of one page at most. */
const MAX_PAGE = 1000

export interface FilesService {
  /**
   * @throws FILE_NAME, FILE_FOLDER, FILE_MEDIA_TYPE, FILE_VISIBILITY, FILE_CHANGED, STORAGE_FULL, NOT_ADMITTED;
   *   then nothing was added
   */
  add(source: AsyncIterable<Uint8Array>, options: AddOptions, work: AddWork): Promise<AddedFile>
  /** A version that follows all current ones. What `options` leaves out stays. @throws also FILE_NOT_OWNER, FILE_REMOVED */
  update(
    file: string,
    source: AsyncIterable<Uint8Array>,
    options: Partial<AddOptions>,
    work: AddWork,
  ): Promise<AddedFile>
  /**
   * A private file's content again, as a version with new keys: for those who may still read it.
   *
   * @throws as `update`, and FILE_PUBLIC, FILE_SEALED
   */
  rekey(file: string, work: AddWork): Promise<AddedFile>
  /** A private file's content again, as a public version. Nothing takes that back. @throws as `rekey` */
  publish(file: string, work: AddWork): Promise<AddedFile>
  /** A tombstone over all current versions. @throws FILE_NOT_OWNER, FILE_REMOVED */
  remove(file: string, signal: AbortSignal): Promise<{ readonly record: string }>
  /** @throws OWNER_NOT_FOUND, CURSOR_UNKNOWN */
  list(query: FileQuery): Page<FileSummary>
  /** The file that a text names; see find.ts. @throws FILE_NOT_FOUND, FILE_AMBIGUOUS */
  find(text: string): FileSummary
  info(file: string): FileInfo
  /** Devices that say now that they hold every byte of the shown version, verified; this one first. */
  copies(file: string, signal: AbortSignal): Promise<readonly Named[]>
  /** All that happened to it, in chain order, pending last. */
  history(file: string): readonly HistoryEntry[]
  /**
   * Brings all bytes of a version (default: the shown one) here, verified one by one and as a whole; goes on
   * where an earlier try stopped. Records an access when the file is another user's.
   *
   * @throws VERSION_NOT_FOUND, CONTENT_MISSING, CONTENT_MALFORMED, CONTENT_DIFFERS, transfer errors
   */
  fetch(
    file: string,
    options: { readonly version?: string },
    work: WorkOptions,
  ): Promise<FetchedFile>
  /**
   * Gets the key of a version of somebody else's private file, for reads of parts of it; does nothing for others.
   *
   * @throws VERSION_NOT_FOUND, FILE_SEALED, ACCESS_DENIED, ACCESS_UNCONFIRMED, KEY_HOLDER_AWAY
   */
  unlock(file: string, options: { readonly version?: string }, work: WorkOptions): Promise<void>
  /**
   * Bytes of a version, each block verified before it is given out, what is missing or damaged here asked of
   * other devices. A read of the whole file ends with CONTENT_DIFFERS when its SHA-256 is not the record's.
   *
   * @throws at once VERSION_NOT_FOUND, RANGE_OUTSIDE; while reading as `fetch`, and CONTENT_DAMAGED
   */
  read(
    file: string,
    options: ReadOptions & { readonly version?: string },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
  /** Holds the current versions here whatever the policy says; brings what is missing. */
  keep(file: string, signal: AbortSignal): Promise<void>
  /** Lets the bytes here go. @throws FREE_LAST_COPY unless forced */
  free(file: string, signal: AbortSignal, options?: { readonly force?: boolean }): Promise<void>
}

/** @param copies - shared with whoever else brings content here */
export function createFilesService(
  components: FilesComponents,
  copies: Copies = createCopies(components),
): FilesService {
  const { store, directory, secrets, self } = components
  const { projections } = store
  const views = createFileViews(components)
  const publishing = createPublishing(components)

  const entryOf = (file: string): FileEntry => {
    const entry = projections.file(file as FileId)
    if (entry === undefined) throw fileError('FILE_NOT_FOUND', { text: file.slice(0, 80) })
    return entry
  }
  const wantedOf = (entry: FileEntry, version?: string): ReadVersion => {
    const found =
      version === undefined
        ? entry
        : views.versions(entry.file).find((each) => each.version === version)
    if (found === undefined)
      throw fileError('VERSION_NOT_FOUND', { version: version?.slice(0, 80) })
    const { details } = found
    if (details === undefined) throw fileError('FILE_SEALED', { file: entry.file })
    return { version: found.version, record: found.record, details }
  }
  const ownerOf = (text: string): UserId => {
    const users = directory.users().filter(({ user, name }) => user === text || name === text)
    const exact = users.find(({ user }) => user === text)
    const only = exact ?? (users.length === 1 ? users[0] : undefined)
    if (only === undefined) {
      throw fileError('OWNER_NOT_FOUND', { text: text.slice(0, 80), count: users.length })
    }
    return only.user
  }

  /** Also the attempt of somebody who can see nothing of the file is stated, and answered by the rules. */
  const stateAttempt = async (entry: FileEntry, work: WorkOptions): Promise<void> => {
    if (entry.details !== undefined || entry.owner === self.user()) return
    await secrets.requestAccess(entry, work)
  }
  /** The shown version's bytes as a new version with other keys or none. */
  const again = (entry: FileEntry, options: UpdateOptions, work: AddWork): Promise<AddedFile> => {
    const wanted = wantedOf(entry)
    const { name } = wanted.details
    if (wanted.record.body.visibility === 'public') throw fileError('FILE_PUBLIC', { name })
    return publishing.update(entry, copies.read(wanted, {}, work), options, work)
  }

  return {
    add: publishing.add,
    update: async (file, source, options, work) =>
      publishing.update(entryOf(file), source, options, work),
    rekey: async (file, work) => again(entryOf(file), { rekey: true }, work),
    publish: async (file, work) => again(entryOf(file), { visibility: 'public' }, work),
    remove: async (file, signal) => publishing.remove(entryOf(file), signal),
    list: ({ owner, search, all, limit, after }) => {
      const size = Math.max(1, Math.min(MAX_PAGE, Math.trunc(limit)))
      if (after !== undefined && projections.file(after as FileId) === undefined)
        throw serviceError('CURSOR_UNKNOWN', { after: after.slice(0, 80) })
      // One more than asked for tells whether there is a next page.
      const found = projections.listFiles({
        limit: size + 1,
        ...(owner === undefined ? {} : { owner: ownerOf(owner) }),
        ...(search === undefined ? {} : { search: search.normalize('NFC') }),
        ...(all === undefined ? {} : { all }),
        ...(after === undefined ? {} : { after: after as FileId }),
      })
      const items = found.slice(0, size).map(views.summary)
      return { items, next: found.length > size ? (items.at(-1)?.file ?? null) : null }
    },
    find: (text) => views.summary(findFile(projections, directory, text)),
    info: (file) => views.info(entryOf(file)),
    copies: async (file, signal) => {
      const info = views.info(entryOf(file))
      const held = await components.transfer?.holders(CID.parse(info.root), signal)
      const others = [...(held ?? [])].filter(([, part]) => part === 'complete')
      return [...info.copies, ...others.map(([device]) => directory.device(device as DeviceId))]
    },
    history: (file) => views.history(entryOf(file).file),
    fetch: async (file, { version }, work) => {
      await stateAttempt(entryOf(file), work)
      const entry = entryOf(file)
      return copies.fetch(entry, wantedOf(entry, version), work)
    },
    unlock: async (file, { version }, work) => {
      if (entryOf(file).owner === self.user()) return
      await stateAttempt(entryOf(file), work)
      const wanted = wantedOf(entryOf(file), version)
      if (wanted.record.body.visibility === 'private') await secrets.contentKey(wanted, work)
    },
    read: (file, { version, ...range }, signal) => {
      const wanted = wantedOf(entryOf(file), version)
      const { size } = wanted.details
      if ((range.offset ?? 0) > size) {
        throw fileError('RANGE_OUTSIDE', { offset: range.offset, size })
      }
      return copies.read(wanted, range, { signal })
    },
    keep: async (file, signal) => {
      const entry = entryOf(file)
      const heads = new Set<VersionId>(entry.heads)
      const current = views.versions(entry.file).filter(({ version }) => heads.has(version))
      await copies.keep(entry, current, signal)
    },
    free: async (file, signal, options = {}) => {
      const entry = entryOf(file)
      await copies.free(entry, views.versions(entry.file), options, signal)
    },
  }
}
