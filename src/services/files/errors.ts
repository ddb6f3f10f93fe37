/** The codes of the file verbs. Names and folders: chain/names.ts; blocks: storage/blockstore-errors.ts. */
import { type CairnError, type ErrorDetails, errorFamily } from '../../common/errors.ts'

export const FILE_ERRORS = {
  /** The source changed while it was read. */
  FILE_CHANGED: {
    says: 'The file changed while it was being added. Nothing was added; try again when nothing writes to it.',
  },
  /** No file goes by this text. */
  FILE_NOT_FOUND: { says: 'No file goes by "{text}". "cairn ls" lists the files.' },
  /** Several files go by this text; `candidates` is JSON text of a list of files. */
  FILE_AMBIGUOUS: {
    says: '"{text}" may mean any of {count:file}. Give more of the id, or folder/name.',
  },
  FILE_REMOVED: { says: 'The file "{name}" is removed; it has no current version.' },
  VERSION_NOT_FOUND: { says: 'The file has no version {version}.' },
  /** Only the owner updates and removes. */
  FILE_NOT_OWNER: {
    says: 'The file "{name}" belongs to another user; only its owner can change it.',
  },
  /** A name that could leave its folder, break a line, or is too long; chain/names.ts says what is one. */
  FILE_NAME: { says: 'The name {fault}. Choose another with --name.' },
  FILE_FOLDER: { says: 'The folder cannot be used: {fault}.' },
  FILE_MEDIA_TYPE: { says: 'The media type {fault}: it looks like "text/plain".' },
  FILE_VISIBILITY: { says: 'The visibility is not known: use "private" or "public".' },
  /** The file is private, and this device holds no key of it. */
  FILE_SEALED: {
    says: 'The file {file} is private, and no key of it is on this device. Ask its owner for a grant, or wait until another device of yours has passed the key on.',
  },
  FILE_PUBLIC: { says: 'The file "{name}" is public already.' },
  FILE_NOT_PRIVATE: {
    says: 'The file "{name}" is public: anybody in the network can read it, and no key can change that.',
  },
  /** No user, or several, go by this text. */
  OWNER_NOT_FOUND: { says: '{count} users go by "{text}". "cairn users" lists names and ids.' },
  /** The bytes do not belong together as the record says. */
  CONTENT_MALFORMED: {
    says: 'The content {root} is not what its record says ({reason}). It cannot be shown; tell its owner.',
  },
  /** All bytes came, and together they are not the ones that the record names. */
  CONTENT_DIFFERS: {
    says: 'The content {root} does not have the SHA-256 that its record says. Do not use it; tell its owner.',
  },
  /** Nobody else is known to hold the only other copy. */
  FREE_LAST_COPY: {
    says: 'No other device is known to hold "{name}", so its copy stays here. Wait until another device has fetched it.',
  },
  RANGE_OUTSIDE: {
    says: 'The range begins at {offset}, beyond the end of the file ({size:byte}).',
  },
  VOTE_OWN_FILE: { says: 'Nobody votes on a file of their own.' },
  VOTE_COMMENT: { says: 'The comment has {characters:character}; at most {limit} are allowed.' },
  VOTE_VERDICT: { says: 'The verdict "{verdict}" is not known: use "authentic" or "suspicious".' },
} as const

export type FileErrorCode = keyof typeof FILE_ERRORS

export const fileError: (
  code: FileErrorCode,
  details?: ErrorDetails,
  cause?: unknown,
) => CairnError<FileErrorCode> = errorFamily(FILE_ERRORS)
