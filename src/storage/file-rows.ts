/** Rows of the read model `files`: what they hold, their sum, how they are written. */
import type { FileId, UserId, VersionId } from '../chain/ids.ts'
import { checksumOf } from './checksum.ts'
import type { DetailsTable, VersionRecord } from './details.ts'
import type { Database } from './sqlite.ts'

/** A row of `files`. */
export interface SummedFile {
  file: FileId
  owner: UserId
  name: string
  search: string
  shown: number
  version: VersionId | null
  heads: number
  pending: number
}

/** @param versions - its rows of `file_heads` */
export function fileSum(row: SummedFile, versions: readonly string[]): number {
  const { file, owner, name, search, shown, version, heads, pending } = row
  const values = [
    file,
    owner,
    name,
    search,
    shown,
    version,
    heads,
    pending,
    ...[...versions].sort(),
  ]
  return checksumOf(JSON.stringify(values))
}

/** Text that `search` is looked for in, and what is looked for: compatibility forms and letter case do not matter. */
export function searchText(text: string): string {
  return text.normalize('NFKC').toLowerCase()
}

/** What a row says of a file beside what its shown version says. */
export interface FileFacts extends Pick<SummedFile, 'file' | 'owner' | 'shown' | 'version'> {
  readonly pending: boolean
}

/** @returns what writes the row of a file; `record` is its shown version, `heads` are the current ones */
export function createFileRows(
  db: Database,
  details: DetailsTable,
): (facts: FileFacts, record: VersionRecord, heads: readonly VersionId[]) => void {
  const insert = db.prepare(
    `INSERT OR REPLACE INTO files (file, owner, name, search, shown, version, heads, pending, sum)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  return ({ file, owner, shown, version, pending: isPending }, record, current) => {
    // A file that is sealed to this device has no name here, and is found by its id alone.
    const { name, folder } = details.of(shown, record) ?? { name: '', folder: [] }
    const search = searchText([...folder, name].join('/'))
    const heads = current.length
    const pending = isPending ? 1 : 0
    const row = { file, owner, name, search, shown, version, heads, pending }
    const sum = fileSum(row, heads === 1 ? [] : current)
    insert.run(file, owner, name, search, shown, version, heads, pending, sum)
  }
}
