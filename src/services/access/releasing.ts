/**
 * The key holder: decides whether the key of a private version leaves this device, and writes down that it does
 * before it does.
 *
 * owns: the count of a grant, as releases known here; revocations, from the moment at which this node knows them
 * does not own: what the rules say of an access (chain/state/grants.ts), streams (network/key-release)
 *
 * Whatever the best chain says now, a release that this device made counts, and so does a revocation that it
 * knows: on any branch, or pending. So with one holder no reorg gives a key more often than was allowed.
 */
import {
  type DeviceId,
  deviceIdOf,
  type FileId,
  type RecordId,
  type UserId,
} from '../../chain/ids.ts'
import type { RecordOf } from '../../chain/record.ts'
import { isBackup, readDevice } from '../../chain/state/devices.ts'
import { readFile } from '../../chain/state/files.ts'
import {
  type GrantState,
  isKeyHolder,
  readAllowed,
  readGrant,
  readGranted,
  readHolder,
  readReleased,
} from '../../chain/state/grants.ts'
import { readRecordState } from '../../chain/state/records.ts'
import { utf8 } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import { createSerialQueue } from '../../common/queue.ts'
import type { KeyAnswer, Refusal } from '../../network/key-release/messages.ts'
import type { KeyHolder } from '../../network/key-release/server.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'
import type { VersionRecord } from '../../storage/projections.ts'
import type { NodeEvents } from '../events.ts'
import type { Publisher } from '../files/components.ts'
import type { Gate } from '../people/gate.ts'
import type { FileKeys } from './file-keys.ts'
import type { ReleaseHold } from './release-hold.ts'

export interface ReleasingComponents {
  readonly store: Pick<ChainStore, 'state' | 'record' | 'meta' | 'setMeta'> & {
    readonly projections: Pick<
      ChainStore['projections'],
      'releasedAccessesOf' | 'releasesOf' | 'revocationsOf'
    >
  }
  readonly records: Publisher
  readonly keys: Pick<FileKeys, 'contentKeyOf' | 'metadataKeyOf'>
  /** Seals a secret of 32 bytes to a device's encryption key for one access: 80 bytes. */
  readonly seal: (secret: Uint8Array, to: Uint8Array, access: RecordId) => Promise<Uint8Array>
  /** Who a device belongs to, pending ones too; whether a revocation of it was ever taken here. */
  readonly people: Pick<Gate, 'userOf' | 'isRevoked'>
  readonly events: Events<NodeEvents>
  readonly clock: Pick<Clock, 'now'>
  /** Until when no key leaves; default: it leaves at once. */
  readonly hold?: Pick<ReleaseHold, 'ready'>
  readonly device: DeviceId
}

/** Requests that wait for their turn; a further one is told to come again. */
const MAX_QUEUED = 256

const revokedKey = (grant: RecordId): string => `revoked-grant/${grant}`

interface Allowed {
  readonly version: VersionRecord
  /** X25519 public key of the device that asks. */
  readonly encryptionKey: Uint8Array
  /** A key left for this very access. */
  readonly released: boolean
  /** The record by which this device holds keys of the file, unless it is the owner's. */
  readonly holder: RecordId | undefined
}
type Refused = Extract<KeyAnswer, { type: 'refused' }>

const refused = (code: Refusal, reason?: string): Refused => ({
  type: 'refused',
  code,
  ...(reason === undefined ? {} : { reason }),
})

