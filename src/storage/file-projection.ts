/**
 * What a list of files shows, kept in step with the records: `covers`, `file_heads`, `files`.
 *
 * A version is effective when its record was applied, or is pending and its file's owner made it. It is a head
 * while no effective update or removal names it as a parent. All rows derive from `records` alone and are
 * computed anew for what was touched, so that the order of arrivals, connects and disconnects leaves no trace.
 * Touched files wait until the transaction ends or somebody reads: a block that is stored and connected, or a
 * file that is updated often, costs once.
 */
import type { FileId, UserId, VersionId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'
import { assert } from '../common/errors.ts'
import type { DetailsTable } from './details.ts'
import { createFileRows } from './file-rows.ts'
import { concernsFiles, parentsOf } from './record-facts.ts'
import type { Outcome, RecordTable } from './record-table.ts'
import type { Database } from './sqlite.ts'

/** Files that wait at most before they are computed. */
const MAX_TOUCHED = 16_384
/** Records that a rebuild reads at a time. */
const PAGE_RECORDS = 500

export interface FileProjection {
  /** A record is new here. */
  added(number: number, record: SignedRecord): void
  /** A record's place or outcome is another now. */
  changed(record: SignedRecord): void
  /** A record was deleted. */
  forgotten(number: number, record: SignedRecord): void
  /** Computes what waits. Called before each read. */
  flush(): void
  /** Makes all of it anew from the records. */
  rebuild(): void
}

interface Touched {
  readonly versions: Set<VersionId>
  /** By nothing but its `file.add`. */
  onlyAdded: boolean
}

interface CandidateRow {
  number: number
  user: UserId
  type: string
  subject: FileId | null
  identity: VersionId | null
  height: number | null
  place: number | null
  outcome: Outcome | null
}

interface Candidate extends CandidateRow {
  version: VersionId
}

export function createFileProjection(
  db: Database,
  records: RecordTable,
  details: DetailsTable,
): FileProjection {
  const anyReplacement = db.prepare<{ one: number }>(
    'SELECT 1 AS one FROM records WHERE identity IS NOT NULL LIMIT 1',
  )
  const COLUMNS = 'number, user, type, subject, identity, height, place, outcome'
  const byNumber = db.prepare<CandidateRow>(`SELECT ${COLUMNS} FROM records WHERE number = ?`)
  const byIdentity = db.prepare<CandidateRow>(
    `SELECT ${COLUMNS} FROM records WHERE identity IS NOT NULL AND identity = ?`,
  )
  const changesOf = db.prepare<{ version: VersionId; type: string }>(
    `SELECT coalesce(identity, id) AS version, type FROM records
     WHERE subject IS NOT NULL AND subject = ? AND type IN ('file.update', 'file.remove')`,
  )
  const anyChange = db.prepare<{ one: number }>(
    `SELECT 1 AS one FROM records
     WHERE subject IS NOT NULL AND subject = ? AND type IN ('file.update', 'file.remove') LIMIT 1`,
  )
  const covered = db.prepare<{ one: number }>(
    `SELECT 1 AS one FROM covers JOIN records ON number = record
     WHERE version = ?1 AND subject = ?2 AND (outcome = 'applied' OR (height IS NULL AND user = ?3)) LIMIT 1`,
  )
  const pendingRemoval = db.prepare<{ one: number }>(
    `SELECT 1 AS one FROM records WHERE subject IS NOT NULL AND subject = ? AND type = 'file.remove'
     AND height IS NULL AND user = ? LIMIT 1`,
  )
  const addCover = db.prepare('INSERT OR IGNORE INTO covers VALUES (?, ?)')
  const dropCover = db.prepare('DELETE FROM covers WHERE version = ? AND record = ?')
  const addHead = db.prepare('INSERT INTO file_heads VALUES (?, ?)')
  const dropHeads = db.prepare('DELETE FROM file_heads WHERE file = ?')
  const headsOf = db.prepare<{ version: VersionId }>(
    'SELECT version FROM file_heads WHERE file = ? ORDER BY version',
  )
  const rowOf = db.prepare<{ owner: UserId; version: VersionId | null; heads: number }>(
    'SELECT owner, version, heads FROM files WHERE file = ?',
  )
  const put = createFileRows(db, details)
  const drop = db.prepare('DELETE FROM files WHERE file = ?')
  const page = db.prepare<{ number: number }>(
    `SELECT number FROM records WHERE number > ? AND type IN ('file.add', 'file.update', 'file.remove')
     ORDER BY number LIMIT ?`,
  )

  /** Whether any record replaces another: rare, and looking for them costs. */
  let replacements = anyReplacement.get() !== undefined
  /** What waits: of each file the versions that were touched. */
  const touched = new Map<FileId, Touched>()

  const touch = (record: SignedRecord): void => {
    const file = fileOf(record)
    if (file === undefined) return
    let entry = touched.get(file)
    if (entry === undefined) {
      entry = { versions: new Set(), onlyAdded: true }
      touched.set(file, entry)
    }
    const { versions } = entry
    if (record.type !== 'file.add') entry.onlyAdded = false
    if (record.type !== 'file.remove') versions.add(record.identity)
    for (const parent of parentsOf(record)) versions.add(parent)
    if (touched.size > MAX_TOUCHED) projection.flush()
  }

  /** The records that go by this id. */
  const candidates = (version: VersionId): CandidateRow[] => {
    const number = records.number(version)
    const row = number === undefined ? undefined : byNumber.get(number)
    const own = row === undefined || row.identity !== null ? [] : [row]
    return replacements ? [...own, ...byIdentity.all(version)] : own
  }

  /** The record that stands for a version: an applied one before a pending one of the owner. */
  const standing = (version: VersionId, file: FileId, owner?: UserId): Candidate | undefined => {
    let best: Candidate | undefined
    for (const row of candidates(version)) {
      const of = row.type === 'file.add' ? version : row.type === 'file.update' ? row.subject : null
      if (of !== file) continue
      if (row.outcome === 'applied') return { ...row, version }
      const pending = row.height === null && (owner === undefined || row.user === owner)
      if (pending && best === undefined) best = { ...row, version }
    }
    return best
  }

  /** A file that is as new as its record, with one version: no table holds anything of it. False: it is none. */
  const putNew = (file: FileId): boolean => {
    const number = records.number(file)
    const row = number === undefined ? undefined : records.waitingRow(number)
    if (number === undefined || row?.record.type !== 'file.add' || replacements) return false
    const { record, place } = row
    // One that came before its file.
    if (record.user === null || anyChange.get(file) !== undefined) return false
    if (place !== undefined && place.outcome !== 'applied') return true
    const pending = place === undefined
    put({ file, owner: record.user, shown: number, version: null, pending }, record, [file])
    return true
  }

  const refresh = (file: FileId, touchedVersions: Iterable<VersionId>): void => {
    const base = standing(file, file)
    const row = rowOf.get(file)
    if (row !== undefined && row.heads !== 1) dropHeads.run(file)
    if (base === undefined || base.type !== 'file.add') {
      drop.run(file)
      return
    }
    const owner = base.user
    const known = new Map([[file, base]])
    const find = (version: VersionId): Candidate | undefined => {
      const found = known.get(version) ?? standing(version, file, owner)
      if (found !== undefined) known.set(version, found)
      return found
    }
    const changes = (): ReturnType<typeof changesOf.all> => changesOf.all(file)
    const all = (list = changes()): Set<VersionId> => {
      const updates = list.filter(({ type }) => type === 'file.update')
      return new Set([file, ...updates.map(({ version }) => version)])
    }
    // Which pending updates are effective hangs on the owner.
    const partly = row !== undefined && row.owner === owner
    const heads = new Set<VersionId>()
    if (partly && row.heads === 1) heads.add(row.version ?? file)
    else if (partly) for (const { version } of headsOf.all(file)) heads.add(version)
    const list = partly ? undefined : changes()
    if (list?.length === 0) heads.add(file)
    else {
      for (const version of list === undefined ? touchedVersions : all(list)) {
        const head = find(version) !== undefined && covered.get(version, file, owner) === undefined
        if (head) heads.add(version)
        else heads.delete(version)
      }
    }
    const newest = (versions: Iterable<VersionId>): Candidate[] =>
      [...versions].flatMap((version) => find(version) ?? []).sort(newestFirst)
    const live = newest(heads)
    const shown = live[0] ?? newest(all())[0] ?? base
    const record = records.record(shown.number)
    assert(
      record?.type === 'file.add' || record?.type === 'file.update',
      'a version is made by a file.add or a file.update',
    )
    const pending =
      base.height === null ||
      live.some((head) => head.height === null) ||
      (live.length === 0 && pendingRemoval.get(file, owner) !== undefined)
    const version = shown.version === file ? null : shown.version
    put({ file, owner, shown: shown.number, version, pending }, record, [...heads])
    if (heads.size !== 1) for (const version of heads) addHead.run(file, version)
  }

  const projection: FileProjection = {
    added: (number, record) => {
      if (record.identity !== record.id) replacements = true
      if (!concernsFiles(record)) return
      details.added(number, record)
      for (const parent of parentsOf(record)) addCover.run(parent, number)
      touch(record)
    },
    changed: (record) => {
      if (concernsFiles(record)) touch(record)
    },
    forgotten: (number, record) => {
      if (!concernsFiles(record)) return
      details.forgotten(number)
      for (const parent of parentsOf(record)) dropCover.run(parent, number)
      touch(record)
    },
    flush: () => {
      if (touched.size === 0) return
      db.join(() => {
        // In the order of the table, in which neighbours are on one page.
        const files = [...touched.keys()].sort()
        const others = files.filter((file) => !touched.get(file)?.onlyAdded || !putNew(file))
        records.flush()
        for (const file of others) refresh(file, touched.get(file)?.versions ?? [])
      })
      touched.clear()
    },
    rebuild: () => {
      db.transaction(() => {
        touched.clear()
        db.exec('DELETE FROM covers; DELETE FROM file_heads; DELETE FROM files')
        let after = 0
        for (;;) {
          const rows = page.all(after, PAGE_RECORDS)
          for (const { number } of rows) {
            const record = records.record(number)
            if (record !== undefined) projection.added(number, record)
            after = number
          }
          if (rows.length < PAGE_RECORDS) break
        }
        projection.flush()
      })
    },
  }
  db.beforeCommit(() => projection.flush())
  db.onRollback(() => touched.clear())
  return projection
}

function fileOf(record: SignedRecord): FileId | undefined {
  switch (record.type) {
    case 'file.add':
      return record.identity
    case 'file.update':
    case 'file.remove':
      return record.body.file
    default:
      return undefined
  }
}

/** Pending ones first, by arrival; then by place on the chain. */
function newestFirst(a: Candidate, b: Candidate): number {
  const height = (row: Candidate): number => row.height ?? Number.MAX_SAFE_INTEGER
  return (
    height(b) - height(a) || (b.place ?? b.number) - (a.place ?? a.number) || b.number - a.number
  )
}
