/** What the owner's verbs begin with: a private file of this user's, another user by name, a device by name. */
import type { FileId, UserId } from '../../chain/ids.ts'
import type { PersonEntry } from '../../storage/people-table.ts'
import type { FileEntry, Projections } from '../../storage/projections.ts'
import type { Directory } from '../explorer/directory.ts'
import { fileError } from '../files/errors.ts'
import { accessError } from './errors.ts'

/** Letters of a text that an error repeats. */
const SHOWN = 80
/** Letters that all ids of records have in common, and those that tell enough of them apart. */
const ID_PREFIX = 'bafyrei'
const DEVICE_PREFIX = '12D3KooW'
const OWN_LETTERS = 4

/** @throws FILE_NOT_FOUND, FILE_NOT_OWNER, FILE_NOT_PRIVATE */
export function ownedPrivateFile(
  projections: Pick<Projections, 'file'>,
  user: UserId | undefined,
  file: string,
): FileEntry {
  const entry = ownedFile(projections, user, file)
  if (entry.record.body.visibility !== 'private') {
    throw fileError('FILE_NOT_PRIVATE', { name: nameOf(entry) })
  }
  return entry
}

/** @throws FILE_NOT_FOUND, FILE_NOT_OWNER */
export function ownedFile(
  projections: Pick<Projections, 'file'>,
  user: UserId | undefined,
  file: string,
): FileEntry {
  const entry = projections.file(file as FileId)
  if (entry === undefined) throw fileError('FILE_NOT_FOUND', { text: file.slice(0, SHOWN) })
  if (entry.owner !== user) throw fileError('FILE_NOT_OWNER', { name: nameOf(entry) })
  return entry
}

export function nameOf(entry: FileEntry): string {
  return entry.details?.name ?? entry.file
}

/** By id, name, or the beginning of an id. @throws USER_NOT_FOUND, USER_AMBIGUOUS */
export function findUser(directory: Pick<Directory, 'users'>, text: string): PersonEntry {
  const found = pick(directory.users(), text, ID_PREFIX, ({ user, name }) => [user, name])
  const [only] = found
  const shown = text.slice(0, SHOWN)
  if (only === undefined) throw accessError('USER_NOT_FOUND', { text: shown })
  if (found.length > 1) throw accessError('USER_AMBIGUOUS', { text: shown, count: found.length })
  return only
}

/** In the same way. @throws HOLDER_NOT_FOUND, HOLDER_AMBIGUOUS */
export function findDevice(directory: Pick<Directory, 'devices'>, text: string): PersonEntry {
  const found = pick(directory.devices(), text, DEVICE_PREFIX, ({ device, deviceName }) => [
    device,
    deviceName,
  ])
  const [only] = found
  const shown = text.slice(0, SHOWN)
  if (only === undefined) throw accessError('HOLDER_NOT_FOUND', { text: shown })
  if (found.length > 1) throw accessError('HOLDER_AMBIGUOUS', { text: shown, count: found.length })
  return only
}

/** What is meant exactly goes before what is meant by its beginning, and an id before a name. */
function pick(
  entries: readonly PersonEntry[],
  text: string,
  prefix: string,
  labels: (entry: PersonEntry) => readonly [id: string, name: string],
): readonly PersonEntry[] {
  const wanted = text.normalize('NFC')
  const byId = entries.filter((entry) => labels(entry)[0] === wanted)
  if (byId.length > 0) return byId
  const byName = entries.filter((entry) => labels(entry)[1] === wanted)
  if (byName.length > 0) return byName
  if (!wanted.startsWith(prefix) || wanted.length < prefix.length + OWN_LETTERS) return []
  return entries.filter((entry) => labels(entry)[0].startsWith(wanted))
}
