/**
 * What private versions say, as far as this device could open them: `details`, one row for each private version
 * that is stored here, null while it is sealed. Of a public version it stands in the record.
 */

import type { RecordOf, SignedRecord, VersionDetails } from '../chain/record.ts'
import { detailsShape } from '../chain/record-bodies.ts'
import { decode, encode } from '../common/dag-cbor.ts'
import { MAX_RECORD_BYTES } from '../common/limits.ts'
import type { Database } from './sqlite.ts'

export const DETAILS_SCHEMA = `
CREATE TABLE details (record INTEGER PRIMARY KEY, details BLOB);
CREATE INDEX details_sealed ON details (record) WHERE details IS NULL;
`

export type VersionRecord = RecordOf<'file.add'> | RecordOf<'file.update'>

export interface DetailsTable {
  /** Notes a record that is new here, if it is a private version. */
  added(number: number, record: SignedRecord): void
  forgotten(number: number): void
  /** Undefined: it is private, and sealed to this device. */
  of(number: number, record: VersionRecord): VersionDetails | undefined
  set(number: number, details: VersionDetails): void
  /** Numbers of private versions that are still sealed, ascending from the one after `after`. */
  sealed(after: number, limit: number): number[]
}

export function createDetailsTable(db: Database): DetailsTable {
  const add = db.prepare('INSERT OR IGNORE INTO details (record) VALUES (?)')
  const drop = db.prepare('DELETE FROM details WHERE record = ?')
  const get = db.prepare<{ details: Uint8Array | null }>(
    'SELECT details FROM details WHERE record = ?',
  )
  const set = db.prepare('UPDATE details SET details = ? WHERE record = ?')
  const sealed = db.prepare<{ record: number }>(
    'SELECT record FROM details WHERE details IS NULL AND record > ? ORDER BY record LIMIT ?',
  )
  return {
    added: (number, record) => {
      if (isPrivateVersion(record)) add.run(number)
    },
    forgotten: (number) => void drop.run(number),
    of: (number, { body }) => {
      if (body.visibility === 'public') return body
      const row = get.get(number)
      if (row === undefined || row.details === null) return undefined
      return detailsShape.read(decode(row.details, MAX_RECORD_BYTES), 'details')
    },
    set: (number, details) => void set.run(encode(detailsShape.write(details) ?? null), number),
    sealed: (after, limit) => sealed.all(after, limit).map(({ record }) => record),
  }
}

function isPrivateVersion(record: SignedRecord): boolean {
  return (
    (record.type === 'file.add' || record.type === 'file.update') &&
    record.body.visibility === 'private'
  )
}
