/**
 * The cited records of a certificate: their signatures, and the rules of members as far as these records reach.
 * They are put, in the order of the chain, into a state that holds nothing else; so an admission counts only
 * when all that its proof rests on is cited before it.
 */
import { isProven } from './admissions.ts'
import type { Certificate } from './certificate.ts'
import { invalidCertificate } from './certificate-errors.ts'
import type { CertifiedAdmission, CertifiedMember } from './certificate-facts.ts'
import { isAdmission, verifyRecord } from './codec.ts'
import { type DeviceId, deviceIdOf, type UserId } from './ids.ts'
import { enter } from './inclusion.ts'
import { type NetworkParams, networkIdOf } from './params.ts'
import type { SignedRecord } from './record.ts'
import { advanceDevice, isBackup, readDevice } from './state/devices.ts'
import { applyFileAdd } from './state/files.ts'
import { applyInvite } from './state/invites.ts'
import { noteIncluded } from './state/records.ts'
import { APPLIED, type Place, type Result } from './state/result.ts'
import { readUser } from './state/users.ts'
import { createMapView, createOverlay, type Overlay } from './view.ts'

export interface CitedRecord {
  readonly record: SignedRecord
  readonly place: Place
}

export interface CertifiedMembers {
  readonly cited: readonly CitedRecord[]
  readonly admissions: readonly CertifiedAdmission[]
  /** What the cited records come to. */
  readonly state: Overlay
  member(device: DeviceId): CertifiedMember
}

/** @throws CERTIFICATE_INVALID (record, member) */
export function checkCertificateMembers(
  certificate: Pick<Certificate, 'cited'>,
  bodies: ReadonlyMap<number, readonly SignedRecord[]>,
  params: NetworkParams,
): CertifiedMembers {
  const state = createOverlay(createMapView(new Map()))
  const admissions: CertifiedAdmission[] = []
  const network = networkIdOf(params)
  const member = (device: DeviceId): CertifiedMember => {
    const found = readDevice(state, device)
    const user = found === undefined ? undefined : readUser(state, found.user)
    return {
      device,
      deviceName: found?.name ?? null,
      user: found?.user ?? null,
      userName: user?.name ?? null,
    }
  }
  let last: Place = { height: -1, index: 0 }
  const cited = certificate.cited.map((place): CitedRecord => {
    const words = `the record at ${place.height}/${place.index}`
    const record = bodies.get(place.height)?.[place.index]
    if (record === undefined) throw invalidCertificate('record', `${words} is not contained`)
    if (!isAfter(place, last)) throw invalidCertificate('record', 'its records are not in order')
    last = place
    if (record.network !== network) {
      throw invalidCertificate('record', `${words} belongs to another network`)
    }
    if (!verifyRecord(record)) {
      throw invalidCertificate('record', `${words} does not carry its device's signature`)
    }
    const fault = put(state, params, record, place)
    if (fault !== undefined) throw invalidCertificate('member', `${words} ${fault}`)
    if (record.type === 'user.create' || record.type === 'device.add') {
      admissions.push({
        ...member(record.device),
        record: record.id,
        height: place.height,
        time: record.time,
        by: record.body.proof.type,
      })
    }
    return { record, place }
  })
  return { cited, admissions, state, member }
}

/** Enters one record; what is wrong with it, as the end of a sentence. */
function put(
  state: Overlay,
  params: NetworkParams,
  record: SignedRecord,
  place: Place,
): string | undefined {
  const device = readDevice(state, record.device)
  if (isAdmission(record.type)) {
    if (device !== undefined) return 'admits a device a second time'
    if (!isProven(state, params, record)) return 'admits a device without proof'
    enter(state, undefined, record)
    noteIncluded(state, record, place, APPLIED)
    return undefined
  }
  if (device === undefined) return 'is by a device whose admission is not contained'
  if (record.user === null || record.user !== device.user)
    return "names another user than its device's"
  if (record.sequence <= device.sequence) return 'is out of the order of its device'
  if (isBackup(state, record.device, device)) return 'is by a device that only stores for others'
  advanceDevice(state, device, record)
  const result = effect(state, record, record.user)
  if (result === undefined) return 'is of a kind that has no place here'
  if (result.outcome !== 'applied') return 'does not keep to the rules'
  noteIncluded(state, record, place, result)
  return undefined
}

/** Undefined: records of this type are not cited. */
function effect(state: Overlay, record: SignedRecord, user: UserId): Result | undefined {
  switch (record.type) {
    case 'invite':
      return applyInvite(state, record, user)
    case 'file.add':
      return applyFileAdd(state, record, user)
    case 'file.update':
    case 'vote':
      // What they rest on is more than a certificate holds; certificate-check.ts looks at the rest.
      return APPLIED
    default:
      return undefined
  }
}

/** The device that a header or a certificate names. */
export function memberOf(members: CertifiedMembers, key: Uint8Array): CertifiedMember {
  return members.member(deviceIdOf(key))
}

function isAfter(place: Place, last: Place): boolean {
  return place.height > last.height || (place.height === last.height && place.index > last.index)
}
