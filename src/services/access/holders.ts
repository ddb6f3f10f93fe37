/** Key holders beyond the owner's own devices: for instance the always-on server at home, while the laptop sleeps. */
import {
  type DeviceId,
  deviceIdOf,
  deviceKeyOf,
  type RecordId,
  type UserId,
} from '../../chain/ids.ts'
import { isBackup, readDevice } from '../../chain/state/devices.ts'
import { holdersOf, readHolder } from '../../chain/state/grants.ts'
import { assert } from '../../common/errors.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { PersonEntry } from '../../storage/people-table.ts'
import type { Directory, Named } from '../explorer/directory.ts'
import type { Publisher } from '../files/components.ts'
import { fileError } from '../files/errors.ts'
import { accessError } from './errors.ts'
import { keyHoldersOf } from './key-holders.ts'
import { findDevice, ownedFile, ownedPrivateFile } from './owned-file.ts'
import type { Supply } from './supply.ts'

export interface HolderView {
  readonly device: Named
  readonly user: Named | null
  /** By the owner, beyond the owner's own devices. */
  readonly named: boolean
}

export interface HoldersService {
  /**
   * Lets a device of another user give the keys of a private file to those who were granted it. The keys of all
   * current versions are sealed to it; those of later ones follow. Whoever owns it can read the file.
   *
   * @param device - an id, the beginning of one, or a name
   * @throws FILE_NOT_FOUND, FILE_NOT_OWNER, FILE_NOT_PRIVATE, FILE_SEALED, HOLDER_NOT_FOUND, HOLDER_AMBIGUOUS,
   *   HOLDER_OWN, HOLDER_BACKUP, NOT_ADMITTED
   */
  add(file: string, device: string, signal: AbortSignal): Promise<{ readonly record: RecordId }>
  /** Keys that it was given it keeps. @throws as add, and HOLDER_NONE */
  remove(file: string, device: string, signal: AbortSignal): Promise<{ readonly record: RecordId }>
  /** As the best chain has them. @throws FILE_NOT_FOUND */
  list(file: string): readonly HolderView[]
}

export interface HoldersComponents {
  readonly store: Pick<ChainStore, 'state' | 'projections'>
  readonly records: Publisher
  readonly directory: Directory
  readonly supply: Supply
  readonly self: { user(): UserId | undefined }
}

export function createHolders(components: HoldersComponents): HoldersService {
  const { store, records, directory, supply, self } = components
  const { state, projections } = store

  const referenceTo = ({ device, record }: PersonEntry) => {
    const key = deviceKeyOf(device)
    assert(key !== undefined, 'a listed device has a key')
    return { device: key, admission: record.id }
  }
  const encryptionKeyOf = ({ device, record }: PersonEntry): Uint8Array => {
    const known = readDevice(state, device)
    if (known !== undefined) return known.encryptionKey
    assert(
      record.type === 'user.create' || record.type === 'device.add',
      'a device is listed by its first record',
    )
    return record.body.encryptionKey
  }
  /** The newest `holder.add` of a device that was not taken back, pending ones included. */
  const nameOfHolder = (file: RecordId, device: DeviceId): RecordId | undefined => {
    let named = readHolder(state, file, device)
    for (const { record, outcome } of projections.holdersOf(file)) {
      if (outcome !== undefined || record.user !== self.user()) continue
      if (record.type !== 'holder.add' && record.type !== 'holder.remove') continue
      if (deviceIdOf(record.body.device) !== device) continue
      named = record.type === 'holder.add' ? record.identity : undefined
    }
    return named
  }

  return {
    add: async (file, text, signal) => {
      const owner = self.user()
      const entry = ownedPrivateFile(projections, owner, file)
      const person = findDevice(directory, text)
      const name = person.deviceName
      const known = readDevice(state, person.device)
      if (known !== undefined && isBackup(state, person.device, known)) {
        throw accessError('HOLDER_BACKUP', { name })
      }
      if (person.user === owner) throw accessError('HOLDER_OWN', { name })
      const versions = supply.current(entry.file)
      const keys = await supply.keysFor(entry.owner, versions, encryptionKeyOf(person))
      if (keys.length < versions.length) throw fileError('FILE_SEALED', { file: entry.file })
      const body = { file: entry.file, ...referenceTo(person), keys }
      const record = await records.publish({ type: 'holder.add', body }, signal)
      return { record: record.id }
    },
    remove: async (file, text, signal) => {
      const entry = ownedFile(projections, self.user(), file)
      const person = findDevice(directory, text)
      const holder = nameOfHolder(entry.file, person.device)
      if (holder === undefined) throw accessError('HOLDER_NONE', { name: person.deviceName })
      const body = { file: entry.file, device: referenceTo(person).device, holder }
      const record = await records.publish({ type: 'holder.remove', body }, signal)
      return { record: record.id }
    },
    list: (file) => {
      const entry = projections.file(file as RecordId)
      if (entry === undefined) throw fileError('FILE_NOT_FOUND', { text: file.slice(0, 80) })
      const named = new Set(holdersOf(state, entry.file))
      return keyHoldersOf(state, entry.file).map((device) => ({
        device: directory.device(device),
        user: directory.userOf(device),
        named: named.has(device),
      }))
    },
  }
}
