/** Lets a device with the recovery kit tell the user's other devices, once, for whom backups are encrypted. */
import type { DeviceId, NetworkId, UserId } from '../../chain/ids.ts'
import type { SignedRecord, Statement } from '../../chain/record.ts'
import { isBackup, listDevices, readDevice } from '../../chain/state/devices.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import { findBackupKey, vouchBackupKey } from './backup-key.ts'

/** Milliseconds in which events are gathered. */
const GATHER_MS = 100

export interface BackupKeyNoticeComponents {
  readonly store: Pick<ChainStore, 'state' | 'projections'>
  readonly records: { publish(statement: Statement): Promise<SignedRecord> }
  readonly self: { readonly device: DeviceId; user(): UserId | undefined }
  /** The kit's 32 bytes, where it is here. */
  readonly kit: () => Uint8Array | undefined
  /** The newest key of the user, X25519. */
  readonly userKey: () => Uint8Array | undefined
  readonly events: Events<NodeEvents>
  readonly clock: Clock
  readonly logger: Logger
}

/** @param hasBackups - whether this device writes backups: a device that comes back from them tells others */
export function createBackupKeyNotice(
  components: BackupKeyNoticeComponents,
  init: { readonly network: NetworkId; readonly hasBackups: boolean },
): Startable {
  const { store, records, self, kit, userKey, events, clock } = components
  const { network, hasBackups } = init
  const logger = components.logger.child('backup-key')
  const offs: (() => void)[] = []
  let cancel: (() => void) | undefined
  let running: Promise<void> | undefined
  let done = false

  /** Whether somebody needs it: with a single device and no backups nobody does. */
  const isWanted = (user: UserId): boolean => {
    const own = readDevice(store.state, self.device)
    if (own?.active !== true || isBackup(store.state, self.device, own)) return false
    return (
      hasBackups || listDevices(store.state).filter((one) => one.device.user === user).length > 1
    )
  }

  const run = async (): Promise<void> => {
    const user = self.user()
    const secret = kit()
    const to = userKey()
    if (user === undefined || secret === undefined || to === undefined || !isWanted(user)) return
    const people = store.projections.peopleRecords().map(({ record }) => record)
    const about = { network, user }
    if ((await findBackupKey(people, about, [])) === undefined) {
      const copies = [...(await vouchBackupKey(about, { kit: secret, userKey: to }))]
      await records.publish({ type: 'key.copy', body: { copies } })
      logger.debug('The other devices are told for whom backups are encrypted')
    }
    done = true
  }
  const later = (): void => {
    if (done || cancel !== undefined || kit() === undefined) return
    cancel = clock.after(GATHER_MS, () => {
      cancel = undefined
      running ??= run()
        .catch((error: unknown) => {
          logger.warn('The other devices were not told of the backup key', { code: codeOf(error) })
        })
        .finally(() => {
          running = undefined
        })
    })
  }
  const look = (type: string): void => {
    if (type === 'user.create' || type === 'device.add') later()
  }

  return {
    start: async () => {
      if (offs.length > 0) return
      offs.push(events.on('record:confirmed', ({ type }) => look(type)))
      later()
    },
    stop: async () => {
      cancel?.()
      cancel = undefined
      for (const off of offs.splice(0)) off()
      await running
    },
  }
}
