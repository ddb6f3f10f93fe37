/** Which records a certificate has to hold: a record, and what shows whose it is, back to the founder. */
import { type DeviceId, deviceIdOf, type RecordId } from '../../chain/ids.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { readRecordState } from '../../chain/state/records.ts'
import type { ChainStore, StoredRecord } from '../../storage/chain-store.ts'

/** Records that one citation leads to at most: a chain of invites is as long as the network has members. */
const MAX_LED = 1024

/** A record that stands in the best chain. */
export type PlacedRecord = StoredRecord & Required<Pick<StoredRecord, 'place'>>

export interface Citations {
  /** The record that stands in the chain under an identity. */
  standing(identity: RecordId): PlacedRecord | undefined
  /** The record 0 of a device. */
  admission(device: DeviceId): PlacedRecord | undefined
  /** `record` and all that it rests on; undefined: something of it is not in the chain, or it is too much. */
  closure(record: PlacedRecord): PlacedRecord[] | undefined
}

export function createCitations(
  store: Pick<ChainStore, 'record' | 'recordsAt' | 'state'>,
): Citations {
  const placed = (stored: StoredRecord | undefined): PlacedRecord | undefined =>
    stored?.place === undefined ? undefined : { ...stored, place: stored.place }
  const standing: Citations['standing'] = (identity) =>
    placed(store.record(readRecordState(store.state, identity)?.by ?? identity))
  const admission: Citations['admission'] = (device) =>
    placed(store.recordsAt(device, 0).find(({ place }) => place !== undefined))

  /** What shows whose a record is. */
  const reasons = (record: SignedRecord): (PlacedRecord | undefined)[] => {
    if (record.type !== 'user.create' && record.type !== 'device.add') {
      const origin = record.type === 'file.update' ? [standing(record.body.file)] : []
      return [admission(record.device), ...origin]
    }
    const { proof } = record.body
    const user = record.user === null ? [] : [standing(record.user)]
    if (proof.type === 'device') return [...user, admission(deviceIdOf(proof.device))]
    if (proof.type !== 'invite') return user
    return [...user, standing(proof.invite), admission(deviceIdOf(proof.sponsor))]
  }

  return {
    standing,
    admission,
    closure: (first) => {
      const found = new Map<RecordId, PlacedRecord>()
      const waiting = [first]
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        if (found.has(next.record.id)) continue
        if (found.size >= MAX_LED) return undefined
        found.set(next.record.id, next)
        for (const reason of reasons(next.record)) {
          if (reason === undefined) return undefined
          waiting.push(reason)
        }
      }
      return [...found.values()]
    },
  }
}
