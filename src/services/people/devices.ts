/** What a person does with their devices: name them, and shut one out that was lost. */
import { type DeviceId, deviceKeyOf, type RecordId, type UserId } from '../../chain/ids.ts'
import { checkName } from '../../chain/names.ts'
import type { SignedRecord, Statement } from '../../chain/record.ts'
import { MAX_REASON_CHARACTERS } from '../../chain/record-bodies.ts'
import { isBackup, listDevices, readDevice, readRevocation } from '../../chain/state/devices.ts'
import { listInvites } from '../../chain/state/invites.ts'
import { assert, codeOf } from '../../common/errors.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { PersonEntry } from '../../storage/people-table.ts'
import type { Directory } from '../explorer/directory.ts'
import { admittedBy } from './admitted-by.ts'
import { peopleError } from './errors.ts'
import type { KeySharing } from './key-sharing.ts'
import { revocationIdOf } from './revoked.ts'

export interface DevicesComponents {
  readonly store: Pick<ChainStore, 'state' | 'recordsAt' | 'record' | 'meta'>
  readonly records: {
    publish(statement: Statement, signal?: AbortSignal): Promise<SignedRecord>
  }
  readonly directory: Pick<Directory, 'devices'>
  readonly sharing: Pick<KeySharing, 'settle'>
  readonly user: () => UserId | undefined
  /** This device. */
  readonly device: DeviceId
}

/** A device that a revoked one let in. */
export interface AdmittedDevice {
  readonly device: DeviceId
  readonly name: string
  /** When it was let in, by its own clock, milliseconds UTC. */
  readonly added: number
}

export interface RevokedDevice {
  readonly device: DeviceId
  readonly name: string
  /** Null: it was revoked before, and those that it let in are now. */
  readonly record: RecordId | null
  /** Those that it let in and that were shut out with it. */
  readonly also: readonly AdmittedDevice[]
  /** Those that it let in and that still stand; this device may be among them. */
  readonly admitted: readonly AdmittedDevice[]
}

export interface RevokeOptions {
  readonly reason?: string
  readonly force?: boolean
  readonly withAdmitted?: boolean
}

export interface DevicesService {
  /**
   * Shuts one of the user's devices out: at once here, and on every device that hears of it. Then the user gets
   * a new key, which that device does not have. What it had stated so far stays.
   *
   * @param device - its id, the beginning of its id, or its name
   * @param options.withAdmitted - also those of the user that it let in, and those that these let in, and so on;
   *   never this device itself
   * @throws DEVICE_NOT_FOUND, DEVICE_AMBIGUOUS, DEVICE_REVOKED, DEVICE_LAST unless forced, REVOKE_REASON
   */
  revoke(device: string, options: RevokeOptions, signal?: AbortSignal): Promise<RevokedDevice>
  /** @throws DEVICE_NOT_FOUND, DEVICE_AMBIGUOUS, DEVICE_NAME */
  rename(device: string, name: string, signal?: AbortSignal): Promise<{ readonly record: RecordId }>
}

