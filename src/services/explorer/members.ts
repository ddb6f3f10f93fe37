/** The people of a network and their devices, as the chain and the pending records have them. */
import type { DeviceId, UserId } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import { isBackup, readDevice } from '../../chain/state/devices.ts'
import { readReputation } from '../../chain/state/reputation.ts'
import { readUser } from '../../chain/state/users.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Directory } from './directory.ts'
import { recordStateOf } from './record-state.ts'
import type { DeviceSummary, UserSummary } from './types.ts'

/** Files of a user that are counted at the most. */
const MAX_FILES = 10_000

export interface Members {
  users(): readonly UserSummary[]
  devices(): readonly DeviceSummary[]
}

export interface MembersComponents {
  readonly store: ChainStore
  readonly directory: Directory
  readonly self: { readonly device: string; user(): UserId | undefined }
  /** Devices that are connected now. */
  readonly connected: () => ReadonlySet<string>
}

export function createMembers(
  components: MembersComponents,
  init: { readonly params: NetworkParams },
): Members {
  const { store, directory, self } = components

  const roleOf = (id: DeviceId): DeviceSummary['role'] => {
    const device = readDevice(store.state, id)
    return device !== undefined && isBackup(store.state, id, device) ? 'backup' : 'member'
  }

  return {
    users: () => {
      const devices = directory.devices()
      return directory.users().map((entry) => ({
        user: entry.user,
        name: entry.name,
        role: readUser(store.state, entry.user)?.role ?? 'member',
        self: entry.user === self.user(),
        devices: devices.filter(({ user }) => user === entry.user).length,
        files: store.projections.listFiles({ owner: entry.user, limit: MAX_FILES }).length,
        reputation: readReputation(store.state, init.params, entry.user),
        joined: entry.record.time,
        state: recordStateOf(store.state, entry),
      }))
    },
    devices: () => {
      const connected = components.connected()
      return directory.devices().map((entry) => ({
        device: entry.device,
        role: roleOf(entry.device),
        name: entry.deviceName,
        user: directory.user(entry.user),
        self: entry.device === self.device,
        active: readDevice(store.state, entry.device)?.active ?? false,
        connected: connected.has(entry.device),
        sequence: store.newestOf(entry.device)?.record.sequence ?? 0,
        added: entry.record.time,
        state: recordStateOf(store.state, entry),
      }))
    },
  }
}
