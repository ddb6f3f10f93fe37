/** What key holders and grantees of a file lack, and what to publish so that they have it. */
import {
  type DeviceId,
  deviceIdOf,
  type FileId,
  type RecordId,
  type UserId,
} from '../../chain/ids.ts'
import type { RecordBody, Statement } from '../../chain/record.ts'
import { MAX_SEALS } from '../../chain/record-bodies.ts'
import { readDevice } from '../../chain/state/devices.ts'
import { readFile } from '../../chain/state/files.ts'
import { grantsOf, holdersOf, readGrant } from '../../chain/state/grants.ts'
import { readUserKeys } from '../../chain/state/users.ts'
import { equalBytes } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { VersionRecord } from '../../storage/projections.ts'
import type { FileKeys } from './file-keys.ts'
import type { KeyCopies, MetadataCopy } from './key-copies.ts'
import { type SealPurposes, sealKey } from './seals.ts'

export type HolderReference = Pick<RecordBody<'holder.add'>, 'device' | 'admission'>
type HolderKeys = RecordBody<'holder.add'>['keys']

export interface Supply {
  /** Both keys of each version that this device can open, sealed to a device's encryption key. */
  keysFor(
    owner: UserId,
    versions: readonly VersionRecord[],
    encryptionKey: Uint8Array,
  ): Promise<HolderKeys>
  /** Private versions of a file that are current. */
  current(file: FileId): VersionRecord[]
  /** What named key holders, and grantees after a new generation of keys, do not have yet. */
  missing(file: FileId, owner: UserId): Promise<Statement[]>
}

export interface SupplyComponents {
  readonly store: Pick<ChainStore, 'state' | 'projections'>
  readonly keys: Pick<FileKeys, 'contentKeyOf' | 'metadataKeyOf'>
  readonly copies: KeyCopies
  readonly purposes: SealPurposes
  readonly clock: Pick<Clock, 'now'>
}

export function createSupply({ store, keys, copies, purposes, clock }: SupplyComponents): Supply {
  const { state, projections } = store

  const keysFor: Supply['keysFor'] = async (owner, versions, encryptionKey) => {
    const sealed: HolderKeys[number][] = []
    for (const version of versions.slice(0, MAX_SEALS)) {
      const content = await keys.contentKeyOf(version)
      const metadata = await keys.metadataKeyOf(version)
      if (content === undefined || metadata === undefined) continue
      const { root } = version.body
      sealed.push({
        version: version.identity,
        metadataKey: await sealKey(encryptionKey, metadata, purposes.metadataKey(owner, root)),
        contentKey: await sealKey(encryptionKey, content, purposes.contentKey(owner, root)),
      })
    }
    return sealed
  }

  const current = (file: FileId): VersionRecord[] => {
    const found = new Map<RecordId, VersionRecord>()
    for (const { record, head, version } of projections.versionsOf(file)) {
      if (record.type !== 'file.add' && record.type !== 'file.update') continue
      if (head && record.body.visibility === 'private') found.set(version, record)
    }
    return [...found.values()]
  }

  /** Versions that a device was given the keys of, in records that are not refused, with how it was named. */
  const givenTo = (
    file: FileId,
    owner: UserId,
    device: DeviceId,
  ): { versions: Set<RecordId>; reference: HolderReference | undefined } => {
    const versions = new Set<RecordId>()
    let reference: HolderReference | undefined
    for (const { record, outcome } of projections.holdersOf(file)) {
      if (record.user !== owner || outcome === 'rejected') continue
      if (record.type !== 'holder.add' && record.type !== 'holder.remove') continue
      if (deviceIdOf(record.body.device) !== device) continue
      if (record.type === 'holder.remove') {
        // Also one that is on its way: to name the device again would undo it.
        reference = undefined
        continue
      }
      reference = { device: record.body.device, admission: record.body.admission }
      for (const { version } of record.body.keys) versions.add(version)
    }
    return { versions, reference }
  }

  const missingOfHolders = async (
    file: FileId,
    owner: UserId,
    versions: readonly VersionRecord[],
  ): Promise<Statement[]> => {
    const statements: Statement[] = []
    for (const device of holdersOf(state, file)) {
      const holder = readDevice(state, device)
      const { versions: given, reference } = givenTo(file, owner, device)
      if (holder?.active !== true || reference === undefined) continue
      const lacking = versions.filter(({ identity }) => !given.has(identity))
      const sealed = await keysFor(owner, lacking, holder.encryptionKey)
      if (sealed.length === 0) continue
      statements.push({ type: 'holder.add', body: { file, ...reference, keys: sealed } })
    }
    return statements
  }

  /** Users whose grant stands. */
  const grantees = (file: FileId, owner: UserId): { user: UserId; grant: RecordId }[] =>
    grantsOf(state, file).filter(({ grant: id }) => {
      const grant = readGrant(state, id)
      if (grant === undefined || grant.revoked) return false
      // Anybody can sign one; only the owner's says something.
      if (projections.revocationsOf(id).some(({ record }) => record.user === owner)) return false
      return grant.expires === null || clock.now() <= grant.expires
    })

  /** The keys to which the metadata key of a version was sealed in copies. */
  const copiedTo = (owner: UserId, version: RecordId): Uint8Array[] =>
    copies.of(owner, version).flatMap(({ copy, refused }) => (refused ? [] : copy.to))

  /** Whether a version came after the grant with other keys: those of the grant's time open it otherwise. */
  const isNewGeneration = async (
    file: FileId,
    version: VersionRecord,
    grantedAt: number,
  ): Promise<boolean> => {
    const key = await keys.metadataKeyOf(version)
    if (key === undefined) return false
    for (const { record } of projections.versionsOf(file)) {
      if (record.type !== 'file.add' && record.type !== 'file.update') continue
      if (record.body.visibility !== 'private' || record.time > grantedAt) continue
      const before = await keys.metadataKeyOf(record)
      if (before !== undefined && equalBytes(before, key)) return false
    }
    return true
  }

  const missingOfGrantees = async (
    file: FileId,
    owner: UserId,
    versions: readonly VersionRecord[],
  ): Promise<Statement[]> => {
    const standing = grantees(file, owner)
    if (standing.length === 0 || versions.length === 0) return []
    const lacking: MetadataCopy[] = []
    for (const { user, grant } of standing) {
      const to = readUserKeys(state, user).at(-1)
      const stored = projections.grantsOf(file).find((each) => each.grant.record.identity === grant)
      if (to === undefined || stored === undefined) continue
      const known = readUserKeys(state, user)
      for (const version of versions) {
        const has = copiedTo(owner, version.identity).some((copy) =>
          known.some((key) => equalBytes(key, copy)),
        )
        if (has) continue
        if (!(await isNewGeneration(file, version, stored.grant.record.time))) continue
        const key = await keys.metadataKeyOf(version)
        if (key === undefined) continue
        const purpose = purposes.metadataKey(owner, version.body.root)
        lacking.push({
          type: 'metadata',
          version: version.identity,
          to,
          sealed: await sealKey(to, key, purpose),
        })
      }
    }
    const statements: Statement[] = []
    for (let at = 0; at < lacking.length; at += MAX_SEALS) {
      statements.push({ type: 'key.copy', body: { copies: lacking.slice(at, at + MAX_SEALS) } })
    }
    return statements
  }

  return {
    keysFor,
    current,
    missing: async (file, owner) => {
      if (readFile(state, file)?.owner !== owner) return []
      const versions = current(file)
      return [
        ...(await missingOfHolders(file, owner, versions)),
        ...(await missingOfGrantees(file, owner, versions)),
      ]
    },
  }
}
