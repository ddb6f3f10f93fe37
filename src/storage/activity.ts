/** What happened to files: votes, grants, accesses and the answers to them. Pending records included. */
import type { FileId, RecordId, UserId, VersionId } from '../chain/ids.ts'
import {
  CHAIN_ORDER,
  MAX_ROWS,
  STORED_COLUMNS,
  type StoredRecord,
  type StoredRow,
} from './record-table.ts'
import type { Database } from './sqlite.ts'

export interface VoteEntry extends StoredRecord {
  readonly user: UserId
  /** The user's latest of this version: the one that counts. */
  readonly latest: boolean
}

export interface Activity {
  votesOf(version: VersionId): VoteEntry[]
  accessesOf(file: FileId): StoredRecord[]
  /** Those that a `release` is known for, wherever it stands and whoever signed it; in no order. */
  releasedAccessesOf(file: FileId): StoredRecord[]
  /** Grants of a file, with the revocations of each; in chain order, pending last. */
  grantsOf(file: FileId): { grant: StoredRecord; revocations: StoredRecord[] }[]
  /** `holder.add` and `holder.remove` of a file; in chain order, pending last. */
  holdersOf(file: FileId): StoredRecord[]
  /** Revocations of a grant, and releases for an access, wherever they stand: on any branch, or pending. */
  revocationsOf(grant: RecordId): StoredRecord[]
  releasesOf(access: RecordId): StoredRecord[]
  /** Imports of a forerunner's data, in chain order, pending last. */
  imports(): StoredRecord[]
  /**
   * All that happened to a file: its versions and removals, votes, grants and revocations, accesses and
   * releases. In chain order, pending last.
   */
  recordsOf(file: FileId): StoredRecord[]
}

export function createActivity({
  db,
  records,
  versionsOf,
}: {
  readonly db: Database
  readonly records: { stored(row: StoredRow): StoredRecord }
  /** Every record that made a version of a file; in chain order. */
  readonly versionsOf: (file: FileId) => StoredRecord[]
}): Activity {
  const aboutFile = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.subject IS NOT NULL AND records.subject = ?
     AND type IN ('file.remove', 'grant', 'holder.add', 'holder.remove') ${CHAIN_ORDER}`,
  )
  const aboutId = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.subject IS NOT NULL AND records.subject = ?
     AND type = ? ${CHAIN_ORDER}`,
  )
  const imports = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.type = 'legacy.import' ${CHAIN_ORDER} LIMIT ${MAX_ROWS}`,
  )
  const released = db.prepare<StoredRow>(
    `SELECT ${STORED_COLUMNS} WHERE records.subject IS NOT NULL AND records.subject = ?
     AND type = 'access' AND EXISTS (
       SELECT 1 FROM records AS answer WHERE answer.subject IS NOT NULL
       AND answer.subject = coalesce(records.identity, records.id) AND answer.type = 'release')`,
  )
  const versionIds = (file: FileId): VersionId[] => [
    ...new Set(versionsOf(file).map(({ record }) => record.identity)),
  ]
  const about = (file: FileId, type: 'access' | 'vote'): StoredRecord[] =>
    versionIds(file).flatMap((version) => aboutId.all(version, type).map(records.stored))

  /** Revocations of these grants, or releases for these accesses. */
  const answersTo = (to: readonly StoredRecord[], type: 'revoke' | 'release'): StoredRecord[] =>
    to.flatMap(({ record }) =>
      record.type === (type === 'revoke' ? 'grant' : 'access')
        ? aboutId.all(record.identity, type).map(records.stored)
        : [],
    )
  const activity: Activity = {
    votesOf: (version) => {
      const votes = aboutId
        .all(version, 'vote')
        .map(records.stored)
        .filter((vote) => vote.outcome !== 'rejected')
      const userOf = (vote: StoredRecord): UserId => vote.record.user ?? vote.record.identity
      const latest = new Map(votes.map((vote) => [userOf(vote), vote.record.id]))
      return votes.map((vote) => {
        const user = userOf(vote)
        return { ...vote, user, latest: latest.get(user) === vote.record.id }
      })
    },
    grantsOf: (file) =>
      aboutFile.all(file).flatMap((row) => {
        const grant = records.stored(row)
        if (grant.record.type !== 'grant') return []
        return { grant, revocations: activity.revocationsOf(grant.record.identity) }
      }),
    holdersOf: (file) =>
      aboutFile
        .all(file)
        .map(records.stored)
        .filter(({ record }) => record.type.startsWith('holder.')),
    revocationsOf: (grant) => aboutId.all(grant, 'revoke').map(records.stored),
    releasesOf: (access) => aboutId.all(access, 'release').map(records.stored),
    imports: () => imports.all().map(records.stored),
    accessesOf: (file) => about(file, 'access').sort(chainOrder),
    releasedAccessesOf: (file) =>
      versionIds(file).flatMap((version) => released.all(version).map(records.stored)),
    recordsOf: (file) =>
      [
        ...versionsOf(file),
        ...aboutFile.all(file).map(records.stored),
        ...about(file, 'vote'),
        ...about(file, 'access'),
        ...answersTo(aboutFile.all(file).map(records.stored), 'revoke'),
        ...answersTo(about(file, 'access'), 'release'),
      ].sort(chainOrder),
  }
  return activity
}

function chainOrder(a: StoredRecord, b: StoredRecord): number {
  const height = (row: StoredRecord): number => row.place?.height ?? Number.MAX_SAFE_INTEGER
  return (
    height(a) - height(b) ||
    (a.place?.index ?? a.received) - (b.place?.index ?? b.received) ||
    a.record.sequence - b.record.sequence
  )
}
