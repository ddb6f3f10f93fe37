/** Names of people and devices, as the chain and the pending records have them. */
import type { DeviceId, UserId } from '../../chain/ids.ts'
import type { Events } from '../../common/events.ts'
import type { PersonEntry } from '../../storage/people-table.ts'
import type { Projections } from '../../storage/projections.ts'
import type { NodeEvents } from '../events.ts'

/** A person or device with the name that people know it by; the name is null when it is not known here. */
export interface Named {
  readonly id: string
  readonly name: string | null
}

export interface Directory {
  users(): readonly PersonEntry[]
  devices(): readonly PersonEntry[]
  user(id: UserId): Named
  device(id: DeviceId): Named
  /** The user of a device, if it is known. */
  userOf(id: DeviceId): Named | null
}

/** Types of records that say who there is, and by which name. */
const NAMING: ReadonlySet<string> = new Set(['user.create', 'device.add', 'device.name'])

export function createDirectory(components: {
  readonly projections: Projections
  readonly events: Events<NodeEvents>
}): Directory {
  const { projections, events } = components
  let known: { users: Map<string, PersonEntry>; devices: Map<string, PersonEntry> } | undefined

  events.on('record:pending', ({ record }) => {
    if (NAMING.has(record.type)) known = undefined
  })
  events.on('record:confirmed', ({ type }) => {
    if (NAMING.has(type)) known = undefined
  })
  events.on('chain:reorg', () => {
    known = undefined
  })

  const read = (): NonNullable<typeof known> => {
    known ??= {
      users: new Map(projections.users().map((entry) => [entry.user, entry])),
      devices: new Map(projections.devices().map((entry) => [entry.device, entry])),
    }
    return known
  }

  return {
    users: () => [...read().users.values()],
    devices: () => [...read().devices.values()],
    user: (id) => ({ id, name: read().users.get(id)?.name ?? null }),
    device: (id) => ({ id, name: read().devices.get(id)?.deviceName ?? null }),
    userOf: (id) => {
      const user = read().devices.get(id)?.user
      return user === undefined ? null : { id: user, name: read().users.get(user)?.name ?? null }
    },
  }
}
