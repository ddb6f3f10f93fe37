/**
 * What a forerunner of this program had stored: taken in as one file with a record of its parts, told, and given
 * back byte by byte.
 *
 * owns: the verbs
 * does not own: the container (container.ts), what its parts say (read*.ts), the network's own history in that
 *   format (history.ts), storing and encrypting (services/files)
 */
import type { UserId, VersionId } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { RecordOf } from '../../chain/record.ts'
import { equalBytes, toHex } from '../../common/bytes.ts'
import { sha256 } from '../../common/crypto.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'
import type { Directory } from '../explorer/directory.ts'
import { recordStateOf } from '../explorer/record-state.ts'
import type { Publisher } from '../files/components.ts'
import type { FilesService } from '../files/files-service.ts'
import type { AddWork, Visibility } from '../files/types.ts'
import {
  decodeLegacy,
  encodeLegacy,
  type LegacyPart,
  MAX_CONTAINER_BYTES,
  partRecord,
} from './container.ts'
import { legacyError } from './errors.ts'
import { createHistory, type History } from './history.ts'
import { entriesOf, readLegacy } from './read.ts'
import type { LegacyContents, LegacyImport, LegacyReport } from './types.ts'

/** The media type of the file that holds an import. */
const LEGACY_MEDIA_TYPE = 'application/vnd.cairn.legacy+cbor'
/** Letters that name an import by the beginning of an id. */
const MIN_PREFIX = 11

export interface LegacyService {
  /**
   * Stores the parts as one file and states what they are. Only what cannot be read is refused.
   *
   * @param container - as container.ts says
   * @throws LEGACY_CONTAINER, LEGACY_JSON, and what adding a file throws; then nothing was imported
   */
  import(
    container: Uint8Array,
    options: { readonly name: string; readonly visibility: Visibility },
    work: AddWork,
  ): Promise<LegacyImport & LegacyReport>
  /** In chain order, pending ones last. */
  list(): readonly LegacyImport[]
  /** Everything in one import. @throws LEGACY_NOT_FOUND, LEGACY_DAMAGED, and what reading a file throws */
  show(id: string, signal: AbortSignal): Promise<LegacyImport & LegacyContents>
  /** The container of an import, each part with the hash of its record. @throws as `show` */
  content(id: string, signal: AbortSignal): Promise<Uint8Array>
  /** This network's own history as a container in the same format; see history.ts. @throws LEGACY_TOO_LONG */
  history: History
}

export interface LegacyComponents {
  readonly store: Pick<ChainStore, 'block' | 'projections' | 'state'>
  readonly records: Publisher
  readonly files: Pick<FilesService, 'add' | 'read'>
  readonly directory: Directory
  readonly params: NetworkParams
}

type ImportRecord = StoredRecord & { readonly record: RecordOf<'legacy.import'> }

export function createLegacy(components: LegacyComponents): LegacyService {
  const { store, records, files, directory } = components

  const view = (stored: ImportRecord): LegacyImport => {
    const { record } = stored
    const { version, parts } = record.body
    return {
      record: record.id,
      file: store.projections.fileOf(version) ?? version,
      version,
      time: record.time,
      user: directory.user(record.user as UserId),
      parts: parts.map((part) => ({ ...part, sha256: toHex(part.sha256) })),
      state: recordStateOf(store.state, stored),
    }
  }
  const all = (): ImportRecord[] =>
    store.projections.imports().filter((stored): stored is ImportRecord => {
      return stored.record.type === 'legacy.import' && stored.outcome !== 'rejected'
    })
  const find = (id: string): ImportRecord => {
    const fits = ({ record }: ImportRecord): boolean => {
      const ids = [record.id, record.body.version, store.projections.fileOf(record.body.version)]
      return ids.some((each) => each === id || (id.length >= MIN_PREFIX && each?.startsWith(id)))
    }
    const found = all().filter(fits)
    const [first] = found
    if (first === undefined || found.length > 1) {
      throw legacyError('LEGACY_NOT_FOUND', { text: id.slice(0, 80) })
    }
    return first
  }
  const partsOf = async (
    { record }: ImportRecord,
    signal: AbortSignal,
  ): Promise<readonly LegacyPart[]> => {
    const { version, parts: stated } = record.body
    const file = store.projections.fileOf(version) ?? version
    const chunks: Uint8Array[] = []
    let size = 0
    for await (const chunk of files.read(file, { version }, signal)) {
      size += chunk.length
      if (size > MAX_CONTAINER_BYTES)
        throw legacyError('LEGACY_DAMAGED', { why: 'it is too large' })
      chunks.push(chunk)
    }
    const parts = decodeLegacy(new Uint8Array(Buffer.concat(chunks)))
    const same =
      parts.length === stated.length &&
      stated.every(({ kind, sha256: hash }) => {
        const part = parts.find((each) => each.kind === kind)
        return part !== undefined && equalBytes(sha256(part.bytes), hash)
      })
    if (!same) throw legacyError('LEGACY_DAMAGED', { why: 'a part has another hash' })
    return parts
  }

  return {
    import: async (container, { name, visibility }, work) => {
      const parts = decodeLegacy(container)
      const { counts, findings, findingCount } = readLegacy(parts)
      const report = { counts, findings, findingCount }
      const bytes = encodeLegacy(parts)
      const source = (async function* () {
        yield bytes
      })()
      const options = { name, visibility, mediaType: LEGACY_MEDIA_TYPE }
      const added = await files.add(source, options, work)
      const record = await records.publish(
        {
          type: 'legacy.import',
          body: {
            version: added.version as VersionId,
            parts: parts.map((part) => partRecord(part, entriesOf(part.kind, report))),
          },
        },
        work.signal,
      )
      return { ...view(find(record.id)), ...report }
    },
    list: () => all().map(view),
    show: async (id, signal) => {
      const stored = find(id)
      return { ...view(stored), ...readLegacy(await partsOf(stored, signal)) }
    },
    content: async (id, signal) => encodeLegacy(await partsOf(find(id), signal)),
    history: createHistory(components),
  }
}
