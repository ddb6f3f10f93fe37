/** Recorded downloads. They leave no state but their own outcome: anyone may read a public version. */
import type { RecordOf } from '../record.ts'
import type { StateView } from '../view.ts'
import { readVersion } from './files.ts'
import { checkReferences } from './records.ts'
import { APPLIED, type Result, rejected } from './result.ts'

export function applyAccess(view: StateView, record: RecordOf<'access'>): Result {
  const { version } = record.body
  const missing = checkReferences(view, [version])
  if (missing !== undefined) return missing
  return readVersion(view, version) === undefined ? rejected('NOT_A_VERSION') : APPLIED
}
