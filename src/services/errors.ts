/** The codes of the services: what a person asked for and why it cannot be done. */
import { errorFamily } from '../common/errors.ts'

export const SERVICE_ERRORS = {
  NOT_ADMITTED: {
    says: 'This device does not belong to a user of this network yet. Ask a member for an invite ("cairn invite") and join with it; in a network that is open to anybody, start it once with a name.',
  },
  /** What it states, the rules refuse. */
  BACKUP_DEVICE: {
    says: 'This device stores for others, and can neither read nor state anything. Do it on another device.',
  },
  /** It was shown the signed revocation. */
  DEVICE_OUT: {
    says: 'This device was revoked: what it states reaches nobody, so nothing is stated. "cairn status" says by whom and when.',
  },
  ALREADY_ADMITTED: { says: 'This device belongs to a user of this network already.' },
  BLOCK_NOT_FOUND: {
    says: 'There is no block {block} here. Name one by its height, its id or the beginning of its id.',
  },
  RECORD_NOT_FOUND: {
    says: 'There is no record {record} here. Name one by its id or the beginning of its id.',
  },
  /** A list is continued after something that is not on it. */
  CURSOR_UNKNOWN: {
    says: 'This list has no entry {after} to go on after, or not any more. Read it again from the beginning: leave "after" out, then give "next" of each page.',
  },
  VERIFIER_FAILED: {
    says: 'The thread that checks signatures ended. Nothing is lost: what it had not checked comes again.',
  },
  INVITE_KIND: { says: 'Only an admin of the network can invite an admin.' },
  INVITE_DEVICES: {
    says: 'You have {limit} devices, as many as one person may have. Shut out one that you do not need any more: cairn devices revoke NAME.',
  },
  INVITE_TIME: { says: 'An invite is good for at least a moment and at most {days} days.' },
  INVITE_NO_ADDRESS: {
    says: 'This node listens nowhere, so an invite could not say where to find it. Set "listen" or "announce" first.',
  },
  INVITE_NOT_FOUND: { says: 'There is no invite {invite} here. "cairn invite list" shows them.' },
  INVITE_NOT_YOURS: {
    says: 'Only the one who made an invite, or an admin of the network, can cancel it.',
  },
  INVITE_NOT_OPEN: { says: 'The invite cannot be cancelled: it is {state}.' },
  NODE_STOPPING: { says: 'The node is stopping and takes no more work.' },
  MINER_STOPPED: { says: 'The miner is not running. Start the node first.' },
  MINER_FAILED: { says: 'The thread that mines ended: {why}. The next search starts a new one.' },
} as const

export const serviceError: ReturnType<typeof errorFamily<typeof SERVICE_ERRORS>> =
  errorFamily(SERVICE_ERRORS)
