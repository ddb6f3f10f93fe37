/**
 * Read models for lists, search and details. They include pending records at once, and say so. Rebuildable.
 *
 * Search looks for the text anywhere in folder and name, letter case aside: a scan of short texts, some
 * milliseconds for a hundred thousand files. A full-text index finds whole words only (or, by trigrams, three
 * letters and more), and would double what a file costs to store.
 */
import type { ContentId, FileId, UserId, VersionId } from '../chain/ids.ts'
import type { VersionDetails } from '../chain/record.ts'
import { assert } from '../common/errors.ts'
import { type Activity, createActivity } from './activity.ts'
import type { DetailsTable, VersionRecord } from './details.ts'
import type { FileProjection } from './file-projection.ts'
import { searchText } from './file-rows.ts'
import { createPeople, type People } from './people-table.ts'
import {
  CHAIN_ORDER,
  MAX_ROWS,
  STORED_COLUMNS,
  type StoredRecord,
  type StoredRow,
} from './record-table.ts'
import type { Database } from './sqlite.ts'

/** Candidates that are shown for an ambiguous beginning of an id. */
const MAX_CANDIDATES = 20

export type { VersionRecord } from './details.ts'

/** A file in a list: what its newest current version says. */
export interface FileEntry {
  readonly file: FileId
  readonly owner: UserId
  /** The version that is shown: the newest head; of a removed file, its last one. */
  readonly version: VersionId
  readonly record: VersionRecord
  /** Undefined: the file is private, and sealed to this device. */
  readonly details: VersionDetails | undefined
  /** Current versions; none: removed; several: a conflict. */
  readonly heads: readonly VersionId[]
  readonly removed: boolean
  /** Something of what is shown is not confirmed yet. */
  readonly pending: boolean
}

export interface VersionEntry extends StoredRecord {
  readonly version: VersionId
  /** As of a file. */
  readonly details: VersionDetails | undefined
  readonly head: boolean
}

export type IdKind = 'file' | 'version' | 'record' | 'user' | 'device' | 'block' | 'root'

export interface FileQuery {
  readonly owner?: UserId
  readonly search?: string
  /** Removed ones too. */
  readonly all?: boolean
  /** 1 to MAX_ROWS. */
  readonly limit: number
  /** The last file of the page before. */
  readonly after?: FileId
}

/** That something of a current file changed, without what it is. */
export interface FileMark {
  readonly file: FileId
  /** Another one when another version is shown, or the one that is shown was opened. */
  readonly mark: string
}

export interface Projections extends People, Activity {
  /** By name, then by id. */
  listFiles(query: FileQuery): FileEntry[]
  countFiles(): number
  /** Of all files that are not removed, by id, `limit` after `after`. No record is read for it. */
  fileMarks(limit: number, after?: FileId): FileMark[]
  file(file: FileId): FileEntry | undefined
  /** Files whose shown name is exactly this; removed ones last. */
  filesByName(name: string): FileEntry[]
  /** Every version with its outcome, also rejected ones: in chain order, pending last. */
  versionsOf(file: FileId): VersionEntry[]
  /** The file of a version. */
  fileOf(version: VersionId): FileId | undefined
  /** Files that have a version with this content. */
  filesByRoot(root: ContentId): FileId[]
  /** Newest first; pending ones before confirmed ones. */
  recentRecords(query: { pending?: boolean; limit: number }): StoredRecord[]
  /** At most some twenty ids that begin so; exactly one: the beginning is unambiguous. */
  idsBeginningWith(prefix: string): { kind: IdKind; id: string }[]
}

interface FileRow {
  file: FileId
  owner: UserId
  shown: number
  version: VersionId | null
  heads: number
  pending: number
}

/** `stored` reads a row of STORED_COLUMNS. */
export interface ProjectionsComponents {
  readonly db: Database
  readonly files: FileProjection
  readonly details: DetailsTable
  readonly records: {
    get(number: number): StoredRecord | undefined
    stored(row: StoredRow): StoredRecord
  }
}

