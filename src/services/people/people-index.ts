/**
 * What this node has ever been told of admissions, invites and revocations: on the best chain, on another
 * branch, or pending. Small: these records are few.
 *
 * owns: finding them by invite, key and device
 * does not own: whether they count (gate.ts, pairing.ts ask the chain's state)
 */
import { type DeviceId, deviceIdOf, type RecordId, type UserId } from '../../chain/ids.ts'
import type { RecordOf, SignedRecord } from '../../chain/record.ts'
import type { Events } from '../../common/events.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'

export type AdmissionRecord = RecordOf<'user.create'> | RecordOf<'device.add'>

export interface PeopleIndex {
  /** Reads what is stored; then follows the events. Idempotent. */
  start(): void
  stop(): void
  /** Calls `listener` for each such record, from `start` on. */
  onRecord(listener: (record: SignedRecord) => void): void
  /** Record 0 of a device; several: it signed more than one. */
  admissionsOf(device: DeviceId): readonly AdmissionRecord[]
  /** Devices of which an admission to this user is known, good or not. */
  devicesOf(user: UserId): ReadonlySet<DeviceId>
  /** The admissions that rest on an invite. */
  admissionsUnder(invite: RecordId): readonly AdmissionRecord[]
  /** The invites with this one-time key, as a device id. */
  invitesOf(key: DeviceId): readonly RecordOf<'invite'>[]
  invite(id: RecordId): RecordOf<'invite'> | undefined
  invites(): RecordOf<'invite'>[]
  cancellationsOf(invite: RecordId): readonly RecordOf<'invite.cancel'>[]
  /** The users with this recovery key, as a device id, by their `user.create`. */
  usersOf(recoveryKey: DeviceId): readonly RecordOf<'user.create'>[]
  /** The users with this restore key, likewise. */
  usersRestoredBy(restoreKey: DeviceId): readonly RecordOf<'user.create'>[]
}

/** Records kept at a kilobyte each; above it only those of the best chain, which no flood can make. */
const MAX_RECORDS = 50_000
const NOBODY: ReadonlySet<DeviceId> = new Set()
const TYPES: ReadonlySet<string> = new Set([
  'user.create',
  'device.add',
  'device.revoke',
  'invite',
  'invite.cancel',
])

export function createPeopleIndex(components: {
  readonly store: Pick<ChainStore, 'record'> & {
    readonly projections: Pick<ChainStore['projections'], 'peopleRecords'>
  }
  readonly events: Events<NodeEvents>
}): PeopleIndex {
  const { store, events } = components
  const known = new Set<RecordId>()
  const admissions = new Map<DeviceId, AdmissionRecord[]>()
  const devices = new Map<UserId, Set<DeviceId>>()
  const under = new Map<RecordId, AdmissionRecord[]>()
  const invites = new Map<DeviceId, RecordOf<'invite'>[]>()
  const inviteById = new Map<RecordId, RecordOf<'invite'>>()
  const cancellations = new Map<RecordId, RecordOf<'invite.cancel'>[]>()
  const recoveryKeys = new Map<DeviceId, RecordOf<'user.create'>[]>()
  const restoreKeys = new Map<DeviceId, RecordOf<'user.create'>[]>()
  const listeners: ((record: SignedRecord) => void)[] = []
  const ends: (() => void)[] = []

  const add = (record: SignedRecord, isConfirmed: boolean): void => {
    if (!TYPES.has(record.type) || known.has(record.id)) return
    if (!isConfirmed && known.size >= MAX_RECORDS) return
    known.add(record.id)
    switch (record.type) {
      case 'user.create':
        put(recoveryKeys, deviceIdOf(record.body.recoveryKey), record)
        put(restoreKeys, deviceIdOf(record.body.restoreKey), record)
        addAdmission(record)
        break
      case 'device.add':
        addAdmission(record)
        break
      case 'invite':
        put(invites, deviceIdOf(record.body.key), record)
        inviteById.set(record.identity, record)
        break
      case 'invite.cancel':
        put(cancellations, record.body.invite, record)
    }
    for (const listener of listeners) listener(record)
  }
  const addAdmission = (record: AdmissionRecord): void => {
    put(admissions, record.device, record)
    const user = record.user ?? record.id
    devices.set(user, (devices.get(user) ?? new Set()).add(record.device))
    const { proof } = record.body
    if (proof.type === 'invite') put(under, proof.invite, record)
  }

  return {
    start: () => {
      if (ends.length > 0) return
      ends.push(
        events.on('record:pending', ({ record }) => add(record, false)),
        events.on('record:confirmed', ({ record, type }) => {
          if (!TYPES.has(type) || known.has(record)) return
          const stored = store.record(record)
          if (stored !== undefined) add(stored.record, true)
        }),
      )
      for (const { record, place } of store.projections.peopleRecords()) {
        add(record, place !== undefined)
      }
    },
    stop: () => {
      for (const end of ends.splice(0)) end()
    },
    onRecord: (listener) => void listeners.push(listener),
    admissionsOf: (device) => admissions.get(device) ?? [],
    devicesOf: (user) => devices.get(user) ?? NOBODY,
    admissionsUnder: (invite) => under.get(invite) ?? [],
    invitesOf: (key) => invites.get(key) ?? [],
    invite: (id) => inviteById.get(id),
    invites: () => [...inviteById.values()],
    cancellationsOf: (invite) => cancellations.get(invite) ?? [],
    usersOf: (key) => recoveryKeys.get(key) ?? [],
    usersRestoredBy: (key) => restoreKeys.get(key) ?? [],
  }
}

function put<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key)
  if (list === undefined) map.set(key, [value])
  else list.push(value)
}