export function createReleasing(components: ReleasingComponents): KeyHolder {
  const { store, records, keys, seal, events, clock, hold, device: self } = components
  const { userOf, isRevoked } = components.people
  const { state, projections } = store
  // One after the other, so that of two accesses under a count of one the second sees the first.
  const queue = createSerialQueue(MAX_QUEUED)

  const versionRecordOf = (version: RecordId): VersionRecord | undefined => {
    const place = readRecordState(state, version)
    const record = store.record(place?.by ?? version)?.record
    return record?.type === 'file.add' || record?.type === 'file.update' ? record : undefined
  }

  const isRevocation = (
    { record, everConfirmed }: Pick<StoredRecord, 'record' | 'everConfirmed'>,
    owner: UserId,
  ): boolean => record.user === owner && (everConfirmed || userOf(record.device) === owner)
  const isRevokedGrant = (grantId: RecordId, owner: UserId): boolean =>
    store.meta(revokedKey(grantId)) !== undefined ||
    projections.revocationsOf(grantId).some((revocation) => isRevocation(revocation, owner))

  /** Who takes a grant back: the owner of its file; of one that is in no block yet, whoever gave it. */
  const ownerOf = (grantId: RecordId): UserId | undefined => {
    const grant = readGrant(state, grantId)
    if (grant !== undefined) return readFile(state, grant.file)?.owner
    const record = store.record(grantId)?.record
    return record?.type === 'grant' && record.user !== null ? record.user : undefined
  }

  // What was never confirmed may have to leave a full store. That it was here must not be forgotten.
  events.on('record:pending', ({ record, own }) => {
    if (record.type !== 'revoke' || own) return
    const owner = ownerOf(record.body.grant)
    if (owner === undefined || !isRevocation({ record, everConfirmed: false }, owner)) return
    store.setMeta(revokedKey(record.body.grant), utf8(record.id))
  })

  /** Anybody can sign a `release`; only a key holder's says that a key left. */
  const isRelease = ({ record, outcome }: StoredRecord, file: FileId, owner: UserId): boolean =>
    record.type === 'release' &&
    (record.device === self ||
      outcome === 'applied' ||
      userOf(record.device) === owner ||
      isNamed(record, file, owner))

  /** By what the release says that it rests on, also where that was taken back since, or is not in the chain. */
  const isNamed = ({ device, body }: RecordOf<'release'>, file: FileId, owner: UserId): boolean => {
    const holder = body.holder === undefined ? undefined : store.record(body.holder)?.record
    if (holder?.type !== 'holder.add' || holder.body.file !== file) return false
    return userOf(holder.device) === owner && deviceIdOf(holder.body.device) === device
  }

  /**
   * Whether the key of this very access may be given again without counting it again. Not because a device says so
   * that was revoked: whoever stole it would answer any number of accesses in advance. That one counts, no more.
   */
  const isGivenOut = (access: RecordId, file: FileId, owner: UserId): boolean =>
    projections
      .releasesOf(access)
      .some(
        (release) =>
          (release.record.device === self || !isRevoked(release.record.device)) &&
          isRelease(release, file, owner),
      )

  /**
   * Accesses under a grant whose key left, as far as this device knows; those in the chain first, in its order, then
   * by the time of the release. More of them than were granted: of the last ones the key may not have left.
   */
  const releasedUnder = (grantId: RecordId, file: FileId, owner: UserId): RecordId[] => {
    const first = new Map<RecordId, StoredRecord>()
    for (const { record } of projections.releasedAccessesOf(file)) {
      if (record.type !== 'access' || record.body.grant !== grantId) continue
      const [release] = projections
        .releasesOf(record.identity)
        .filter((each) => isRelease(each, file, owner))
        .sort(inTurn)
      if (release !== undefined) first.set(record.identity, release)
    }
    return [...first].sort(([, one], [, other]) => inTurn(one, other)).map(([access]) => access)
  }
  const isUsedUp = (
    access: RecordId,
    released: boolean,
    { grant, grantId, owner }: { grant: GrantState; grantId: RecordId; owner: UserId },
  ): boolean => {
    const { downloads, file } = grant
    if (downloads === null) return false
    const all = releasedUnder(grantId, file, owner)
    if (!released) return Math.max(all.length, readReleased(state, grantId)) >= downloads
    // A release that was written before this device knew of others, which count first.
    return all.indexOf(access) >= downloads
  }

  /** What stands now, read in one go: nothing is awaited. */
  const examine = (access: RecordId, from: DeviceId): Allowed | Refused => {
    const place = readRecordState(state, access)
    if (place === undefined || place.outcome === 'waiting') return refused('NOT_CONFIRMED')
    const record = store.record(place.by ?? access)?.record
    if (record?.type !== 'access' || makerOf(record) !== from) return refused('NOT_YOUR_ACCESS')
    if (place.outcome === 'rejected') return refused('ACCESS_DENIED', place.code)
    const grantId = readAllowed(state, access)
    const grant = grantId === undefined ? undefined : readGrant(state, grantId)
    const owner = grant === undefined ? undefined : readFile(state, grant.file)?.owner
    if (grantId === undefined || grant === undefined || owner === undefined) {
      return refused('ACCESS_DENIED', 'NOT_AN_ACCESS')
    }
    const reader = readDevice(state, from)
    if (reader === undefined || reader.user !== grant.user) return refused('NOT_YOUR_ACCESS')
    if (!reader.active || isRevoked(from)) return refused('ACCESS_DENIED', 'DEVICE_REVOKED')
    if (isBackup(state, from, reader)) return refused('ACCESS_DENIED', 'BACKUP_ROLE')
    if (!isKeyHolder(state, grant.file, self) || isRevoked(self)) return refused('NOT_A_HOLDER')
    if (grant.revoked || isRevokedGrant(grantId, owner)) return refused('REVOKED')
    if (readGranted(state, grant.file, grant.user) !== grantId) {
      return refused('ACCESS_DENIED', 'ACCESS_REPLACED')
    }
    if (grant.expires !== null && clock.now() > grant.expires) return refused('EXPIRED')
    const released = isGivenOut(access, grant.file, owner)
    if (isUsedUp(access, released, { grant, grantId, owner })) return refused('USED_UP')
    const version = versionRecordOf(record.body.version)
    if (version === undefined) return refused('NO_KEY_HERE')
    const holder = readHolder(state, grant.file, self)
    return { version, encryptionKey: reader.encryptionKey, released, holder }
  }

  const give = async (
    access: RecordId,
    from: DeviceId,
    signal: AbortSignal,
  ): Promise<KeyAnswer> => {
    const asked = examine(access, from)
    if ('code' in asked) return asked
    const contentKey = await keys.contentKeyOf(asked.version)
    if (contentKey === undefined) return refused('NO_KEY_HERE')
    const metadataKey = await keys.metadataKeyOf(asked.version)
    const sealed = await seal(contentKey, asked.encryptionKey, access)
    const also =
      metadataKey === undefined
        ? {}
        : { metadataKey: await seal(metadataKey, asked.encryptionKey, access) }
    // Other work went on meanwhile. The record goes first: what left and was not counted could leave again.
    const before = examine(access, from)
    if ('code' in before) return before
    if (!before.released) {
      const { holder } = before
      const body = holder === undefined ? { access } : { access, holder }
      await records.publish({ type: 'release', body }, signal)
    }
    const after = examine(access, from)
    return 'code' in after ? after : { type: 'key', sealed, ...also }
  }

  return {
    release: async (access, from, signal) => {
      // Whoever has no right to ask takes no place in the queue.
      const asked = examine(access, from)
      if ('code' in asked) return asked
      await hold?.ready(userOf(from), signal)
      return queue.run(() => give(access, from, signal), signal)
    },
  }
}

/** The device that made an access, also where another one of its user signed it again. */
function makerOf({ device, replaces }: RecordOf<'access'>): DeviceId {
  return replaces === undefined ? device : deviceIdOf(replaces.device)
}

/** Releases in the order in which they count. */
function inTurn(one: StoredRecord, other: StoredRecord): number {
  const height = ({ place }: StoredRecord): number => place?.height ?? Number.MAX_SAFE_INTEGER
  return (
    height(one) - height(other) ||
    (one.place?.index ?? one.record.time) - (other.place?.index ?? other.record.time)
  )
}
