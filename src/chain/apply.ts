/** What a record does to the state, by its type. */
import { assert } from '../common/errors.ts'
import type { SignedRecord } from './record.ts'
import { applyDeviceName, applyDeviceRevoke, isBackup, readDevice } from './state/devices.ts'
import { applyFileAdd, applyFileRemove, applyFileUpdate } from './state/files.ts'
import {
  applyAccess,
  applyGrant,
  applyHolderAdd,
  applyHolderRemove,
  applyRelease,
  applyRevoke,
} from './state/grants.ts'
import { applyInvite, applyInviteCancel } from './state/invites.ts'
import { applyKeyCopy, applyLegacyImport } from './state/key-copies.ts'
import { APPLIED, type Evaluation, type Place, type Result, rejected } from './state/result.ts'
import { applyUpgrade } from './state/rules.ts'
import { applyUserKey } from './state/users.ts'
import { applyVote } from './state/votes.ts'
import type { Overlay } from './view.ts'

/** Evaluates a record that stands at `place`, in the block of `evaluation` or, if it waited, in one before. */
export function apply(
  overlay: Overlay,
  record: SignedRecord,
  place: Place,
  evaluation: Evaluation,
): Result {
  // Their proofs were checked and their effect entered where they were included.
  if (record.type === 'user.create' || record.type === 'device.add') return APPLIED
  const { user } = record
  assert(user !== null, 'only user.create has no user')
  const device = readDevice(overlay, record.device)
  if (device !== undefined && isBackup(overlay, record.device, device)) {
    return rejected('BACKUP_ROLE')
  }
  switch (record.type) {
    case 'device.name':
      return applyDeviceName(overlay, record, user)
    case 'device.revoke':
      return applyDeviceRevoke(overlay, record, user, evaluation.time)
    case 'user.key':
      return applyUserKey(overlay, record, user, device?.active === true)
    case 'key.copy':
      return applyKeyCopy(overlay, record, user)
    case 'invite':
      return applyInvite(overlay, record, user)
    case 'invite.cancel':
      return applyInviteCancel(overlay, record, user)
    case 'file.add':
      return applyFileAdd(overlay, record, user)
    case 'file.update':
      return applyFileUpdate(overlay, record, user)
    case 'file.remove':
      return applyFileRemove(overlay, record, user)
    case 'vote':
      return applyVote(overlay, record, user, place, evaluation)
    case 'grant':
      return applyGrant(overlay, record, user)
    case 'revoke':
      return applyRevoke(overlay, record, user)
    case 'access':
      return applyAccess(overlay, record, user, evaluation.time)
    case 'release':
      return applyRelease(overlay, record)
    case 'holder.add':
      return applyHolderAdd(overlay, record, user)
    case 'holder.remove':
      return applyHolderRemove(overlay, record, user)
    case 'legacy.import':
      return applyLegacyImport(overlay, record, user)
    case 'upgrade':
      return applyUpgrade(overlay, record, user, evaluation)
  }
}
