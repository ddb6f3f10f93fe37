/** The codes of what people do with their devices and keys. */
import { errorFamily } from '../../common/errors.ts'

export const PEOPLE_ERRORS = {
  DEVICE_NOT_FOUND: { says: 'None of your devices goes by "{text}". "cairn devices" lists them.' },
  DEVICE_AMBIGUOUS: {
    says: '{count} of your devices go by "{text}". Name one by its id; "cairn devices" lists them.',
  },
  DEVICE_REVOKED: { says: 'The device "{name}" is revoked already.' },
  /** Nobody of this user would be left to say anything. */
  DEVICE_LAST: {
    says: '"{name}" is your only active device. Without it only the recovery kit brings you back: "cairn recovery test" shows whether you have it. Revoke it all the same with --force.',
  },
  RECOVERY_NOT_HERE: {
    says: 'The recovery kit is not on this device: it was made where your user was made. "cairn recovery test" checks the words that you wrote down.',
  },
  RECOVERY_OTHER: {
    says: 'These are 24 good words, but not those of your kit. Look whether they belong to another network or person.',
  },
  DEVICE_NAME: { says: 'The name {fault}. Choose another.' },
  REVOKE_REASON: { says: 'The reason has {characters} characters; at most {limit} are allowed.' },
} as const

export const peopleError: ReturnType<typeof errorFamily<typeof PEOPLE_ERRORS>> =
  errorFamily(PEOPLE_ERRORS)
