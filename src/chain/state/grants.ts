/**
 * Who may read a private file: `grant/<grant>`, `granted/<file>/<user>` (the latest grant, which alone counts),
 * `holder/<file>/<device>` (of a device beyond the owner's own that may release keys: by which record),
 * `allowed/<access>` (the grant behind an allowed access), `released/<grant>` (how many keys left),
 * `release/<access>`.
 *
 * The chain says whether an access is allowed; how often a key leaves is counted where it leaves, by releases.
 */
import { DAG_CBOR } from '../../common/dag-cbor.ts'
import { boolean, link, nullable, type Shaped, tuple, uint } from '../../common/schema.ts'
import { type DeviceId, deviceIdOf, type FileId, type RecordId, type UserId } from '../ids.ts'
import type { RecordOf } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { type DeviceState, isBackup, readDevice } from './devices.ts'
import { isPrivate, readFile, readVersion } from './files.ts'
import { checkReferences } from './records.ts'
import { APPLIED, type Result, rejected } from './result.ts'
import { readUser } from './users.ts'
import { MARK, valueCodec } from './value.ts'

const grantShape = tuple(
  ['file', link<FileId>(DAG_CBOR)],
  ['user', link<UserId>(DAG_CBOR)],
  /** Milliseconds UTC; null: for ever. */
  ['expires', nullable(uint())],
  /** Null: any number. */
  ['downloads', nullable(uint())],
  ['revoked', boolean()],
)
const grantCodec = valueCodec(grantShape)
const idCodec = valueCodec(link<RecordId>(DAG_CBOR))
const countCodec = valueCodec(uint())

export type GrantState = Shaped<typeof grantShape>

const grantKey = (grant: RecordId): string => `grant/${grant}`
/** Beginnings of keys, before the file and whom it is for. */
const GRANTED = 'granted/'
const HOLDERS = 'holder/'

const grantedPrefix = (file: FileId): string => `${GRANTED}${file}/`
const holderPrefix = (file: FileId): string => `${HOLDERS}${file}/`
const allowedKey = (access: RecordId): string => `allowed/${access}`
const releasedKey = (grant: RecordId): string => `released/${grant}`
const releaseKey = (access: RecordId): string => `release/${access}`

export function readGrant(view: StateView, grant: RecordId): GrantState | undefined {
  return readValue(view, grantKey(grant), grantCodec)
}

/** The grant that counts for a user: the latest. It may be revoked, expired or used up. */
export function readGranted(view: StateView, file: FileId, user: UserId): RecordId | undefined {
  return readValue(view, grantedPrefix(file) + user, idCodec)
}

/** The grants of a file that count, one for each user. */
export function grantsOf(view: StateView, file: FileId): { user: UserId; grant: RecordId }[] {
  const prefix = grantedPrefix(file)
  return [...view.list(prefix)].map(([key, bytes]) => ({
    user: key.slice(prefix.length) as UserId,
    grant: idCodec.decode(bytes),
  }))
}

/** The grant behind an allowed access to a private version. */
export function readAllowed(view: StateView, access: RecordId): RecordId | undefined {
  return readValue(view, allowedKey(access), idCodec)
}

/** How many keys left under a grant, as far as this chain knows. */
export function readReleased(view: StateView, grant: RecordId): number {
  return readValue(view, releasedKey(grant), countCodec) ?? 0
}

/** The `holder.add` by which a device may release keys of another user's file. */
export function readHolder(view: StateView, file: FileId, device: DeviceId): RecordId | undefined {
  return readValue(view, holderPrefix(file) + device, idCodec)
}

/** The devices that the owner named for a file. */
export function holdersOf(view: StateView, file: FileId): DeviceId[] {
  const prefix = holderPrefix(file)
  return [...view.list(prefix)].map(([key]) => key.slice(prefix.length) as DeviceId)
}

/** The files that somebody else may read, or releases keys of. */
export function sharedFiles(view: StateView): Set<FileId> {
  const files = new Set<FileId>()
  for (const family of [GRANTED, HOLDERS]) {
    for (const [key] of view.list(family)) {
      files.add(key.slice(family.length, key.indexOf('/', family.length)) as FileId)
    }
  }
  return files
}

/** Whether a device may release keys of a file: it is active, reads, and is the owner's or named by the owner. */
export function isKeyHolder(view: StateView, file: FileId, id: DeviceId): boolean {
  const device = readDevice(view, id)
  if (device === undefined || !device.active || isBackup(view, id, device)) return false
  return isNamed(view, file, id, device)
}

function isNamed(view: StateView, file: FileId, id: DeviceId, { user }: DeviceState): boolean {
  return readFile(view, file)?.owner === user || readHolder(view, file, id) !== undefined
}

