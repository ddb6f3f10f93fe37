/**
 * Files and their versions: `file/<file>` and `version/<version>`, and `private/<version>` for the encrypted ones.
 *
 * The heads of a file are its versions that no other one follows. More than one is a conflict: two devices
 * changed the file without knowing of each other. It stays visible until an update names both as parents.
 */
import { DAG_CBOR, DAG_PB, RAW } from '../../common/dag-cbor.ts'
import { assert } from '../../common/errors.ts'
import { boolean, link, list, type Shaped, tuple, uint } from '../../common/schema.ts'
import type { ContentId, FileId, UserId, VersionId } from '../ids.ts'
import type { ReasonCode } from '../reasons.ts'
import type { RecordOf } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import { checkReferences } from './records.ts'
import { APPLIED, type Result, rejected } from './result.ts'
import { MARK, valueCodec } from './value.ts'

/** Concurrent versions of one file: as many as one update can merge. */
export const MAX_HEADS = 64

const fileShape = tuple(
  ['owner', link<UserId>(DAG_CBOR)],
  /** Empty when all versions were removed. */
  ['heads', list(link<VersionId>(DAG_CBOR), MAX_HEADS)],
)
const versionShape = tuple(
  ['file', link<FileId>(DAG_CBOR)],
  ['owner', link<UserId>(DAG_CBOR)],
  ['root', link<ContentId>(DAG_PB, RAW)],
  /** Plain bytes; of a private version, whose size nobody else knows, the stored ones. */
  ['size', uint()],
  ['removed', boolean()],
)
const fileCodec = valueCodec(fileShape)
const versionCodec = valueCodec(versionShape)

export type FileState = Shaped<typeof fileShape>
export type VersionState = Shaped<typeof versionShape>

/** First parts of the keys. */
export const FILE_FAMILY = 'file'
export const VERSION_FAMILY = 'version'

const fileKey = (file: FileId): string => `${FILE_FAMILY}/${file}`
const versionKey = (version: VersionId): string => `${VERSION_FAMILY}/${version}`
const privateKey = (version: VersionId): string => `private/${version}`

export function readFile(view: StateView, file: FileId): FileState | undefined {
  return readValue(view, fileKey(file), fileCodec)
}

export function readVersion(view: StateView, version: VersionId): VersionState | undefined {
  return readValue(view, versionKey(version), versionCodec)
}

/** Whether the bytes of a version are encrypted. */
export function isPrivate(view: StateView, version: VersionId): boolean {
  return view.get(privateKey(version)) !== undefined
}

type VersionRecord = RecordOf<'file.add' | 'file.update'>

/**
 * A file as the applied record that made it left it, of which it has the id: a store need not keep what it can make.
 */
export function newFileState(record: RecordOf<'file.add'>): Uint8Array {
  return fileCodec.encode({ owner: ownerOf(record), heads: [record.id] })
}

/** A version as the applied record that made it left it, of which it has the id. */
export function newVersionState(record: VersionRecord): Uint8Array {
  const file = record.type === 'file.add' ? record.id : record.body.file
  return versionCodec.encode(versionOf(record, file, ownerOf(record)))
}

/** Whether a value under the key of `file` is still the one that its record left: nothing else changes. */
export function isNewFileState(file: string, value: Uint8Array): boolean {
  const { heads } = fileCodec.decode(value)
  return heads.length === 1 && heads[0] === file
}

/** The same of a version. */
export function isNewVersionState(value: Uint8Array): boolean {
  return !versionCodec.decode(value).removed
}

export function applyFileAdd(
  overlay: Overlay,
  record: RecordOf<'file.add'>,
  owner: UserId,
): Result {
  const { identity } = record
  overlay.create(fileKey(identity), fileCodec, { owner, heads: [identity] })
  createVersion(overlay, record, identity, owner)
  return APPLIED
}

export function applyFileUpdate(
  overlay: Overlay,
  record: RecordOf<'file.update'>,
  user: UserId,
): Result {
  const { file: id, parents } = record.body
  const missing = checkReferences(overlay, [id, ...parents])
  if (missing !== undefined) return missing
  const file = readFile(overlay, id)
  if (file === undefined) return rejected('NOT_A_FILE')
  const fault = checkChange(overlay, file, id, parents, user)
  if (fault !== undefined) return rejected(fault)
  const heads = [...file.heads.filter((head) => !parents.includes(head)), record.identity]
  if (heads.length > MAX_HEADS) return rejected('TOO_MANY_HEADS')
  overlay.write(fileKey(id), fileCodec, { ...file, heads })
  createVersion(overlay, record, id, file.owner)
  return APPLIED
}

/** Covers the named versions only: a version that its author did not know of stays. */
export function applyFileRemove(
  overlay: Overlay,
  record: RecordOf<'file.remove'>,
  user: UserId,
): Result {
  const { file: id, parents } = record.body
  const missing = checkReferences(overlay, [id, ...parents])
  if (missing !== undefined) return missing
  const file = readFile(overlay, id)
  if (file === undefined) return rejected('NOT_A_FILE')
  const fault = checkChange(overlay, file, id, parents, user)
  if (fault !== undefined) return rejected(fault)
  for (const parent of parents) {
    const version = readVersion(overlay, parent)
    if (version === undefined || version.removed) continue
    overlay.write(versionKey(parent), versionCodec, { ...version, removed: true })
  }
  const heads = file.heads.filter((head) => !parents.includes(head))
  overlay.write(fileKey(id), fileCodec, { ...file, heads })
  return APPLIED
}

function checkChange(
  view: StateView,
  file: FileState,
  id: FileId,
  parents: readonly VersionId[],
  user: UserId,
): ReasonCode | undefined {
  if (file.owner !== user) return 'NOT_THE_OWNER'
  for (const parent of parents) {
    const version = readVersion(view, parent)
    if (version === undefined) return 'NOT_A_VERSION'
    if (version.file !== id) return 'OTHER_FILE'
  }
  return undefined
}

/** Only an owner adds or updates a file. */
function ownerOf({ user }: VersionRecord): UserId {
  assert(user !== null, 'only user.create has no user')
  return user
}

function versionOf({ body }: VersionRecord, file: FileId, owner: UserId): VersionState {
  const size = body.visibility === 'private' ? body.storedSize : body.size
  return { file, owner, root: body.root, size, removed: false }
}

function createVersion(overlay: Overlay, record: VersionRecord, file: FileId, owner: UserId): void {
  const { body } = record
  overlay.create(versionKey(record.identity), versionCodec, versionOf(record, file, owner))
  if (body.visibility === 'private') overlay.put(privateKey(record.identity), MARK)
}
