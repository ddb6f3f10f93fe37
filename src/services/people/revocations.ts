/**
 * Which devices were ever revoked, as far as this node was told: on the best chain, on a branch that lost, or in a
 * record that waits. Kept in the database: a reorg or an eviction does not bring a device back.
 */

import { type DeviceId, deviceIdOf, type UserId } from '../../chain/ids.ts'
import { inclusionOf } from '../../chain/mempool.ts'
import type { RecordOf, SignedRecord } from '../../chain/record.ts'
import { applyDeviceRevoke, readDevice, revocationMessage } from '../../chain/state/devices.ts'
import { readUser } from '../../chain/state/users.ts'
import { createOverlay } from '../../chain/view.ts'
import { verifyEd25519 } from '../../common/crypto.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { AdmissionRecord, PeopleIndex } from './people-index.ts'
import { rememberRevocation, revocationIdOf } from './revoked.ts'

export interface Revocations {
  isRevoked(device: DeviceId): boolean
  /** Takes a record into account; true: a device is revoked by it that was not. */
  note(record: SignedRecord): boolean
  /** Looks again at those that could not be judged; true as of `note`. */
  again(): boolean
}

/**
 * Revocations that could not be judged yet: of devices whose admission has not come. Few, because all are looked
 * at whenever a block or a record about people comes; the oldest are forgotten, until the chain says the same.
 */
const MAX_OPEN = 64

export function createRevocations(components: {
  readonly store: Pick<ChainStore, 'state' | 'meta' | 'setMeta' | 'record'>
  readonly index: PeopleIndex
  readonly userOf: (device: DeviceId) => UserId | undefined
}): Revocations {
  const { store, index, userOf } = components
  const open = new Map<string, RecordOf<'device.revoke'>>()
  /** Beside the database: a full disk must not let anybody in. */
  const noted = new Set<DeviceId>()
  const isNoted = (device: DeviceId): boolean =>
    noted.has(device) || revocationIdOf(store, device) !== undefined
  const isRevoked = (device: DeviceId): boolean =>
    isNoted(device) || readDevice(store.state, device)?.active === false

  /** Undefined: what it rests on is not known yet. */
  const counts = (record: RecordOf<'device.revoke'>): boolean | undefined => {
    if (record.body.recovery !== undefined) return isByRecovery(record)
    // A device that is out shuts nobody out, unless it said so before.
    const standing = inclusionOf(store.state, record)
    if (isRevoked(record.device) && standing !== 'confirmed' && standing !== 'includable') {
      return record.device === deviceIdOf(record.body.device)
    }
    const user = userOf(record.device)
    if (user === undefined || user !== record.user) return undefined
    const result = applyDeviceRevoke(createOverlay(store.state), record, user, record.time)
    if (result.outcome === 'applied') return true
    if (result.outcome === 'rejected') return result.code === 'ALREADY_REVOKED'
    const admission = admissionOf(record)
    if (admission === undefined) return undefined
    return belongsTo(admission, user) && admission.body.proof.type !== 'recovery'
  }

  const isByRecovery = (record: RecordOf<'device.revoke'>): boolean | undefined => {
    const { user } = record
    const { recovery } = record.body
    const admission = admissionOf(record)
    if (user === null || recovery === undefined || admission === undefined) return undefined
    const created = store.record(user)?.record
    const key =
      readUser(store.state, user)?.recoveryKey ??
      (created?.type === 'user.create' ? created.body.recoveryKey : undefined)
    if (key === undefined) return undefined
    const message = revocationMessage(record.network, record.body)
    return belongsTo(admission, user) && verifyEd25519(key, message, recovery)
  }

  const admissionOf = (record: RecordOf<'device.revoke'>): AdmissionRecord | undefined =>
    index
      .admissionsOf(deviceIdOf(record.body.device))
      .find(({ id }) => id === record.body.admission)

  const note = (record: SignedRecord): boolean => {
    if (record.type !== 'device.revoke') return false
    const verdict = counts(record)
    if (verdict === undefined) {
      open.set(record.id, record)
      const oldest = open.keys().next().value
      if (open.size > MAX_OPEN && oldest !== undefined) open.delete(oldest)
      return false
    }
    open.delete(record.id)
    const device = deviceIdOf(record.body.device)
    if (!verdict || isNoted(device)) return false
    noted.add(device)
    rememberRevocation(store, device, record.id)
    return true
  }

  return {
    isRevoked,
    note,
    again: () => [...open.values()].map(note).includes(true),
  }
}

function belongsTo(admission: AdmissionRecord, user: UserId): boolean {
  return (admission.user ?? admission.id) === user
}