export function applyGrant(overlay: Overlay, record: RecordOf<'grant'>, owner: UserId): Result {
  const { file: id, user, expires = null, downloads = null } = record.body
  const missing = checkReferences(overlay, [id, user])
  if (missing !== undefined) return missing
  const file = readFile(overlay, id)
  if (file === undefined) return rejected('NOT_A_FILE')
  if (file.owner !== owner) return rejected('NOT_THE_OWNER')
  const grantee = readUser(overlay, user)
  if (grantee === undefined) return rejected('NOT_A_USER')
  if (user === owner) return rejected('GRANT_TO_OWNER')
  if (grantee.role === 'backup') return rejected('BACKUP_ROLE')
  const grant = { file: id, user, expires, downloads, revoked: false }
  overlay.create(grantKey(record.identity), grantCodec, grant)
  overlay.write(grantedPrefix(id) + user, idCodec, record.identity)
  return APPLIED
}

export function applyRevoke(overlay: Overlay, record: RecordOf<'revoke'>, user: UserId): Result {
  const { grant: id } = record.body
  const missing = checkReferences(overlay, [id])
  if (missing !== undefined) return missing
  const grant = readGrant(overlay, id)
  if (grant === undefined) return rejected('NOT_A_GRANT')
  if (readFile(overlay, grant.file)?.owner !== user) return rejected('NOT_THE_OWNER')
  overlay.write(grantKey(id), grantCodec, { ...grant, revoked: true })
  return APPLIED
}

/** @param time - of the block that evaluates: an expiry is judged by it, and by the key holder's clock */
export function applyAccess(
  overlay: Overlay,
  record: RecordOf<'access'>,
  user: UserId,
  time: number,
): Result {
  const { version: id, grant: grantId } = record.body
  const named = grantId === undefined ? [id] : [id, grantId]
  const missing = checkReferences(overlay, named)
  if (missing !== undefined) return missing
  const version = readVersion(overlay, id)
  if (version === undefined) return rejected('NOT_A_VERSION')
  if (!isPrivate(overlay, id) || version.owner === user) return APPLIED
  if (grantId === undefined) return rejected('ACCESS_NO_GRANT')
  const grant = readGrant(overlay, grantId)
  if (grant === undefined || grant.user !== user || grant.file !== version.file) {
    return rejected('ACCESS_OTHER_GRANT')
  }
  if (grant.revoked) return rejected('ACCESS_REVOKED')
  if (readGranted(overlay, grant.file, user) !== grantId) return rejected('ACCESS_REPLACED')
  if (grant.expires !== null && time > grant.expires) return rejected('ACCESS_EXPIRED')
  if (grant.downloads !== null && readReleased(overlay, grantId) >= grant.downloads) {
    return rejected('ACCESS_USED_UP')
  }
  overlay.create(allowedKey(record.identity), idCodec, grantId)
  return APPLIED
}

/** Of a revoked device too, up to the end of its line: a key that left is counted. */
export function applyRelease(overlay: Overlay, record: RecordOf<'release'>): Result {
  const { access, holder } = record.body
  const missing = checkReferences(overlay, holder === undefined ? [access] : [access, holder])
  if (missing !== undefined) return missing
  const grantId = readAllowed(overlay, access)
  const grant = grantId === undefined ? undefined : readGrant(overlay, grantId)
  if (grantId === undefined || grant === undefined) return rejected('NOT_AN_ACCESS')
  const device = readDevice(overlay, record.device)
  if (device === undefined || !isNamed(overlay, grant.file, record.device, device)) {
    return rejected('NOT_A_KEY_HOLDER')
  }
  if (overlay.get(releaseKey(access)) !== undefined) return APPLIED
  overlay.put(releaseKey(access), MARK)
  overlay.write(releasedKey(grantId), countCodec, readReleased(overlay, grantId) + 1)
  return APPLIED
}

export function applyHolderAdd(
  overlay: Overlay,
  record: RecordOf<'holder.add'>,
  user: UserId,
): Result {
  const { file, admission, keys } = record.body
  const fault = checkHolder(overlay, record, user, [
    file,
    admission,
    ...keys.map(({ version }) => version),
  ])
  if (fault !== undefined) return fault
  const id = deviceIdOf(record.body.device)
  const device = readDevice(overlay, id)
  if (device === undefined) return rejected('NOT_A_DEVICE')
  if (isBackup(overlay, id, device)) return rejected('BACKUP_ROLE')
  overlay.write(holderPrefix(file) + id, idCodec, record.identity)
  return APPLIED
}

export function applyHolderRemove(
  overlay: Overlay,
  record: RecordOf<'holder.remove'>,
  user: UserId,
): Result {
  const { file, holder } = record.body
  const fault = checkHolder(overlay, record, user, [file, holder])
  if (fault !== undefined) return fault
  overlay.delete(holderPrefix(file) + deviceIdOf(record.body.device))
  return APPLIED
}

function checkHolder(
  view: StateView,
  { body }: RecordOf<'holder.add'> | RecordOf<'holder.remove'>,
  user: UserId,
  references: readonly RecordId[],
): Result | undefined {
  const missing = checkReferences(view, references)
  if (missing !== undefined) return missing
  const file = readFile(view, body.file)
  if (file === undefined) return rejected('NOT_A_FILE')
  return file.owner === user ? undefined : rejected('NOT_THE_OWNER')
}
