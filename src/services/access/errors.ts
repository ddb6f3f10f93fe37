/** The codes of what people may read and what they let others read. */
import { type CairnError, type ErrorDetails, errorFamily } from '../../common/errors.ts'

export const ACCESS_ERRORS = {
  /** `reason` is the code of the rules. */
  ACCESS_DENIED: {
    says: 'This file may not be read: {why} The attempt stands in the access log. Its owner can grant it.',
  },
  /** The access is stored and signed, and in no block yet. */
  ACCESS_UNCONFIRMED: {
    says: 'That you read this file is stored but not confirmed yet, and before that no key is given. Nothing is lost: the same command goes on where this one stopped.',
  },
  /** `holders` are names of devices. */
  KEY_HOLDER_AWAY: {
    says: 'You may read this file, but no device that can give its key is connected: {holders}. Nothing is lost and nothing is counted: when one of them is there, the same command goes on where this one stopped.',
  },
  USER_NOT_FOUND: { says: 'No user goes by "{text}". "cairn users" lists names and ids.' },
  USER_AMBIGUOUS: {
    says: '{count} users go by "{text}". Name one by the id; "cairn users" lists them.',
  },
  GRANT_TO_OWNER: { says: 'The file is yours already; a grant is for somebody else.' },
  GRANT_TO_BACKUP: {
    says: '"{name}" only stores for others and reads nothing; grant to a member.',
  },
  GRANT_EXPIRY: {
    says: 'The end of the grant, {found}, is {why}. Give a time that is still to come.',
  },
  GRANT_COUNT: {
    says: 'The number of downloads is {found}; allowed is a whole number from 1 to {limit}, or none for as many as one likes.',
  },
  NO_GRANT: { says: '"{user}" has no grant of this file that could be taken back.' },
  HOLDER_NOT_FOUND: {
    says: 'No device goes by "{text}". Name it by its name or id; "cairn devices" lists them.',
  },
  HOLDER_AMBIGUOUS: { says: '{count} devices go by "{text}". Name one by its id.' },
  HOLDER_OWN: { says: '"{name}" is a device of yours and gives the keys of your files anyway.' },
  HOLDER_BACKUP: { says: '"{name}" is a backup device: it stores, and is given no keys.' },
  HOLDER_NONE: { says: '"{name}" is no key holder of this file.' },
} as const

export type AccessErrorCode = keyof typeof ACCESS_ERRORS

export const accessError: (
  code: AccessErrorCode,
  details?: ErrorDetails,
  cause?: unknown,
) => CairnError<AccessErrorCode> = errorFamily(ACCESS_ERRORS)
