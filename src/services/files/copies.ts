/** Verbs about bytes here: bring them, read them, hold them, let them go. */
import { CID } from 'multiformats/cid'
import type { ContentId, VersionId } from '../../chain/ids.ts'
import { equalBytes, toHex } from '../../common/bytes.ts'
import { sha256Stream } from '../../common/crypto.ts'
import { MIB } from '../../common/limits.ts'
import type { FileEntry, VersionRecord } from '../../storage/projections.ts'
import { createGetBlock, type GetBlock } from './blocks.ts'
import type { FilesComponents } from './components.ts'
import { fileError } from './errors.ts'
import { readContent } from './export.ts'
import { createProgress } from './progress.ts'
import type { FetchedFile, WorkOptions } from './types.ts'

/** Bytes that a DAG may have beyond what its record says before its fetch is given up. */
const SIZE_SLACK: number = MIB

/** A version whose bytes are wanted. */
export interface WantedVersion {
  readonly version: VersionId
  readonly record: VersionRecord
}

export interface ReadOptions {
  readonly offset?: number
  readonly length?: number
}

export interface Copies {
  /** Brings all bytes of a version here, checks them as a whole, pins them. */
  complete(wanted: WantedVersion, work: WorkOptions): Promise<void>
  fetch(entry: FileEntry, wanted: WantedVersion, work: WorkOptions): Promise<FetchedFile>
  read(wanted: WantedVersion, range: ReadOptions, signal: AbortSignal): AsyncIterable<Uint8Array>
  keep(entry: FileEntry, versions: readonly WantedVersion[], signal: AbortSignal): Promise<void>
  free(
    entry: FileEntry,
    versions: readonly WantedVersion[],
    options: { readonly force?: boolean },
    signal: AbortSignal,
  ): Promise<void>
}

export function createCopies(components: FilesComponents): Copies {
  const { store, records, content, pins, self, transfer, events, clock } = components
  const getBlock: GetBlock = createGetBlock(
    content,
    transfer === undefined ? undefined : (cid, signal) => transfer.broker.retrieve(cid, { signal }),
  )

  /** The range, and for the whole file the check against the record after the last byte. */
  async function* readVersion(
    { record }: WantedVersion,
    { offset = 0, length }: ReadOptions,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const { root, size, sha256 } = record.body
    const whole = offset === 0 && (length === undefined || length >= size)
    const hash = sha256Stream()
    const range = { size, offset, ...(length === undefined ? {} : { length }) }
    for await (const part of readContent(getBlock, root, range, signal)) {
      if (whole) hash.update(part)
      if (part.length > 0) yield part
    }
    if (whole && !equalBytes(hash.digest(), sha256)) throw fileError('CONTENT_DIFFERS', { root })
  }

  /** Roots that are being checked: two who bring the same file at once read it once. */
  const checking = new Map<ContentId, Promise<void>>()
  const checkAndPin = async (wanted: WantedVersion, signal: AbortSignal): Promise<void> => {
    const { root, size } = wanted.record.body
    const other = checking.get(root)
    if (other !== undefined) await other.catch(() => {})
    if (pins.isPinned(root)) return
    const check = (async () => {
      for await (const _part of readVersion(wanted, {}, signal)) signal.throwIfAborted()
      await pins.pin(root, signal)
      events.emit('copy:verified', { version: wanted.version, root, size })
    })()
    checking.set(root, check)
    try {
      await check
    } finally {
      if (checking.get(root) === check) checking.delete(root)
    }
  }

  const complete = async (wanted: WantedVersion, work: WorkOptions): Promise<void> => {
    const { root, storedSize } = wanted.record.body
    const { signal } = work
    if (pins.isPinned(root)) return
    const progress = createProgress(clock, work.onProgress)
    const lease = pins.lease(root)
    let done = false
    try {
      if (transfer !== undefined) {
        await transfer.fetchDag(CID.parse(root), {
          signal,
          maxBytes: storedSize + SIZE_SLACK,
          onProgress: ({ bytes }) => progress.tell({ bytes, total: storedSize }),
        })
      }
      await checkAndPin(wanted, signal)
      done = true
      progress.tell({ bytes: storedSize, total: storedSize })
      progress.end()
    } finally {
      if (done) lease.release()
      else lease.suspend()
    }
  }

  /** Whether somebody else wants these bytes here: another file that was not let go. */
  const neededElsewhere = (root: ContentId, entry: FileEntry): boolean =>
    store.projections
      .filesByRoot(root)
      .some((file) => file !== entry.file && pins.choice(file) !== 'freed')

  const heldElsewhere = async (root: string, signal: AbortSignal): Promise<boolean> => {
    if (transfer === undefined) return false
    const holders = await transfer.holders(CID.parse(root), signal)
    return [...holders].some(([device, held]) => device !== self.device && held === 'complete')
  }

  return {
    complete,
    read: readVersion,
    fetch: async (entry, wanted, work) => {
      const { version, record } = wanted
      const { root, name, size, sha256 } = record.body
      await complete(wanted, work)
      if (pins.choice(entry.file) === 'freed') pins.setChoice(entry.file, undefined)
      if (entry.owner !== self.user()) {
        await records.publish({ type: 'access', body: { version } }, work.signal)
      }
      return { file: entry.file, version, root, name, size, sha256: toHex(sha256) }
    },
    keep: async (entry, versions, signal) => {
      pins.setChoice(entry.file, 'kept')
      for (const wanted of versions) await complete(wanted, { signal })
    },
    free: async (entry, versions, { force = false }, signal) => {
      const { name } = entry.record.body
      const here = [...new Set(versions.map(({ record }) => record.body.root))].filter((root) =>
        pins.isPinned(root),
      )
      for (const root of force ? [] : here) {
        if (!(await heldElsewhere(root, signal))) throw fileError('FREE_LAST_COPY', { name })
      }
      pins.setChoice(entry.file, 'freed')
      for (const root of here) if (!neededElsewhere(root, entry)) pins.unpin(root)
    },
  }
}
