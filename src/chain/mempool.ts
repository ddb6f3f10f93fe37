/** Pending records: which of them can enter the chain now, and in which order a body takes them. */
import { MAX_BODY_BYTES } from '../common/limits.ts'
import { BODY_OVERHEAD_BYTES } from './codec.ts'
import type { DeviceId } from './ids.ts'
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

  /** Takes the device's next records; false when it has none, or none that fits in. */
  const takeTurn = (device: DeviceId, line: Map<number, SignedRecord[]>): boolean => {
    for (let taken = 0; taken < TURN_RECORDS; taken++) {
      const state = readDevice(overlay, device)
      const sequence = state === undefined ? 0 : state.sequence + 1
      const record = line
        .get(sequence)
        ?.find((candidate) => fitOf(overlay, params, state, candidate) === 'next')
      if (record === undefined || record.bytes.length > room) return taken > 0
      if (selected.length >= MAX_BODY_RECORDS) return false
      room -= record.bytes.length
      enter(overlay, state, record)
      selected.push(record)
    }
    return true
  }

  // An admission may rest on a device whose turn comes later, so all are asked until none moves.
  for (let moved = true; moved; ) {
    moved = false
    for (const [device, line] of lines) moved = takeTurn(device, line) || moved
  }
  return selected
}
