/** Where the database remembers that a device was revoked, and by which record. */
import type { DeviceId, RecordId } from '../../chain/ids.ts'
import { readDevice } from '../../chain/state/devices.ts'
import { utf8 } from '../../common/bytes.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

const keyOf = (device: DeviceId): string => `revoked/${device}`

/** The first revocation of the device that counted here. */
export function revocationIdOf(
  store: Pick<ChainStore, 'meta'>,
  device: DeviceId,
): RecordId | undefined {
  const value = store.meta(keyOf(device))
  return value === undefined ? undefined : (new TextDecoder().decode(value) as RecordId)
}

export function rememberRevocation(
  store: Pick<ChainStore, 'setMeta'>,
  device: DeviceId,
  record: RecordId,
): void {
  store.setMeta(keyOf(device), utf8(record))
}

/** Whether the device is out: as this node was ever told, or in the best chain. */
export function isOut(store: Pick<ChainStore, 'meta' | 'state'>, device: DeviceId): boolean {
  return (
    revocationIdOf(store, device) !== undefined || readDevice(store.state, device)?.active === false
  )
}
