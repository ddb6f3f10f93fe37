/**
 * Which devices of a user a device let in: it countersigned them, answered for them, or made the invite that they came
 * with. Whoever stole it may have used it for that.
 */
import { type DeviceId, deviceIdOf } from '../../chain/ids.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { PersonEntry } from '../../storage/people-table.ts'

/**
 * Those that it let in, those that these let in, and so on; without the device itself.
 *
 * @param own - the user's devices
 */
export function admittedBy(
  store: Pick<ChainStore, 'record'>,
  own: readonly PersonEntry[],
  device: DeviceId,
): PersonEntry[] {
  const vouchers = new Map(own.map((entry) => [entry.device, vouchersOf(store, entry)]))
  const found = new Map<DeviceId, PersonEntry>()
  const open: DeviceId[] = [device]
  for (let by = open.pop(); by !== undefined; by = open.pop()) {
    for (const entry of own) {
      if (entry.device === device || found.has(entry.device)) continue
      if (vouchers.get(entry.device)?.has(by) !== true) continue
      found.set(entry.device, entry)
      open.push(entry.device)
    }
  }
  return [...found.values()].sort((a, b) => a.record.time - b.record.time)
}

function vouchersOf(store: Pick<ChainStore, 'record'>, { record }: PersonEntry): Set<DeviceId> {
  if (record.type !== 'device.add') return new Set()
  const { proof } = record.body
  if (proof.type === 'device') return new Set([deviceIdOf(proof.device)])
  if (proof.type !== 'invite') return new Set()
  const inviter = store.record(proof.invite)?.record.device
  return new Set([deviceIdOf(proof.sponsor), ...(inviter === undefined ? [] : [inviter])])
}
