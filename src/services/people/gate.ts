/**
 * Who may connect: the devices of this network, pending ones too; with the key of an invite, a recovery key or a
 * restore key, whoever wants to pair. Asked at every handshake and stream.
 *
 * A device that was revoked stays out, whatever the best chain says now.
 */

import { type DeviceId, deviceIdOf, type RecordId, type UserId } from '../../chain/ids.ts'
import { enter, fitOf } from '../../chain/inclusion.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { RecordOf, SignedRecord } from '../../chain/record.ts'
import { isBackup, readDevice } from '../../chain/state/devices.ts'
import { applyInvite, readInvite } from '../../chain/state/invites.ts'
import { readUser } from '../../chain/state/users.ts'
import { createOverlay, type Overlay } from '../../chain/view.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { HostDecisions } from '../../network/host.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import { createDeviceLimit, type DeviceLimit } from './device-limit.ts'
import type { AdmissionRecord, PeopleIndex } from './people-index.ts'
import { createRevocations } from './revocations.ts'

/** `member`: takes part in everything. `pair`: may ask to be taken in, and nothing else. */
export type PeerRole = 'member' | 'pair'

export interface Gate extends HostDecisions, Startable {
  allows(device: DeviceId, role: PeerRole): boolean
  isMember(device: DeviceId): boolean
  /** Whether a revocation of this device was ever taken here. */
  isRevoked(device: DeviceId): boolean
  /** The user of a device that is admitted, or is about to be. */
  userOf(device: DeviceId): UserId | undefined
  /** Whether an admission could stand in the chain, after the pending records that it rests on. */
  isProven(record: AdmissionRecord): boolean
  /** How many devices a user may have. */
  readonly limit: Pick<DeviceLimit, 'hasRoom' | 'admits'>
  /** Takes a revocation into account that was shown and is not stored. Its signature was checked. */
  hear(record: RecordOf<'device.revoke'>): void
  /** Calls `listener` when somebody may no longer be admitted. */
  onChange(listener: () => void): void
}

/** After its expiry the key of an invite may still ask, and is told that it is too late. Milliseconds. */
const EXPIRED_MS = 7 * 24 * 60 * 60_000
/** Answers kept until the next block or record about people. */
const MAX_ANSWERS = 1024
/** Devices that a node without a chain dialled, and so trusts until it has one. */
const MAX_INTRODUCED = 64
/** Pending admissions that rest on each other. */
const MAX_DEPTH = 8

