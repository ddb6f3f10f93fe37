/**
 * `contracts.json`: `{<file hash>: {file_hash, owner, permissions: {<user>: {granted_at, max_downloads,
 * downloads_used}}, access_log: [{user, action, success, timestamp}], is_public}}`.
 */
import { short } from './findings.ts'
import { booleanIn, field, isList, isObject, type Json, numberIn, textIn } from './json.ts'
import type { LegacyContract } from './types.ts'
import { at, nameIn, timeIn, unverified } from './values.ts'

type Say = (place: string, says: string) => void

/** Undefined: it is no object. */
export function readContracts(json: Json, say: Say): LegacyContract[] | undefined {
  if (!isObject(json)) return undefined
  return Object.entries(json).map(([fileHash, entry]) => {
    check(fileHash, entry, (key, says) => say(`${at('contracts', fileHash)}${key}`, says))
    const permissions = field(entry, 'permissions')
    const log = field(entry, 'access_log')
    return {
      fileHash,
      owner: nameIn(entry, 'owner'),
      isPublic: booleanIn(entry, 'is_public') ?? null,
      grants: Object.entries(isObject(permissions) ? permissions : {}).map(([name, grant]) => ({
        user: unverified(name),
        granted: timeIn(grant, 'granted_at'),
        maxDownloads: numberIn(grant, 'max_downloads') ?? null,
        downloadsUsed: numberIn(grant, 'downloads_used') ?? null,
      })),
      accesses: isList(log) ? log.length : 0,
    }
  })
}

function check(fileHash: string, entry: Json, say: Say): void {
  if (!isObject(entry)) return void say('', 'is no contract')
  const inside = textIn(entry, 'file_hash')
  if (inside !== fileHash) say('.file_hash', `is ${short(inside ?? null)}; its key is another`)
  if (textIn(entry, 'owner') === undefined) say('.owner', 'is no name')
  if (booleanIn(entry, 'is_public') === undefined) say('.is_public', 'is neither true nor false')
  const log = field(entry, 'access_log')
  if (!isList(log)) say('.access_log', 'is no list')
  const permissions = field(entry, 'permissions')
  if (!isObject(permissions)) return void say('.permissions', 'is no list of names')
  const downloads = new Map<string, number>()
  for (const access of isList(log) ? log : []) {
    const user = textIn(access, 'user')
    const counts = textIn(access, 'action') === 'download' && booleanIn(access, 'success') === true
    if (user !== undefined && counts) downloads.set(user, (downloads.get(user) ?? 0) + 1)
  }
  for (const [name, grant] of Object.entries(permissions)) {
    const place = at('.permissions', name)
    if (timeIn(grant, 'granted_at') === null) say(`${place}.granted_at`, 'is no time')
    const used = numberIn(grant, 'downloads_used') ?? 0
    const most = numberIn(grant, 'max_downloads')
    if (most !== undefined && used > most) {
      say(`${place}.downloads_used`, `is ${used}, more than the ${most} that were allowed`)
    }
    const logged = downloads.get(name) ?? 0
    if (used !== logged) {
      say(`${place}.downloads_used`, `is ${used}; the access log has ${logged} of that name`)
    }
  }
}
