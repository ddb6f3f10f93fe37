/** What can go wrong with the local disk. */
import { CairnError, codeOf, type ErrorDetails, errorFamily, messageOf } from '../common/errors.ts'

export const STORAGE_ERRORS = {
  /** The disk, the quota or the database's own bound is used up. Nothing was changed. */
  STORAGE_FULL: {
    says: 'There is no space left for {path}. Nothing was changed; free some space and try again.',
  },
  /** The directory or a file in it may not be written. */
  DATA_DIRECTORY_NOT_WRITABLE: {
    says: 'The data directory {path} cannot be written ({reason}). Check its owner and permissions, or choose another with --data-dir.',
  },
  /** Another process holds the data directory. */
  DATA_DIRECTORY_LOCKED: {
    says: 'The data directory {path} is in use by another node (process {pid}). Stop it with "cairn stop", or choose another with --data-dir.',
  },
  /** The directory was written by a newer program. Nothing was changed. */
  DATA_FORMAT_NEWER: {
    says: '{path} has format {found}; this program knows formats up to {known}. Install a newer version; nothing was changed.',
  },
  /** The format of the directory cannot be read. */
  DATA_FORMAT_UNREADABLE: {
    says: 'The file {path} does not hold a format number. This is not a data directory of Cairn, or it is damaged; nothing was changed.',
  },
  /** SQLite found the database damaged. It is put aside at the next start. */
  DATABASE_DAMAGED: {
    says: 'The database {path} is damaged ({reason}). Restart the node: it puts the file aside and fetches the chain again.',
  },
  /** The disk reported an error that is none of the above. */
  STORAGE_FAILED: {
    says: 'Reading or writing {path} failed ({reason}). Check the disk.',
  },
  /** The store holds another network's chain. */
  STORE_OF_OTHER_NETWORK: {
    says: 'The database holds the chain of another network ({found}, not {wanted}). Choose another data directory.',
  },
  /** Asked for the tip of a chain that has not begun. */
  CHAIN_EMPTY: { says: 'The database holds no chain yet.' },
  /** A block's body was asked for by a caller that needs it, and is not here. */
  BLOCK_NOT_STORED: { says: 'The block {block} is not stored here.' },
  /** A secret is missing or damaged in a keystore that was complete before. */
  KEYSTORE_DAMAGED: {
    says: 'The key "{name}" in {path} is missing or damaged. Put the keys directory back from a copy, or recover with the recovery kit.',
  },
  KEYS_LOCKED: {
    says: 'The keys in {path} are under a passphrase. Start on a terminal to be asked for it, or give it in a file (--passphrase-file) or in the environment (CAIRN_PASSPHRASE).',
  },
  /** Others may read a secret and that cannot be changed. */
  KEYS_EXPOSED: {
    says: 'Others may read {path} and its permissions cannot be changed ({reason}). Make it readable by its owner alone.',
  },
} as const

export type StorageErrorCode = keyof typeof STORAGE_ERRORS

export const storageError: (
  code: StorageErrorCode,
  details?: ErrorDetails,
  cause?: unknown,
) => CairnError<StorageErrorCode> = errorFamily(STORAGE_ERRORS)

// Primary result codes, https://www.sqlite.org/rescode.html
const SQLITE: Readonly<Record<number, StorageErrorCode>> = {
  3: 'DATA_DIRECTORY_NOT_WRITABLE', // PERM
  5: 'DATA_DIRECTORY_LOCKED', // BUSY
  8: 'DATA_DIRECTORY_NOT_WRITABLE', // READONLY
  10: 'STORAGE_FAILED', // IOERR
  11: 'DATABASE_DAMAGED', // CORRUPT
  13: 'STORAGE_FULL', // FULL
  14: 'DATA_DIRECTORY_NOT_WRITABLE', // CANTOPEN
  26: 'DATABASE_DAMAGED', // NOTADB
}

const SYSTEM: Readonly<Record<string, StorageErrorCode>> = {
  ENOSPC: 'STORAGE_FULL',
  EDQUOT: 'STORAGE_FULL',
  EFBIG: 'STORAGE_FULL',
  EACCES: 'DATA_DIRECTORY_NOT_WRITABLE',
  EPERM: 'DATA_DIRECTORY_NOT_WRITABLE',
  EROFS: 'DATA_DIRECTORY_NOT_WRITABLE',
  ENOTDIR: 'DATA_DIRECTORY_NOT_WRITABLE',
  EIO: 'STORAGE_FAILED',
}

/**
 * An error of SQLite or of the file system as one of this file's; any other value as it is.
 *
 * @param path - what was read or written, for the message
 */
export function translated(error: unknown, path: string): unknown {
  if (error instanceof CairnError) return error
  const result = resultCodeOf(error)
  const code = result === undefined ? SYSTEM[codeOf(error)] : SQLITE[result]
  if (code === undefined) return error
  return storageError(code, { path, reason: messageOf(error), pid: '?' }, error)
}

/** SQLite's primary result code of an error that node:sqlite threw. */
function resultCodeOf(error: unknown): number | undefined {
  if (codeOf(error) !== 'ERR_SQLITE_ERROR') return undefined
  if (error === null || typeof error !== 'object' || !('errcode' in error)) return undefined
  return typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}