export function createGate(
  components: {
    readonly store: Pick<ChainStore, 'state' | 'record' | 'meta' | 'setMeta'>
    readonly index: PeopleIndex
    readonly events: Events<NodeEvents>
    readonly clock: Pick<Clock, 'now'>
  },
  init: { readonly params: NetworkParams; readonly device: DeviceId },
): Gate {
  const { store, index, events, clock } = components
  const { params } = init
  const founder = deviceIdOf(params.founder)
  const answers = new Map<DeviceId, UserId | null>()
  const introduced = new Set<DeviceId>()
  const listeners: (() => void)[] = []
  const ends: (() => void)[] = []
  const changed = (): void => {
    answers.clear()
    limit.changed()
    for (const listener of listeners) listener()
  }

  const pendingUser = (device: DeviceId): UserId | undefined => {
    const known = answers.get(device)
    if (known !== undefined) return known ?? undefined
    const record = index.admissionsOf(device).find(isProven)
    const user = record === undefined ? null : (record.user ?? record.id)
    if (answers.size >= MAX_ANSWERS) answers.clear()
    answers.set(device, user)
    return user ?? undefined
  }
  const userOf = (device: DeviceId): UserId | undefined =>
    readDevice(store.state, device)?.user ?? pendingUser(device)
  const revocations = createRevocations({ store, index, userOf })
  const { isRevoked } = revocations
  const limit = createDeviceLimit({
    index,
    takesPart: (device) => !isRevoked(device) && userOf(device) !== undefined,
  })

  /** The best chain's state with what is pending of those that `record` rests on. */
  function isProven(record: AdmissionRecord): boolean {
    return enterAdmission(createOverlay(store.state), record, MAX_DEPTH)
  }
  function enterAdmission(overlay: Overlay, record: AdmissionRecord, depth: number): boolean {
    const { proof } = record.body
    if (record.type === 'device.add' && readUser(overlay, record.user ?? record.id) === undefined) {
      const created = record.user === null ? undefined : store.record(record.user)?.record
      if (created?.type !== 'user.create' || !enterDevice(overlay, created.device, depth))
        return false
    }
    if (proof.type === 'invite') {
      if (!enterDevice(overlay, deviceIdOf(proof.sponsor), depth)) return false
      if (!enterInvite(overlay, proof.invite, depth)) return false
    }
    if (proof.type === 'device' && !enterDevice(overlay, deviceIdOf(proof.device), depth))
      return false
    const device = readDevice(overlay, record.device)
    if (device !== undefined) return device.last === record.id || device.sequence > 0
    if (fitOf(overlay, params, undefined, record) !== 'next') return false
    enter(overlay, undefined, record)
    return true
  }
  function enterDevice(overlay: Overlay, device: DeviceId, depth: number): boolean {
    if (isRevoked(device)) return false
    if (readDevice(overlay, device) !== undefined) return true
    if (depth === 0) return false
    return index.admissionsOf(device).some((record) => enterAdmission(overlay, record, depth - 1))
  }
  function enterInvite(overlay: Overlay, id: RecordId, depth: number): boolean {
    if (readInvite(overlay, id) !== undefined) return true
    const record = index.invite(id)
    if (record === undefined || record.user === null) return false
    if (index.cancellationsOf(id).length > 0 || !enterDevice(overlay, record.device, depth))
      return false
    const issuer = readDevice(overlay, record.device)
    if (issuer === undefined || issuer.user !== record.user || !issuer.active) return false
    if (isBackup(overlay, record.device, issuer)) return false
    return applyInvite(overlay, record, issuer.user).outcome === 'applied'
  }

  /** Before this device stands in its own chain it cannot know the others: whom it dials, it trusts so far. */
  const isNew = (): boolean => readDevice(store.state, init.device) === undefined

  const isMember = (device: DeviceId): boolean => {
    if (isRevoked(device)) return false
    if (params.admission === 'open' || device === founder) return true
    if (readDevice(store.state, device) !== undefined) return true
    return pendingUser(device) !== undefined || (introduced.has(device) && isNew())
  }
  const mayPair = (key: DeviceId): boolean =>
    index.usersOf(key).length > 0 ||
    index.usersRestoredBy(key).length > 0 ||
    index.invitesOf(key).some(({ body }) => body.expires + EXPIRED_MS > clock.now())
  const allows = (device: DeviceId, role: PeerRole): boolean =>
    isMember(device) || (role === 'pair' && !isRevoked(device) && mayPair(device))

  const note = (record: SignedRecord): void => {
    revocations.note(record)
    revocations.again()
    changed()
  }
  index.onRecord(note)

  return {
    allows,
    isMember,
    isRevoked,
    userOf,
    isProven,
    hear: note,
    limit,
    admit: (device, dialled = false) => {
      if (allows(device, 'pair')) return true
      if (!dialled || isRevoked(device) || !isNew() || introduced.size >= MAX_INTRODUCED)
        return false
      introduced.add(device)
      return true
    },
    onChange: (listener) => void listeners.push(listener),
    start: async () => {
      if (ends.length > 0) return
      ends.push(
        events.on('chain:tip', () => {
          revocations.again()
          changed()
        }),
      )
      index.start()
    },
    stop: async () => {
      index.stop()
      for (const end of ends.splice(0)) end()
    },
  }
}
