/** The devices that may give the key of a file: the owner's, and those that the owner named. */
import type { DeviceId, FileId } from '../../chain/ids.ts'
import { listDevices } from '../../chain/state/devices.ts'
import { readFile } from '../../chain/state/files.ts'
import { holdersOf, isKeyHolder } from '../../chain/state/grants.ts'
import type { StateView } from '../../chain/view.ts'
import type { Directory } from '../explorer/directory.ts'

/** Active ones that read, as the best chain has them; named ones first, since they are mostly always on. */
export function keyHoldersOf(state: StateView, file: FileId): DeviceId[] {
  const owner = readFile(state, file)?.owner
  const own = listDevices(state)
    .filter(({ device }) => device.user === owner)
    .map(({ id }) => id)
  return [...new Set([...holdersOf(state, file), ...own])].filter((device) =>
    isKeyHolder(state, file, device),
  )
}

/** How a person is told of a device. */
export function deviceLabel(
  directory: Pick<Directory, 'device' | 'userOf'>,
  device: DeviceId,
): string {
  const name = directory.device(device).name
  const user = directory.userOf(device)?.name
  if (name === null || name === undefined) return device
  return user === null || user === undefined ? name : `${name} of ${user}`
}