export function createProjections({
  db,
  files,
  details,
  records,
}: ProjectionsComponents): Projections {
  const FILES = 'SELECT file, owner, shown, version, heads, pending FROM files'
  const list = db.prepare<FileRow>(
    `${FILES} WHERE (name, file) > (?1, ?2) AND (?3 IS NULL OR owner = ?3)
     AND (?4 = '' OR instr(search, ?4) > 0) AND (?5 = 1 OR heads > 0) ORDER BY name, file LIMIT ?6`,
  )
  const count = db.prepare<{ n: number }>('SELECT count(*) AS n FROM files WHERE heads > 0')
  const marks = db.prepare<FileMark>(
    `SELECT file, shown || ' ' || coalesce(version, '') || ' ' || (name = '') AS mark FROM files
     WHERE file > ? AND heads > 0 ORDER BY file LIMIT ?`,
  )
  const one = db.prepare<FileRow>(`${FILES} WHERE file = ?`)
  const nameOf = db.prepare<{ name: string }>('SELECT name FROM files WHERE file = ?')
  const byName = db.prepare<FileRow>(
    `${FILES} WHERE name = ? ORDER BY heads = 0, file LIMIT ${MAX_ROWS}`,
  )
  const selectHeads = db.prepare<{ version: VersionId }>(
    'SELECT version FROM file_heads WHERE file = ? ORDER BY version',
  )
  const versionsOf = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.number IN (
       SELECT number FROM records WHERE id = ?1 AND identity IS NULL AND type = 'file.add'
       UNION SELECT number FROM records WHERE identity IS NOT NULL AND identity = ?1 AND type = 'file.add'
       UNION SELECT number FROM records WHERE subject IS NOT NULL AND subject = ?1 AND type = 'file.update'
     ) ${CHAIN_ORDER}`,
  )
  const fileOf = db.prepare<{ file: FileId }>(
    `SELECT CASE type WHEN 'file.add' THEN ?1 ELSE subject END AS file FROM records
     WHERE (id = ?1 AND identity IS NULL OR identity IS NOT NULL AND identity = ?1)
     AND type IN ('file.add', 'file.update') LIMIT 1`,
  )
  const byRoot = db.prepare<{ file: FileId }>(
    `SELECT DISTINCT CASE type WHEN 'file.add' THEN coalesce(identity, id) ELSE subject END AS file
     FROM records WHERE root IS NOT NULL AND root = ? ORDER BY file LIMIT ${MAX_ROWS}`,
  )
  const pending = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.height IS NULL ORDER BY records.received DESC, records.number DESC
     LIMIT ?`,
  )
  const confirmed = db.prepare<{ height: number; records: Uint8Array }>(
    `SELECT main.height, records FROM main JOIN blocks ON number = block
     WHERE main.height < ? ORDER BY main.height DESC LIMIT 1`,
  )
  const ids = {
    record: db.prepare<{ id: string; type: string }>(
      `SELECT coalesce(identity, id) AS id, type FROM records WHERE id >= ?1 AND id < ?2
       UNION SELECT identity, type FROM records
         WHERE identity IS NOT NULL AND identity >= ?1 AND identity < ?2
       LIMIT ${MAX_CANDIDATES}`,
    ),
    block: db.prepare<{ id: string }>(
      `SELECT id FROM blocks WHERE id >= ? AND id < ? LIMIT ${MAX_CANDIDATES}`,
    ),
    root: db.prepare<{ id: string }>(
      `SELECT DISTINCT root AS id FROM records
       WHERE root IS NOT NULL AND root >= ? AND root < ? LIMIT ${MAX_CANDIDATES}`,
    ),
    device: db.prepare<{ id: string }>(
      `SELECT DISTINCT device AS id FROM records WHERE device >= ? AND device < ? LIMIT ${MAX_CANDIDATES}`,
    ),
  }

  const headsOf = (row: FileRow): VersionId[] =>
    row.heads === 1
      ? [row.version ?? row.file]
      : selectHeads.all(row.file).map((head) => head.version)
  const entry = (row: FileRow): FileEntry => {
    const record = records.get(row.shown)?.record
    assert(
      record?.type === 'file.add' || record?.type === 'file.update',
      'a shown version is stored',
    )
    return {
      file: row.file,
      owner: row.owner,
      version: row.version ?? row.file,
      record,
      details: details.of(row.shown, record),
      heads: headsOf(row),
      removed: row.heads === 0,
      pending: row.pending === 1,
    }
  }
  const rows = (limit: number): number => Math.min(Math.max(1, Math.trunc(limit)), MAX_ROWS)
  const projections: Projections = {
    listFiles: ({ owner, search = '', all = false, limit, after }) => {
      files.flush()
      const name = after === undefined ? '' : nameOf.get(after)?.name
      if (name === undefined) return []
      return list
        .all(name, after ?? '', owner ?? null, searchText(search), all ? 1 : 0, rows(limit))
        .map(entry)
    },
    countFiles: () => {
      files.flush()
      return count.get()?.n ?? 0
    },
    fileMarks: (limit, after) => {
      files.flush()
      return marks.all(after ?? '', rows(limit))
    },
    file: (file) => {
      files.flush()
      const row = one.get(file)
      return row === undefined ? undefined : entry(row)
    },
    filesByName: (name) => {
      files.flush()
      return byName.all(name).map(entry)
    },
    versionsOf: (file) => {
      files.flush()
      const shown = one.get(file)
      const heads = new Set(shown === undefined ? [] : headsOf(shown))
      return versionsOf.all(file).map((row) => {
        const version = records.stored(row)
        const { record } = version
        const { identity } = record
        assert(
          record.type === 'file.add' || record.type === 'file.update',
          'versions are made by these',
        )
        return {
          ...version,
          version: identity,
          details: details.of(row.number, record),
          head: heads.has(identity),
        }
      })
    },
    fileOf: (version) => fileOf.get(version)?.file,
    filesByRoot: (root) => byRoot.all(root).map((row) => row.file),
    ...createPeople({ db, records }),
    ...createActivity({
      db,
      records,
      versionsOf: (file) => versionsOf.all(file).map(records.stored),
    }),
    recentRecords: ({ pending: only = false, limit }) => {
      const wanted = rows(limit)
      const found = pending.all(wanted).map(records.stored)
      let height = Number.MAX_SAFE_INTEGER
      while (!only && found.length < wanted) {
        const block = confirmed.get(height)
        if (block === undefined) break
        height = block.height
        const numbers = new DataView(block.records.buffer, block.records.byteOffset)
        for (let at = block.records.length - 4; at >= 0 && found.length < wanted; at -= 4) {
          const record = records.get(numbers.getUint32(at))
          if (record !== undefined) found.push(record)
        }
      }
      return found
    },
    idsBeginningWith: (prefix) => {
      if (prefix === '') return []
      const range = [prefix, `${prefix}\x7f`] as const
      const found = new Map<string, IdKind>()
      for (const { id, type } of ids.record.all(...range)) {
        if (id.startsWith(prefix)) found.set(id, kindOf(type))
      }
      for (const kind of ['block', 'root', 'device'] as const) {
        for (const { id } of ids[kind].all(...range)) found.set(id, kind)
      }
      return [...found].slice(0, MAX_CANDIDATES).map(([id, kind]) => ({ kind, id }))
    },
  }
  return projections
}

function kindOf(type: string): IdKind {
  if (type === 'file.add') return 'file'
  if (type === 'file.update') return 'version'
  return type === 'user.create' ? 'user' : 'record'
}
