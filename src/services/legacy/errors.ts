/** The codes of what a forerunner of this program had stored. */
import { errorFamily } from '../../common/errors.ts'

export const LEGACY_ERRORS = {
  LEGACY_NOTHING: {
    says: 'None of blockchain.json, verifications.json and contracts.json is among {found}. Name one of these files, or the folder that holds them.',
  },
  LEGACY_TWICE: {
    says: 'There are two files for {kind}: {first} and {second}. Name one of them.',
  },
  LEGACY_SIZE: {
    says: '{name} has {bytes:byte}; all parts together may have {limit}. Import a copy with fewer blocks.',
  },
  LEGACY_JSON: {
    says: '{name} cannot be read at {place}: {why}. Nothing was imported. Repair the file, or restore it from a backup, and try again.',
  },
  LEGACY_CONTAINER: {
    says: 'The bytes that were sent are no legacy import: {why}.',
  },
  LEGACY_NOT_FOUND: {
    says: 'No import goes by "{text}". "cairn import --list" lists them.',
  },
  LEGACY_DAMAGED: {
    says: 'What is stored of the import is not what its record says ({why}). It is not exported; another device may have a good copy.',
  },
  LEGACY_TOO_LONG: {
    says: 'The history has more than {limit} uploads and downloads; the format of the forerunner keeps all of them in one file. Use "cairn chain export" instead.',
  },
} as const

export const legacyError: ReturnType<typeof errorFamily<typeof LEGACY_ERRORS>> =
  errorFamily(LEGACY_ERRORS)
