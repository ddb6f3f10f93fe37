/** The codes of backups: of the places that keep them, of their format, of bringing them back. */
import { errorFamily } from '../../common/errors.ts'

export const BACKUP_ERRORS = {
  // where backups are kept
  DESTINATION_UNREACHABLE: {
    says: 'The backup destination {destination} does not answer: {why}. It is tried again by itself; check that it runs and that this computer reaches it.',
  },
  DESTINATION_REFUSED: {
    says: 'The backup destination {destination} refuses: {why}. Check its credentials and permissions.',
  },
  DESTINATION_FULL: {
    says: 'The backup destination {destination} is full: {why}. Make room there or keep fewer backups.',
  },
  DESTINATION_TOO_LARGE: {
    says: 'The backup destination {destination} does not take an object of {size} bytes ({name}).',
  },
  DESTINATION_FAILED: {
    says: 'The backup destination {destination} answered something unexpected: {why}.',
  },
  OBJECT_NOT_FOUND: {
    says: 'The backup destination {destination} has no object {name}.',
  },
  OBJECT_NAME: {
    says: 'No name of a backup’s object: {name}. It has letters, digits, "-", "_", "." and "/", at most 200, and no empty part.',
  },
} as const

export const backupError: ReturnType<typeof errorFamily<typeof BACKUP_ERRORS>> =
  errorFamily(BACKUP_ERRORS)
