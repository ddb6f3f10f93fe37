/** How an invite stands here and now: open, expired, used or cancelled; what is pending counts. */
import type { DeviceId } from '../../chain/ids.ts'
import type { RecordOf } from '../../chain/record.ts'
import { readInvite } from '../../chain/state/invites.ts'
import { readRecordState } from '../../chain/state/records.ts'
import type { Clock } from '../../common/clock.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { AdmissionRecord, PeopleIndex } from './people-index.ts'

export type InviteFault = 'INVITE_EXPIRED' | 'INVITE_USED' | 'INVITE_CANCELLED' | 'INVITE_UNKNOWN'

export interface InviteBook {
  /**
   * Why nobody can use an invite; undefined: it is open.
   *
   * @param device - a device that used it already may come again
   */
  standing(invite: RecordOf<'invite'>, device?: DeviceId): InviteFault | undefined
  /** The devices that used it: one, or several of which the chain will take one. */
  usedBy(invite: RecordOf<'invite'>): DeviceId[]
}

export function createInviteBook(components: {
  readonly store: Pick<ChainStore, 'state'>
  readonly index: PeopleIndex
  /** Whether an admission holds: what somebody made up uses nothing up. */
  readonly isProven: (record: AdmissionRecord) => boolean
  readonly clock: Pick<Clock, 'now'>
}): InviteBook {
  const { store, index, isProven, clock } = components
  const usedBy = ({ identity }: RecordOf<'invite'>): DeviceId[] =>
    index
      .admissionsUnder(identity)
      .filter(isProven)
      .map(({ device }) => device)
  return {
    usedBy,
    standing: (invite, device) => {
      const id = invite.identity
      const used = usedBy(invite)
      if (used.length > 0) {
        return device !== undefined && used.includes(device) ? undefined : 'INVITE_USED'
      }
      const cancelled = index.cancellationsOf(id).find((record) => mayCancel(record, invite))
      if (cancelled !== undefined) {
        return cancelled.time > invite.body.expires ? 'INVITE_EXPIRED' : 'INVITE_CANCELLED'
      }
      const state = readInvite(store.state, id)
      if (state?.used === true) return 'INVITE_USED'
      // An admin's invite by somebody who is none: the chain has rejected it.
      const rejected = readRecordState(store.state, id)?.outcome === 'rejected'
      if (rejected) return 'INVITE_UNKNOWN'
      return invite.body.expires < clock.now() ? 'INVITE_EXPIRED' : undefined
    },
  }

  /** The chain says so, or it will: the one who invited cancels it. */
  function mayCancel(record: RecordOf<'invite.cancel'>, invite: RecordOf<'invite'>): boolean {
    const outcome = readRecordState(store.state, record.identity)?.outcome
    return outcome === 'applied' || (outcome !== 'rejected' && record.user === invite.user)
  }
}
