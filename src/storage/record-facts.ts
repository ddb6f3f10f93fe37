/** What the tables know of a record without decoding it. */
import type { ContentId, RecordId, VersionId } from '../chain/ids.ts'
import type { SignedRecord } from '../chain/record.ts'

/**
 * What a record is about: the file of an update, removal, grant or key holder, the version of a vote, access or
 * import, the grant of a revocation, the access of a release.
 */
export function subjectOf(record: SignedRecord): RecordId | null {
  switch (record.type) {
    case 'file.update':
    case 'file.remove':
    case 'grant':
    case 'holder.add':
    case 'holder.remove':
      return record.body.file
    case 'vote':
    case 'access':
    case 'legacy.import':
      return record.body.version
    case 'revoke':
      return record.body.grant
    case 'release':
      return record.body.access
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
