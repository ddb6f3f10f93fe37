/** The codes of file contents in backups. */
import { errorFamily } from '../../../common/errors.ts'

export const CONTENTS_ERRORS = {
  CONTENTS_MISSING: {
    says: 'The backups do not have all bytes of {root}: {why}. The history is not touched by that; another device may have them.',
  },
  CONTENTS_DAMAGED: {
    says: 'The object {name} with contents of files is damaged: {why}. What is still here is written there anew.',
  },
  CONTENTS_UNREADABLE: {
    says: 'The list {name} of file contents cannot be used: {why}.',
  },
} as const

export const contentsError: ReturnType<typeof errorFamily<typeof CONTENTS_ERRORS>> =
  errorFamily(CONTENTS_ERRORS)
