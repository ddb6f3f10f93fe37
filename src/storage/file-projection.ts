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
import { concernsFiles, parentsOf } from './record-facts.ts'
import type { Outcome, RecordTable } from './record-table.ts'
import type { Database } from './sqlite.ts'

/** Files that wait at most before they are computed. */
const MAX_TOUCHED = 4096
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

interface Candidate {
  number: number
  user: UserId
  type: string
  subject: FileId | null
  height: number | null
  place: number | null
  outcome: Outcome | null
}

/** Text that `search` is looked for in, and what is looked for: compatibility forms and letter case do not matter. */
export function searchText(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

export function createFileProjection(db: Database, records: RecordTable): FileProjection {
  const candidates = db.prepare<Candidate>(
    `SELECT number, user, type, subject, height, place, outcome FROM records
     WHERE id = ?1 AND identity IS NULL AND type IN ('file.add', 'file.update')
     UNION ALL
     SELECT number, user, type, subject, height, place, outcome FROM records
     WHERE identity IS NOT NULL AND identity = ?1 AND type IN ('file.add', 'file.update')`,
  )
  const updatesOf = db.prepare<{ version: VersionId }>(
    `SELECT coalesce(identity, id) AS version FROM records
     WHERE subject IS NOT NULL AND subject = ? AND type = 'file.update'`,
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
  const addHead = db.prepare('INSERT OR IGNORE INTO file_heads VALUES (?, ?)')
  const dropHead = db.prepare('DELETE FROM file_heads WHERE file = ? AND version = ?')
  const dropHeads = db.prepare('DELETE FROM file_heads WHERE file = ?')
  const headsOf = db.prepare<{ version: VersionId }>(
    'SELECT version FROM file_heads WHERE file = ? ORDER BY version',
  )
  const ownerOf = db.prepare<{ owner: UserId }>('SELECT owner FROM files WHERE file = ?')
  const put = db.prepare('INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?)')
  const drop = db.prepare('DELETE FROM files WHERE file = ?')
  const page = db.prepare<{ number: number }>(
    `SELECT number FROM records WHERE number > ? AND type IN ('file.add', 'file.update', 'file.remove')
     ORDER BY number LIMIT ?`,
  )

  /** What waits: of each file the versions that were touched, or all. */
  const touched = new Map<FileId, Set<VersionId> | 'all'>()
  /** Computed in this transaction: to be done again when a part of it is undone. */
  const done = new Set<FileId>()

  const touch = (record: SignedRecord): void => {
    const file = fileOf(record)
    if (file === undefined) return
    let versions = touched.get(file)
    if (versions === undefined) {
      versions = new Set()
      touched.set(file, versions)
    }
    if (versions !== 'all') {
      if (record.type !== 'file.remove') versions.add(record.identity)
      for (const parent of parentsOf(record)) versions.add(parent)
    }
    if (touched.size > MAX_TOUCHED) projection.flush()
  }

  /** The record that stands for a version: an applied one before a pending one. */
  const standing = (version: VersionId, file: FileId, owner?: UserId): Candidate | undefined => {
    let best: Candidate | undefined
    for (const row of candidates.all(version)) {
      if ((row.type === 'file.add' ? version : row.subject) !== file) continue
      const pending = row.height === null && (owner === undefined || row.user === owner)
      if (row.outcome === 'applied') return row
      if (pending && best === undefined) best = row
    }
    return best
  }

  const refresh = (file: FileId, versions: Iterable<VersionId> | 'all'): void => {
    const base = standing(file, file)
    if (base === undefined || base.type !== 'file.add') {
      dropHeads.run(file)
      drop.run(file)
      return
    }
    const owner = base.user
    // Which pending updates are effective hangs on the owner.
    const known = ownerOf.get(file)?.owner === owner
    const all = (): Set<VersionId> =>
      new Set([file, ...updatesOf.all(file).map((row) => row.version)])
    for (const version of known && versions !== 'all' ? versions : all()) {
      const head =
        standing(version, file, owner) !== undefined &&
        covered.get(version, file, owner) === undefined
      if (head) addHead.run(file, version)
      else dropHead.run(file, version)
    }
    const heads = headsOf.all(file)
    const shownOf = (list: Iterable<VersionId>): Candidate[] =>
      [...list].flatMap((version) => standing(version, file, owner) ?? []).sort(newestFirst)
    const live = shownOf(heads.map((row) => row.version))
    const shown = live[0] ?? shownOf(all())[0] ?? base
    const record = records.record(shown.number)
    assert(
      record?.type === 'file.add' || record?.type === 'file.update',
      'a version is made by a file.add or a file.update',
    )
    const pending =
      base.height === null ||
      live.some((row) => row.height === null) ||
      (live.length === 0 && pendingRemoval.get(file, owner) !== undefined)
    put.run(
      file,
      owner,
      record.body.name,
      searchText([...record.body.folder, record.body.name].join('/')),
      shown.number,
      live.length,
      pending ? 1 : 0,
    )
  }

  const projection: FileProjection = {
    added: (number, record) => {
      if (!concernsFiles(record)) return
      for (const parent of parentsOf(record)) addCover.run(parent, number)
      touch(record)
    },
    changed: (record) => {
      if (concernsFiles(record)) touch(record)
    },
    forgotten: (number, record) => {
      if (!concernsFiles(record)) return
      for (const parent of parentsOf(record)) dropCover.run(parent, number)
      touch(record)
    },
    flush: () => {
      if (touched.size === 0) return
      for (const [file, versions] of touched) {
        refresh(file, versions)
        done.add(file)
      }
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
  db.beforeCommit(() => {
    projection.flush()
    done.clear()
  })
  db.onRollback((whole) => {
    if (whole) touched.clear()
    else for (const file of done) touched.set(file, 'all')
    if (whole) done.clear()
  })
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
