/** Files as people see them: summaries, versions, history. Reads only. */
import type { FileId, UserId, VersionId } from '../../chain/ids.ts'
import { readTally, scoreOf, settledAs } from '../../chain/state/votes.ts'
import { toHex } from '../../common/bytes.ts'
import type { StoredRecord } from '../../storage/chain-store.ts'
import type { FileEntry, VersionEntry, VersionRecord } from '../../storage/projections.ts'
import type { Named } from '../explorer/directory.ts'
import { recordStateOf } from '../explorer/record-state.ts'
import type { FilesComponents } from './components.ts'
import type { FileInfo, FileSummary, FileVersion, HistoryEntry, Tally } from './types.ts'

/** A version with the record that stands for it. */
export interface NumberedVersion extends VersionEntry {
  readonly number: number
  readonly record: VersionRecord
}

export interface FileViews {
  summary(entry: FileEntry): FileSummary
  info(entry: FileEntry): FileInfo
  history(file: FileId): HistoryEntry[]
  /** One entry for each version: where a stranded record was signed again, the one that is in the chain. */
  versions(file: FileId): NumberedVersion[]
  tally(version: VersionId): Tally
}

export function createFileViews({
  store,
  directory,
  pins,
  self,
}: Pick<FilesComponents, 'store' | 'directory' | 'pins' | 'self'>): FileViews {
  const { projections, state } = store
  const authorOf = ({ record }: StoredRecord): Named =>
    directory.user(record.user ?? record.identity)

  const tally = (version: VersionId): Tally => {
    const found = readTally(state, version)
    const score = scoreOf(found)
    return {
      score: score === undefined ? null : Math.round(score * 10) / 10,
      authentic: found.authenticVotes,
      suspicious: found.suspiciousVotes,
      weight: found.authenticWeight + found.suspiciousWeight,
      settled: settledAs(found) !== undefined,
    }
  }
  const versions = (file: FileId): NumberedVersion[] => {
    const standing = new Map<VersionId, NumberedVersion>()
    for (const entry of projections.versionsOf(file)) {
      const { record } = entry
      if (record.type !== 'file.add' && record.type !== 'file.update') continue
      const other = standing.get(entry.version)
      if (other !== undefined && (other.place !== undefined || entry.place === undefined)) continue
      standing.set(entry.version, { ...entry, record, number: 0 })
    }
    return [...standing.values()].map((entry, index) => ({ ...entry, number: index + 1 }))
  }
  /** Versions that a removal names which was not refused. */
  const removedOf = (file: FileId): Set<VersionId> => {
    const removed = new Set<VersionId>()
    for (const { record, outcome } of projections.recordsOf(file)) {
      if (record.type !== 'file.remove' || outcome === 'rejected') continue
      for (const parent of record.body.parents) removed.add(parent)
    }
    return removed
  }
  const labels = ({ record, details }: Pick<FileEntry, 'record' | 'details'>) => ({
    name: details?.name ?? null,
    folder: details?.folder ?? [],
    mediaType: details?.mediaType ?? null,
    size: details?.size ?? null,
    sha256: details === undefined ? null : toHex(details.sha256),
    root: record.body.root,
    visibility: record.body.visibility,
  })
  const versionView = (entry: NumberedVersion, removed: ReadonlySet<VersionId>): FileVersion => ({
    ...labels(entry),
    version: entry.version,
    number: entry.number,
    record: entry.record.id,
    storedSize: entry.record.body.storedSize,
    parents: entry.record.type === 'file.update' ? entry.record.body.parents : [],
    user: authorOf(entry),
    device: directory.device(entry.record.device),
    time: entry.record.time,
    state: recordStateOf(state, entry),
    current: entry.head,
    removed: removed.has(entry.version),
    local: pins.isWhole(entry.record.body.root),
    tally: tally(entry.version),
  })
  const summarize = (entry: FileEntry, of: readonly NumberedVersion[]): FileSummary => ({
    ...labels(entry),
    file: entry.file,
    version: entry.version,
    owner: directory.user(entry.owner),
    added: of[0]?.record.time ?? entry.record.time,
    updated: entry.record.time,
    storedSize: entry.record.body.storedSize,
    versions: of.length,
    conflict: entry.heads.length > 1,
    removed: entry.removed,
    pending: entry.pending,
    local: pins.isWhole(entry.record.body.root),
    kept: pins.choice(entry.file) === 'kept',
    tally: tally(entry.version),
  })
  const accessesOf = (file: FileId): Named[] =>
    projections
      .accessesOf(file)
      .flatMap((stored) => (stored.record.type === 'access' ? [authorOf(stored)] : []))

  return {
    tally,
    versions,
    summary: (entry) => summarize(entry, versions(entry.file)),
    info: (entry) => {
      const of = versions(entry.file)
      const removed = removedOf(entry.file)
      const summary = summarize(entry, of)
      const owner: UserId = entry.owner
      return {
        ...summary,
        versionList: of.map((version) => versionView(version, removed)),
        copies: summary.local ? [directory.device(self.device)] : [],
        accesses: accessesOf(entry.file).filter(({ id }) => id !== owner).length,
      }
    },
    history: (file) => {
      const numbers = new Map<string, number>(versions(file).map((v) => [v.version, v.number]))
      return projections.recordsOf(file).map((stored) => {
        const { record } = stored
        const version = versionOf(stored)
        return {
          time: record.time,
          record: record.id,
          type: record.type,
          user: authorOf(stored),
          device: directory.device(record.device),
          version,
          number: version === null ? null : (numbers.get(version) ?? null),
          verdict: record.type === 'vote' ? record.body.verdict : null,
          comment: record.type === 'vote' ? record.body.comment : null,
          state: recordStateOf(state, stored),
        }
      })
    },
  }
}

/** The version that a record made, is about, or (a removal) names alone. */
function versionOf({ record }: StoredRecord): VersionId | null {
  switch (record.type) {
    case 'file.add':
    case 'file.update':
      return record.identity
    case 'vote':
    case 'access':
      return record.body.version
    case 'file.remove':
      return record.body.parents.length === 1 ? (record.body.parents[0] ?? null) : null
    default:
      return null
  }
}
