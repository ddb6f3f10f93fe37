/** Verbs about bytes here: bring them, read them, hold them, let them go. */
import { CID } from 'multiformats/cid'
import type { ContentId, VersionId } from '../../chain/ids.ts'
import type { VersionDetails } from '../../chain/record.ts'
import { equalBytes, toHex } from '../../common/bytes.ts'
import { sha256Stream } from '../../common/crypto.ts'
import { MIB } from '../../common/limits.ts'
import type { FileEntry, VersionRecord } from '../../storage/projections.ts'
import { createGetBlock, type GetBlock } from './blocks.ts'
import type { FilesComponents } from './components.ts'
import { fileError } from './errors.ts'
import { contentSize, type ReadRange, readContent } from './export.ts'
import { readEncrypted } from './private-content.ts'
import { createProgress } from './progress.ts'
import type { FetchedFile, WorkOptions } from './types.ts'

/** Bytes that a DAG may have beyond what its record says before its fetch is given up. */
const SIZE_SLACK: number = MIB

/** A version whose bytes are wanted. */
export interface WantedVersion {
  readonly version: VersionId
  readonly record: VersionRecord
}

/** One that is to be read: what it is called, how long it is, what its hash has to be. */
export interface ReadVersion extends WantedVersion {
  readonly details: VersionDetails
}

export interface ReadOptions {
  readonly offset?: number
  readonly length?: number
}

export interface Copies {
  /** Brings all bytes of a version here, checks them as a whole, pins them. */
  complete(wanted: WantedVersion, work: WorkOptions): Promise<void>
  fetch(entry: FileEntry, wanted: ReadVersion, work: WorkOptions): Promise<FetchedFile>
  read(wanted: ReadVersion, range: ReadOptions, work: WorkOptions): AsyncIterable<Uint8Array>
  keep(entry: FileEntry, versions: readonly WantedVersion[], signal: AbortSignal): Promise<void>
  free(
    entry: FileEntry,
    versions: readonly WantedVersion[],
    options: { readonly force?: boolean },
    signal: AbortSignal,
  ): Promise<void>
}

export function createCopies(components: FilesComponents): Copies {
  const { store, records, secrets, content, pins, self, transfer, events, clock } = components
  const getBlock: GetBlock = createGetBlock(
    content,
    transfer === undefined ? undefined : (cid, signal) => transfer.broker.retrieve(cid, { signal }),
  )

  const plainBytes = async (
    wanted: ReadVersion,
    range: ReadRange,
    work: WorkOptions,
  ): Promise<AsyncIterable<Uint8Array>> => {
    const { body } = wanted.record
    if (body.visibility === 'public') return readContent(getBlock, body.root, range, work.signal)
    const key = await secrets.contentKey(wanted, work)
    return readEncrypted(
      getBlock,
      { root: body.root, header: body.header, key },
      range,
      work.signal,
    )
  }

  /** The range, and for the whole file the check against what its owner says after the last byte. */
  async function* readVersion(
    wanted: ReadVersion,
    { offset = 0, length }: ReadOptions,
    work: WorkOptions,
  ): AsyncGenerator<Uint8Array> {
    const { size, sha256 } = wanted.details
    const { root } = wanted.record.body
    const whole = offset === 0 && (length === undefined || length >= size)
    const hash = sha256Stream()
    const range = { size, offset, ...(length === undefined ? {} : { length }) }
    for await (const part of await plainBytes(wanted, range, work)) {
      if (whole) hash.update(part)
      if (part.length > 0) yield part
    }
    if (whole && !equalBytes(hash.digest(), sha256)) throw fileError('CONTENT_DIFFERS', { root })
  }

  /** Reads all of it once. Of a private version that it is whole: what it says is for those who have the key. */
  const checkWhole = async ({ version, record }: WantedVersion, signal: AbortSignal) => {
    const { body } = record
    if (body.visibility === 'public') {
      for await (const _ of readVersion({ version, record, details: body }, {}, { signal })) {
        signal.throwIfAborted()
      }
      return body.size
    }
    const size = await contentSize(getBlock, body.root, signal)
    for await (const _ of readContent(getBlock, body.root, { size }, signal))
      signal.throwIfAborted()
    return size
  }

  /** Roots that are being checked: two who bring the same file at once read it once. */
  const checking = new Map<ContentId, Promise<void>>()
  const checkAndPin = async (wanted: WantedVersion, signal: AbortSignal): Promise<void> => {
    const { record } = wanted
    const { root } = record.body
    const other = checking.get(root)
    if (other !== undefined) await other.catch(() => {})
    if (pins.isPinned(root)) return
    const check = (async () => {
      const size = await checkWhole(wanted, signal)
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
      const { root } = record.body
      const { name, size, sha256 } = wanted.details
      const isPrivate = record.body.visibility === 'private'
      const isOwn = entry.owner === self.user()
      // Whoever may not read it hears so before a byte moves; and a key that is counted is asked for last.
      if (isPrivate) await secrets.requestAccess(wanted, work)
      await complete(wanted, work)
      if (pins.choice(entry.file) === 'freed') pins.setChoice(entry.file, undefined)
      if (isPrivate) await secrets.contentKey(wanted, work)
      else if (!isOwn) await records.publish({ type: 'access', body: { version } }, work.signal)
      return { file: entry.file, version, root, name, size, sha256: toHex(sha256) }
    },
    keep: async (entry, versions, signal) => {
      pins.setChoice(entry.file, 'kept')
      for (const wanted of versions) await complete(wanted, { signal })
    },
    free: async (entry, versions, { force = false }, signal) => {
      const name = entry.details?.name ?? entry.file
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