export function createDevicesService(components: DevicesComponents): DevicesService {
  const { store, records, directory, sharing, user } = components

  const ownDevices = (): PersonEntry[] =>
    directory.devices().filter((entry) => entry.user === user())
  const find = (text: string): PersonEntry => {
    const own = ownDevices()
    const exact = own.filter(({ device, deviceName }) => device === text || deviceName === text)
    const found = exact.length > 0 ? exact : own.filter(({ device }) => startsWith(device, text))
    const [only] = found
    const shown = text.slice(0, 80)
    if (only === undefined) throw peopleError('DEVICE_NOT_FOUND', { text: shown })
    if (found.length > 1) {
      throw peopleError('DEVICE_AMBIGUOUS', { text: shown, count: found.length })
    }
    return only
  }

  /** Records of a device that continue what the chain holds of it, and wait. */
  const waitingOf = ({ device, record }: PersonEntry): SignedRecord[] => {
    const state = readDevice(store.state, device)
    let last: { sequence: number; id: RecordId } = {
      sequence: state?.sequence ?? 0,
      id: state?.last ?? record.id,
    }
    const found: SignedRecord[] = []
    for (;;) {
      const { id, sequence } = last
      const next = store
        .recordsAt(device, sequence + 1)
        .find((stored) => stored.place === undefined && stored.record.previous === id)
      if (next === undefined) return found
      found.push(next.record)
      last = next.record
    }
  }
  const throughOf = (
    entry: PersonEntry,
    waiting: readonly SignedRecord[],
  ): { sequence: number; record: RecordId } => {
    const last = waiting.at(-1)
    if (last !== undefined) return { sequence: last.sequence, record: last.id }
    const state = readDevice(store.state, entry.device)
    return { sequence: state?.sequence ?? 0, record: state?.last ?? entry.record.id }
  }

  /** Invites that the device made, waiting ones too, with which its thief could bring in another. */
  const openInvitesOf = (entry: PersonEntry, waiting: readonly SignedRecord[]): RecordId[] => [
    ...listInvites(store.state)
      .filter(({ id, invite }) => invite.issuer === entry.user && !invite.used && madeBy(id, entry))
      .map(({ id }) => id),
    ...waiting.filter(({ type }) => type === 'invite').map(({ identity }) => identity),
  ]
  const madeBy = (id: RecordId, { device }: PersonEntry): boolean =>
    store.record(id)?.record.device === device

  const referenceTo = (entry: PersonEntry): { device: Uint8Array; admission: RecordId } => {
    const device = deviceKeyOf(entry.device)
    assert(device !== undefined, 'a listed device has a key')
    return { device, admission: entry.record.id }
  }

  /** Devices that it let in and that take part. */
  const standingOf = ({ device }: PersonEntry): PersonEntry[] =>
    admittedBy(store, ownDevices(), device).filter((each) => {
      const state = readDevice(store.state, each.device)
      return state?.active !== false && revocationIdOf(store, each.device) === undefined
    })

  /** @throws DEVICE_REVOKED */
  const publish = async (
    entry: PersonEntry,
    reason: string,
    signal: AbortSignal | undefined,
  ): Promise<RecordId> => {
    const waiting = waitingOf(entry)
    const through = throughOf(entry, waiting)
    const former = readRevocation(store.state, entry.device)
    // One who stole it may have revoked it themselves, far ahead: the lowest place counts.
    if (former !== undefined && former.sequence <= through.sequence) {
      throw peopleError('DEVICE_REVOKED', { name: entry.deviceName })
    }
    const body = { ...referenceTo(entry), through, reason }
    const record = await records.publish({ type: 'device.revoke', body }, signal)
    for (const invite of new Set(openInvitesOf(entry, waiting))) {
      await records.publish({ type: 'invite.cancel', body: { invite } }, signal)
    }
    return record.id
  }

  return {
    revoke: async (text, { reason = '', force = false, withAdmitted = false }, signal) => {
      const entry = find(text)
      const { device, deviceName: name } = entry
      const characters = [...reason].length
      if (characters > MAX_REASON_CHARACTERS || !reason.isWellFormed()) {
        throw peopleError('REVOKE_REASON', { characters, limit: MAX_REASON_CHARACTERS })
      }
      const standing = standingOf(entry)
      const also = withAdmitted ? standing.filter((each) => each.device !== components.device) : []
      const out = new Set([entry, ...also].map((each) => each.device))
      const others = listDevices(store.state).filter(
        ({ id, device: state }) =>
          !out.has(id) &&
          state.active &&
          state.user === entry.user &&
          !isBackup(store.state, id, state),
      )
      if (others.length === 0 && !force) throw peopleError('DEVICE_LAST', { name })
      let record: RecordId | null = null
      try {
        record = await publish(entry, reason, signal)
      } catch (error) {
        // Revoked before: then it is about those that it let in.
        if (codeOf(error) !== 'DEVICE_REVOKED' || also.length === 0) throw error
      }
      for (const each of also) await publish(each, reason, signal)
      // After the revocation, never before: the new key is what the revoked device does not have.
      await sharing.settle()
      const left = standing.filter((each) => !out.has(each.device))
      return {
        device,
        name,
        record,
        also: also.map(admittedView),
        admitted: left.map(admittedView),
      }
    },
    rename: async (text, name, signal) => {
      const wanted = name.normalize('NFC')
      const fault = checkName(wanted)
      if (fault !== undefined) throw peopleError('DEVICE_NAME', { fault })
      const body = { ...referenceTo(find(text)), name: wanted }
      const record = await records.publish({ type: 'device.name', body }, signal)
      return { record: record.id }
    },
  }
}

function admittedView({ device, deviceName, record }: PersonEntry): AdmittedDevice {
  return { device, name: deviceName, added: record.time }
}

/** Letters that tell a device's id apart; all begin with the same eight. */
const COMMON_PREFIX = '12D3KooW'
const OWN_LETTERS = 4

function startsWith(device: DeviceId, text: string): boolean {
  return text.length >= COMMON_PREFIX.length + OWN_LETTERS && device.startsWith(text)
}
