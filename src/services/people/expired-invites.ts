/**
 * Takes back what this device invited and nobody used, some time after it expired. The time of an admission is what
 * the member says who vouches for it: with an old code a member who lies could let somebody in afterwards.
 */
import type { DeviceId } from '../../chain/ids.ts'
import type { SignedRecord, Statement } from '../../chain/record.ts'
import { listInvites } from '../../chain/state/invites.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { PeopleIndex } from './people-index.ts'

/** Milliseconds after the expiry: what was vouched for in time is in a block by then. */
const GRACE_MS = 60 * 60_000
/** Milliseconds between two looks. */
const EVERY_MS = 60 * 60_000
/** Milliseconds after a start: what was used meanwhile comes first. */
const FIRST_MS = 60_000

export function createExpiredInvites(
  components: {
    readonly store: Pick<ChainStore, 'state'>
    readonly index: Pick<PeopleIndex, 'invite' | 'cancellationsOf' | 'admissionsUnder'>
    readonly chain: { publish(statement: Statement): Promise<SignedRecord> }
    readonly clock: Pick<Clock, 'now' | 'after'>
    readonly logger: Logger
  },
  init: { readonly device: DeviceId },
): Startable {
  const { store, index, chain, clock } = components
  const logger = components.logger.child('invites')
  let cancel: (() => void) | undefined

  const look = async (): Promise<void> => {
    for (const { id, invite } of listInvites(store.state)) {
      if (invite.used || clock.now() < invite.expires + GRACE_MS) continue
      if (index.invite(id)?.device !== init.device) continue
      // One who was vouched for in time may still be on the way into a block.
      if (index.admissionsUnder(id).length > 0 || index.cancellationsOf(id).length > 0) continue
      await chain.publish({ type: 'invite.cancel', body: { invite: id } })
    }
  }
  const plan = (ms: number): void => {
    cancel = clock.after(ms, () => {
      look()
        .catch((error: unknown) => {
          logger.warn('An expired invite could not be taken back', { code: codeOf(error) })
        })
        .finally(() => {
          if (cancel !== undefined) plan(EVERY_MS)
        })
    })
  }
  return {
    start: async () => {
      if (cancel === undefined) plan(FIRST_MS)
    },
    stop: async () => {
      cancel?.()
      cancel = undefined
    },
  }
}
