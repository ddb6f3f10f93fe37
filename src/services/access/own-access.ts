/**
 * What this device stated about reading a version: found again after a restart, so that an access whose key has
 * not arrived is used once more instead of a new one.
 */
import {
  type DeviceId,
  deviceIdOf,
  type FileId,
  type RecordId,
  type UserId,
} from '../../chain/ids.ts'
import { readFile } from '../../chain/state/files.ts'
import { type GrantState, readGrant, readGranted, readReleased } from '../../chain/state/grants.ts'
import { readRecordState } from '../../chain/state/records.ts'
import type { Clock } from '../../common/clock.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Gate } from '../people/gate.ts'

export interface OwnAccesses {
  /** The grant of this user that a new access names: the one that counts, or one that is on its way. */
  grantFor(file: FileId, user: UserId): RecordId | undefined
  /** Whether the grant that counts was taken back, or its time is over; one that is used up is not. */
  isOver(file: FileId, user: UserId): boolean
  /** An access of this device to a version under that grant that was not denied and whose key did not come. */
  unused(file: FileId, version: RecordId, grant: RecordId | undefined): RecordId | undefined
  /** The key of an access is here: the next read is another access. On the disk when this returns. */
  received(access: RecordId): void
}

export function createOwnAccesses(components: {
  readonly store: Pick<ChainStore, 'state' | 'meta' | 'setMeta'> & {
    readonly projections: Pick<ChainStore['projections'], 'accessesOf' | 'grantsOf'>
  }
  readonly people: Pick<Gate, 'userOf'>
  readonly clock: Pick<Clock, 'now'>
  readonly device: DeviceId
}): OwnAccesses {
  const { store, people, clock, device: self } = components
  const { state, projections } = store
  const receivedKey = (access: RecordId): string => `key-received/${access}`

  const standing = (id: RecordId): GrantState | undefined => {
    const grant = readGrant(state, id)
    if (grant === undefined || grant.revoked) return undefined
    return grant.expires !== null && clock.now() > grant.expires ? undefined : grant
  }
  const isGood = (id: RecordId): boolean => {
    const grant = standing(id)
    if (grant === undefined) return false
    return grant.downloads === null || readReleased(state, id) < grant.downloads
  }
  /** The newest grant that is not in the chain yet. */
  const pendingGrant = (file: FileId, user: UserId): RecordId | undefined => {
    const owner = readFile(state, file)?.owner
    return projections
      .grantsOf(file)
      .filter(({ grant: { record, place }, revocations }) => {
        if (record.type !== 'grant' || place !== undefined) return false
        if (revocations.some((revocation) => revocation.record.user === record.user)) return false
        const known = people.userOf(record.device)
        return record.body.user === user && record.user === known && (owner ?? known) === known
      })
      .at(-1)?.grant.record.identity
  }

  return {
    grantFor: (file, user) => {
      const counting = readGranted(state, file, user)
      if (counting !== undefined && isGood(counting)) return counting
      return pendingGrant(file, user) ?? counting
    },
    isOver: (file, user) => {
      const counting = readGranted(state, file, user)
      return counting === undefined || standing(counting) === undefined
    },
    unused: (file, version, grant) =>
      projections
        .accessesOf(file)
        .filter(({ record }) => {
          if (record.type !== 'access' || record.body.version !== version) return false
          const { replaces } = record
          const maker = replaces === undefined ? record.device : deviceIdOf(replaces.device)
          if (maker !== self || record.body.grant !== grant) return false
          if (readRecordState(state, record.identity)?.outcome === 'rejected') return false
          return store.meta(receivedKey(record.identity)) === undefined
        })
        .at(-1)?.record.identity,
    received: (access) => store.setMeta(receivedKey(access), Uint8Array.of(1)),
  }
}
