/** The answers of the routes of backups. */
import type { BackupView } from '../../../services/backup/listing.ts'
import type {
  BackupsStatus,
  ContentsView,
  DestinationStatus,
} from '../../../services/backup/overview.ts'
import {
  anything,
  cid,
  count,
  flag,
  list,
  nullable,
  number,
  object,
  ref,
  text,
  time,
  words,
} from './describe.ts'

const kind = words('folder', 'postgres', 's3', 'gcs', 'ipfs')
const proof = () =>
  nullable(object<NonNullable<DestinationStatus['verified']>>({ time, code: nullable(text) }))
const failure = () =>
  nullable(object<NonNullable<DestinationStatus['lastError']>>({ code: text, message: text, time }))
const contents = {
  files: count,
  objects: count,
  bytes: count,
  waiting: nullable(object<{ files: number; bytes: number }>({ files: count, bytes: count })),
  sent: count,
  lastError: failure(),
}
const problems = list(anything('{destination, object, code, message}'))
const outcomes = list(anything('{destination, saved, problem}'))

export const backupReplies = {
  BackupDestination: object<DestinationStatus>({
    destination: text,
    kind,
    newest: nullable(
      object<NonNullable<DestinationStatus['newest']>>({ name: text, time, size: nullable(count) }),
    ),
    lastError: failure(),
    failures: count,
    behind: flag,
    verified: proof(),
    drilled: nullable(
      object<NonNullable<DestinationStatus['drilled']>>({
        time,
        code: nullable(text),
        by: nullable(text),
      }),
    ),
    stored: nullable(
      object<NonNullable<DestinationStatus['stored']>>({
        backups: count,
        bytes: count,
        average: count,
        seen: time,
        newest: time,
      }),
    ),
    contents: nullable(object<NonNullable<DestinationStatus['contents']>>(contents)),
    written: object<DestinationStatus['written']>({ backups: count, bytes: count }),
    monthly: nullable(number),
  }),
  Backups: object<BackupsStatus>({
    configured: flag,
    warnings: list(text),
    faults: list(object<BackupsStatus['faults'][number]>({ code: text, message: text })),
    key: words('kit', 'key', 'none'),
    passphrase: flag,
    returned: nullable(
      object<NonNullable<BackupsStatus['returned']>>({
        running: flag,
        files: count,
        bytes: count,
        missing: count,
      }),
    ),
    destinations: list(ref('BackupDestination')),
  }),
  Backup: object<BackupView>({
    id: text,
    device: text,
    destination: text,
    kind,
    object: text,
    cid,
    number: count,
    name: text,
    manual: flag,
    time,
    height: count,
    size: count,
  }),
  BackupContents: object<ContentsView>({ destination: text, ...contents }),
  BackupList: object<{
    items: readonly object[]
    problems: readonly object[]
    contents: readonly object[]
  }>({
    items: list(ref('Backup')),
    problems,
    contents: list(ref('BackupContents')),
  }),
  BackupOutcomes: object<{ outcomes: readonly object[] }>({ outcomes }),
  ManualBackup: object<{ message: string; outcomes: readonly object[] }>({
    message: text,
    outcomes,
  }),
  BackupResults: object<{ items: readonly object[] }>({
    items: list(anything('what was found at a destination, or {destination, code, message}')),
  }),
  BackupKey: object<{ identity: string; recipient: string }>({ identity: text, recipient: text }),
  BackupProblems: object<{ problems: readonly object[] }>({ problems }),
  RestoredBackup: object<{
    tip: string
    height: number
    sources: readonly object[]
    records: number
    problems: readonly object[]
    contents: object | null
  }>({
    tip: cid,
    height: count,
    sources: list(anything('{destination, object}')),
    records: count,
    problems,
    contents: nullable(anything('{files, bytes, missing, problems, complete}')),
  }),
}
