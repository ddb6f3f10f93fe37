/** Pending records: which of them can enter the chain now, and in which order a body takes them. */
import { MAX_BODY_BYTES } from '../common/limits.ts'
import { BODY_OVERHEAD_BYTES } from './codec.ts'
import { type DeviceId, deviceIdOf, type UserId } from './ids.ts'
import { enter, fitOf } from './inclusion.ts'
import { type NetworkParams, networkIdOf } from './params.ts'
import type { SignedRecord } from './record.ts'
import { readDevice } from './state/devices.ts'
import { isIncluded, isKnown } from './state/records.ts'
import { createOverlay, type StateView } from './view.ts'

/** Records that one device gets into a body before it is the next one's turn. */
const TURN_RECORDS = 64
/** Records of one body: what the head of a list in two bytes counts, and more than 1 MiB can hold. */
const MAX_BODY_RECORDS = 0xffff

export type Inclusion = 'includable' | 'stranded' | 'confirmed' | 'early'

/**
 * How a record stands to the chain whose state is `view`: `includable` next; `confirmed`: in it, itself or
 * through one that replaces it; `stranded`: cannot enter as it is; `early`: a record before it, or what its
 * admission rests on, is missing (if one before it is stranded, so is this).
 *
 * @param params - with them the proof of a founder is checked too
 */
export function inclusionOf(
  view: StateView,
  record: SignedRecord,
  params?: NetworkParams,
): Inclusion {
  const fit = fitOf(view, params, readDevice(view, record.device), record)
  if (fit === 'next') return 'includable'
  if (isIncluded(view, record.id) || isKnown(view, record)) return 'confirmed'
  return fit === 'behind' ? 'stranded' : 'early'
}

/**
 * Candidates that can enter the next block, in an order in which they can: for each device by sequence, an
 * admission after what it rests on. Devices take turns in the order of their first candidate.
 *
 * @param limits - `maxBytes` of the encoded body
 */
export function selectRecords(
  view: StateView,
  params: NetworkParams,
  candidates: Iterable<SignedRecord>,
  limits: { readonly maxBytes?: number } = {},
): SignedRecord[] {
  const network = networkIdOf(params)
  const lines = new Map<DeviceId, Map<number, SignedRecord[]>>()
  for (const record of candidates) {
    if (record.network !== network) continue
    const line = lines.get(record.device) ?? new Map<number, SignedRecord[]>()
    lines.set(record.device, line)
    const same = line.get(record.sequence)
    if (same === undefined) line.set(record.sequence, [record])
    else same.push(record)
  }

  const overlay = createOverlay(view)
  const selected: SignedRecord[] = []
  let room = (limits.maxBytes ?? MAX_BODY_BYTES) - BODY_OVERHEAD_BYTES

  /** Devices that are not admitted yet, by what their admissions rest on: a device or a user. */
  const waiting = new Map<DeviceId | UserId, Set<DeviceId>>()
  /** Devices that can go on after this turn. */
  let next = new Set<DeviceId>()

  const letWait = (device: DeviceId): void => {
    for (const id of (lines.get(device)?.get(0) ?? []).flatMap(supportsOf)) {
      const others = waiting.get(id) ?? new Set<DeviceId>()
      waiting.set(id, others.add(device))
    }
  }
  const wake = (id: DeviceId | UserId): void => {
    for (const device of waiting.get(id) ?? []) next.add(device)
    waiting.delete(id)
  }

  const takeTurn = (device: DeviceId): void => {
    for (let taken = 0; taken < TURN_RECORDS; taken++) {
      const state = readDevice(overlay, device)
      const sequence = state === undefined ? 0 : state.sequence + 1
      const record = lines
        .get(device)
        ?.get(sequence)
        ?.find((candidate) => fitOf(overlay, params, state, candidate) === 'next')
      if (record === undefined && state === undefined) letWait(device)
      if (record === undefined || record.bytes.length > room) return
      if (selected.length >= MAX_BODY_RECORDS) return
      room -= record.bytes.length
      enter(overlay, state, record)
      selected.push(record)
      if (state !== undefined) continue
      wake(device)
      wake(record.id)
    }
    next.add(device)
  }

  for (let turn: Iterable<DeviceId> = lines.keys(); ; turn = next) {
    next = new Set()
    for (const device of turn) takeTurn(device)
    if (next.size === 0) return selected
  }
}

/** What has to be there before an admission holds, and may come in the same body. */
function supportsOf(record: SignedRecord): (DeviceId | UserId)[] {
  if (record.type !== 'user.create' && record.type !== 'device.add') return []
  const { proof } = record.body
  const user = record.user === null ? [] : [record.user]
  if (proof.type === 'device') return [...user, deviceIdOf(proof.device)]
  return proof.type === 'invite' ? [...user, deviceIdOf(proof.sponsor)] : user
}
