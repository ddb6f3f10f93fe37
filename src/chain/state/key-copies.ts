/**
 * `key.copy` and `legacy.import` leave no state but their own outcome: what they carry is read from the records.
 * The rules only say who may state them.
 */
import type { UserId } from '../ids.ts'
import type { RecordOf } from '../record.ts'
import type { StateView } from '../view.ts'
import { readVersion } from './files.ts'
import { checkReferences } from './records.ts'
import { APPLIED, type Result, rejected } from './result.ts'

export function applyKeyCopy(view: StateView, record: RecordOf<'key.copy'>, user: UserId): Result {
  const versions = record.body.copies.flatMap((copy) =>
    copy.type === 'metadata' ? [copy.version] : [],
  )
  const missing = checkReferences(view, versions)
  if (missing !== undefined) return missing
  for (const id of versions) {
    const version = readVersion(view, id)
    if (version === undefined) return rejected('NOT_A_VERSION')
    if (version.owner !== user) return rejected('NOT_THE_OWNER')
  }
  return APPLIED
}

export function applyLegacyImport(
  view: StateView,
  record: RecordOf<'legacy.import'>,
  user: UserId,
): Result {
  const { version: id } = record.body
  const missing = checkReferences(view, [id])
  if (missing !== undefined) return missing
  const version = readVersion(view, id)
  if (version === undefined) return rejected('NOT_A_VERSION')
  return version.owner === user ? APPLIED : rejected('NOT_THE_OWNER')
}
