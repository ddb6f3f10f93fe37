/** Verbs that sign: add, update, remove. Content is on the disk before the record that names it. */
import type { FileId } from '../../chain/ids.ts'
import type { RecordBody, SignedRecord, Statement } from '../../chain/record.ts'
import { MAX_PARENTS } from '../../chain/record-bodies.ts'
import { toHex } from '../../common/bytes.ts'
import { createContentCipher, newHeader } from '../../common/content-cipher.ts'
import { codeOf } from '../../common/errors.ts'
import type { FileEntry, VersionRecord } from '../../storage/projections.ts'
import type { FilesComponents } from './components.ts'
import { fileError } from './errors.ts'
import { type Imported, importContent } from './import.ts'
import { type Labels, labelsOf } from './options.ts'
import { createProgress } from './progress.ts'
import type { VersionKeys } from './secrets.ts'
import type { AddedFile, AddOptions, AddWork } from './types.ts'

/** What is left out stays. */
export interface UpdateOptions extends Partial<AddOptions> {
  /** A new metadata key too: nothing that was sealed for anybody before opens this version. */
  readonly rekey?: boolean
}

export interface Publishing {
  add(source: AsyncIterable<Uint8Array>, options: AddOptions, work: AddWork): Promise<AddedFile>
  update(
    entry: FileEntry,
    source: AsyncIterable<Uint8Array>,
    options: UpdateOptions,
    work: AddWork,
  ): Promise<AddedFile>
  remove(entry: FileEntry, signal: AbortSignal): Promise<{ readonly record: string }>
}

export function createPublishing(components: FilesComponents): Publishing {
  const { store, records, secrets, content, pins, self, events, clock } = components

  /**
   * 1. lease, before the first block is looked for
   * 2. blocks, then their directories, flushed
   * 3. pin, so that a crash after the record cannot leave it without its bytes; one that stays without a
   *    record is found by the collector
   * 4. record, flushed in journal and database
   */
  const publishContent = async (
    source: AsyncIterable<Uint8Array>,
    labels: Labels,
    work: AddWork,
    /** What a private version follows: its metadata key stays. */
    before: VersionRecord | undefined,
    statementOf: (content: RecordBody<'file.add'>) => Statement,
  ): Promise<AddedFile> => {
    const { signal, unchanged } = work
    signal.throwIfAborted()
    const keys = labels.visibility === 'private' ? await secrets.newKeys(before) : undefined
    const header = newHeader(clock.randomBytes)
    const progress = createProgress(clock, work.onProgress)
    const lease = pins.lease()
    let full = false
    try {
      const imported = await importContent(content, source, {
        signal,
        ...(keys === undefined
          ? {}
          : { cipher: createContentCipher({ key: keys.content, header }) }),
        onBytes: (bytes) => progress.tell({ bytes, total: null }),
      })
      if (unchanged !== undefined && !(await unchanged())) throw fileError('FILE_CHANGED')
      await content.flush()
      signal.throwIfAborted()
      const body = await bodyOf(imported, labels, keys === undefined ? undefined : { keys, header })
      const wasPinned = pins.isPinned(imported.root)
      pins.pinFlushed(imported.root)
      let record: SignedRecord
      try {
        record = await records.publish(statementOf(body), signal)
      } catch (error) {
        if (!wasPinned) pins.unpin(imported.root)
        throw error
      }
      const { size, sha256 } = imported
      const { visibility, ...names } = labels
      // Known here without opening what was sealed a moment ago.
      if (visibility === 'private') store.setDetails(record.id, { ...names, size, sha256 })
      progress.end()
      return told(record, imported, labels)
    } catch (error) {
      full = codeOf(error) === 'STORAGE_FULL'
      throw error
    } finally {
      lease.release()
      if (full) events.emit('add:full', {})
    }
  }

  const told = (record: SignedRecord, imported: Imported, { name }: Labels): AddedFile => {
    const version = record.identity
    const file: FileId = record.type === 'file.update' ? record.body.file : version
    const { root, size } = imported
    events.emit('file:add', { file, version, record: record.id })
    events.emit('copy:verified', { version, root, size })
    return { file, version, root, name, size, sha256: toHex(imported.sha256), record: record.id }
  }

  const bodyOf = async (
    { root, storedSize, size, sha256 }: Imported,
    { name, folder, mediaType }: Labels,
    encrypted: { keys: VersionKeys; header: Uint8Array } | undefined,
  ): Promise<RecordBody<'file.add'>> => {
    const details = { name, folder, mediaType, size, sha256 }
    if (encrypted === undefined) return { root, storedSize, ...details, visibility: 'public' }
    const { keys, header } = encrypted
    const sealed = await secrets.seal(keys, root, details)
    return { root, storedSize, visibility: 'private', header, ...sealed }
  }

  const checkChangeable = (entry: FileEntry): void => {
    const name = entry.details?.name ?? entry.file
    if (entry.owner !== self.user()) throw fileError('FILE_NOT_OWNER', { name })
    if (entry.removed) throw fileError('FILE_REMOVED', { name })
  }
  const parentsOf = (entry: FileEntry): FileEntry['heads'] => entry.heads.slice(0, MAX_PARENTS)

  return {
    add: async (source, options, work) => {
      const labels = labelsOf(options)
      return publishContent(source, labels, work, undefined, (body) => ({
        type: 'file.add',
        body,
      }))
    },
    update: async (entry, source, options, work) => {
      checkChangeable(entry)
      const { visibility } = entry.record.body
      const labels = labelsOf(options, { ...entry.details, visibility })
      const before = options.rekey === true || visibility === 'public' ? undefined : entry.record
      return publishContent(source, labels, work, before, (body) => ({
        type: 'file.update',
        // All current versions are followed: an update resolves a conflict.
        body: { ...body, file: entry.file, parents: parentsOf(entry) },
      }))
    },
    remove: async (entry, signal) => {
      checkChangeable(entry)
      const body = { file: entry.file, parents: parentsOf(entry) }
      const record = await records.publish({ type: 'file.remove', body }, signal)
      return { record: record.id }
    },
  }
}
