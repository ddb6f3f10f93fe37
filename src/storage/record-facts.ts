/** What the tables know of a record without decoding it. */
import type { ContentId, FileId, VersionId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'

/** What a record is about: the file of an update or removal, the version of a vote or access. */
export function subjectOf(record: SignedRecord): FileId | VersionId | null {
  switch (record.type) {
    case 'file.update':
    case 'file.remove':
      return record.body.file
    case 'vote':
    case 'access':
      return record.body.version
    default:
      return null
  }
}

/** The content that a record names. */
export function rootOf(record: SignedRecord): ContentId | null {
  return record.type === 'file.add' || record.type === 'file.update' ? record.body.root : null
}

/** The versions that a record follows or removes. */
export function parentsOf(record: SignedRecord): readonly VersionId[] {
  return record.type === 'file.update' || record.type === 'file.remove' ? record.body.parents : []
}

/** Whether a record changes what a list of files shows. */
export function concernsFiles(record: SignedRecord): boolean {
  return record.type.startsWith('file.')
}
