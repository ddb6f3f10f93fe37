/**
 * For whom a record of another device speaks. Its signature shows the device alone; that the device is one of the
 * user whom the record names is shown by its admission. What claims another user's name can enter no chain, so it is
 * not stored either: read models show what is pending as if it were said.
 */
import type { RecordOf, SignedRecord } from '../../chain/record.ts'
import { readDevice, readRevocation } from '../../chain/state/devices.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

export type AdmissionRecord = RecordOf<'user.create'> | RecordOf<'device.add'>

/** Whether a `device.add` that is not in the best chain would hold there, after what is pending. */
export type Vouched = (admission: AdmissionRecord) => boolean

/**
 * Whether a record whose predecessor is stored may be stored beside the chain: its device belongs to its user, and
 * was not revoked before it. Admissions may always: they wait outside until they hold. The answer may change with
 * the chain; what is not taken comes again by sync.
 */
export function maySpeak(
  store: Pick<ChainStore, 'state' | 'recordsAt'>,
  record: SignedRecord,
  vouched: Vouched,
): boolean {
  if (record.type === 'user.create' || record.type === 'device.add') return true
  const device = readDevice(store.state, record.device)
  if (device !== undefined) {
    if (device.user !== record.user) return false
    // Of a revoked device what stands in its line up to the revocation, and nothing after it.
    const through = readRevocation(store.state, record.device)
    if (through === undefined || record.sequence < through.sequence) return true
    return record.id === through.record
  }
  return store.recordsAt(record.device, 0).some(({ record: admission }) => {
    if (admission.type === 'user.create') return admission.id === record.user
    return admission.type === 'device.add' && admission.user === record.user && vouched(admission)
  })
}
