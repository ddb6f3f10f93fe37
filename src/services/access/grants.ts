/** What an owner lets others read: grants, revocations, and the log of who tried. */
import type { RecordId, UserId } from '../../chain/ids.ts'
import { readUser, readUserKeys } from '../../chain/state/users.ts'
import type { Clock } from '../../common/clock.ts'
import { assert } from '../../common/errors.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { PersonEntry } from '../../storage/people-table.ts'
import { MAX_ROWS } from '../../storage/record-table.ts'
import type { Directory } from '../explorer/directory.ts'
import type { Publisher } from '../files/components.ts'
import { fileError } from '../files/errors.ts'
import { accessError } from './errors.ts'
import type { FileKeys } from './file-keys.ts'
import { type AccessView, createGrantViews, type GrantView } from './grant-views.ts'
import { findUser, nameOf, ownedFile, ownedPrivateFile } from './owned-file.ts'
import { type SealPurposes, sealKey } from './seals.ts'

/** More than a person counts. */
export const MAX_DOWNLOADS = 1_000_000

export interface GrantOptions {
  /** Milliseconds UTC; missing: for ever. */
  readonly expires?: number
  /** How often the key may leave; missing: as often as one likes. */
  readonly downloads?: number
}

export interface GrantsService {
  /**
   * Lets a user read a private file of this user's: at once its name, and its bytes for as long and as often as
   * the grant says. Takes the place of an earlier grant for that user.
   *
   * @param user - an id, the beginning of one, or a name
   * @throws FILE_NOT_FOUND, FILE_NOT_OWNER, FILE_NOT_PRIVATE, FILE_REMOVED, FILE_SEALED, USER_NOT_FOUND,
   *   USER_AMBIGUOUS, GRANT_TO_OWNER, GRANT_TO_BACKUP, GRANT_EXPIRY, GRANT_COUNT, NOT_ADMITTED
   */
  grant(file: string, user: string, options: GrantOptions, signal: AbortSignal): Promise<GrantView>
  /**
   * Takes the user's grants of the file back, pending ones too.
   *
   * @throws FILE_NOT_FOUND, FILE_NOT_OWNER, USER_NOT_FOUND, USER_AMBIGUOUS, NO_GRANT
   */
  revoke(file: string, user: string, signal: AbortSignal): Promise<readonly GrantView[]>
  /** Of a file, or of all files of this user; newest last. @throws FILE_NOT_FOUND */
  list(file?: string): readonly GrantView[]
  /** Every attempt to read a file, newest last. @throws FILE_NOT_FOUND */
  accesses(file: string): readonly AccessView[]
}

export interface GrantsComponents {
  readonly store: Pick<ChainStore, 'state' | 'projections'>
  readonly records: Publisher
  readonly directory: Directory
  readonly keys: Pick<FileKeys, 'metadataKeyOf'>
  readonly purposes: SealPurposes
  readonly self: { user(): UserId | undefined }
  readonly clock: Pick<Clock, 'now'>
}

export function createGrants(components: GrantsComponents): GrantsService {
  const { store, records, directory, keys, purposes, self, clock } = components
  const { state, projections } = store
  const views = createGrantViews(components)

  /** The newest key of a user, X25519: in the chain, or of a user who is not in it yet. */
  const keyOf = ({ user, record }: PersonEntry): Uint8Array => {
    const known = readUserKeys(state, user).at(-1)
    if (known !== undefined) return known
    assert(record.type === 'user.create', 'a user is listed by its first record')
    return record.body.userKey
  }
  const viewOf = (file: RecordId, grant: RecordId): GrantView => {
    const view = views.grants(file).find((each) => each.grant === grant)
    assert(view !== undefined, 'a grant that was published is listed')
    return view
  }

  return {
    grant: async (file, text, { expires, downloads }, signal) => {
      const entry = ownedPrivateFile(projections, self.user(), file)
      if (entry.removed) throw fileError('FILE_REMOVED', { name: nameOf(entry) })
      const person = findUser(directory, text)
      const { user } = person
      if (user === self.user()) throw accessError('GRANT_TO_OWNER')
      if (readUser(state, user)?.role === 'backup') {
        throw accessError('GRANT_TO_BACKUP', { name: person.name })
      }
      checkExpiry(expires, clock.now())
      checkCount(downloads)
      const key = await keys.metadataKeyOf(entry.record)
      if (key === undefined) throw fileError('FILE_SEALED', { file: entry.file })
      const to = keyOf(person)
      const metadataKey = await sealKey(to, key, purposes.grant(entry.file, user))
      const record = await records.publish(
        {
          type: 'grant',
          body: {
            file: entry.file,
            user,
            to,
            metadataKey,
            ...(expires === undefined ? {} : { expires }),
            ...(downloads === undefined ? {} : { downloads }),
          },
        },
        signal,
      )
      return viewOf(entry.file, record.identity)
    },
    revoke: async (file, text, signal) => {
      const entry = ownedFile(projections, self.user(), file)
      const { user, name } = findUser(directory, text)
      // An earlier grant that was replaced comes back to life if a fork loses the later one.
      const standing = views
        .grants(entry.file)
        .filter((view) => view.user.id === user && !OVER.has(view.status))
      if (standing.length === 0) throw accessError('NO_GRANT', { user: name })
      for (const view of standing) {
        const grant = view.grant as RecordId
        await records.publish({ type: 'revoke', body: { grant } }, signal)
      }
      return standing.map((view) => viewOf(entry.file, view.grant as RecordId))
    },
    list: (file) => {
      if (file !== undefined) return views.grants(found(file))
      const owner = self.user()
      if (owner === undefined) return []
      return projections
        .listFiles({ owner, all: true, limit: MAX_ROWS })
        .flatMap((entry) => views.grants(entry.file))
    },
    accesses: (file) => views.accesses(found(file)),
  }

  function found(file: string): RecordId {
    const entry = projections.file(file as RecordId)
    if (entry === undefined) throw fileError('FILE_NOT_FOUND', { text: file.slice(0, 80) })
    return entry.file
  }
}

const OVER: ReadonlySet<GrantView['status']> = new Set(['revoked', 'revoking', 'refused'])

function checkExpiry(expires: number | undefined, now: number): void {
  if (expires === undefined) return
  if (!Number.isSafeInteger(expires) || expires < 0) {
    throw accessError('GRANT_EXPIRY', { found: String(expires), why: 'no time' })
  }
  if (expires > now) return
  throw accessError('GRANT_EXPIRY', { found: textOf(expires), why: 'over already' })
}

/** A time as text, where the calendar has one. */
function textOf(time: number): string {
  const date = new Date(time)
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString()
}

function checkCount(downloads: number | undefined): void {
  if (downloads === undefined) return
  if (!Number.isSafeInteger(downloads) || downloads < 1 || downloads > MAX_DOWNLOADS) {
    throw accessError('GRANT_COUNT', { found: String(downloads), limit: MAX_DOWNLOADS })
  }
}
