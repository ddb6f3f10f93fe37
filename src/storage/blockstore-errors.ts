/** What can go wrong with stored content. The disk's own errors are those of errors.ts. */
import { type CairnError, type ErrorDetails, errorFamily } from '../common/errors.ts'

export const CONTENT_ERRORS = {
  /** The bytes are not on this device. */
  CONTENT_MISSING: {
    says: 'A part of the content ({cid}) is not on this device. Connect to a device that has it and try again.',
  },
  /** The bytes on this device are not those that were stored. They are put aside. */
  CONTENT_DAMAGED: {
    says: 'A part of the content ({cid}) is damaged on this disk and was put aside. It is fetched again from a device that has it; check the disk.',
  },
  /** Bytes that do not belong to the id under which they came. Nothing was stored. */
  CONTENT_MISMATCH: {
    says: 'The bytes that came for {cid} are not the ones that it names. Nothing was stored.',
    verdict: 'reject',
  },
  /** Bigger than any block of content may be. Nothing was stored. */
  CONTENT_TOO_LARGE: {
    says: 'A block of content has more than {limit:byte}. Nothing was stored.',
    verdict: 'reject',
  },
  /** An id under another hash than SHA-256. */
  CONTENT_HASH: {
    says: 'The content {cid} is named by another hash than SHA-256, which this program does not store.',
    verdict: 'reject',
  },
  /** Blocks of the chain are written and deleted by the chain alone. */
  CONTENT_READ_ONLY: { says: 'The block {cid} belongs to the chain and cannot be changed.' },
} as const

export type ContentErrorCode = keyof typeof CONTENT_ERRORS

const make = errorFamily(CONTENT_ERRORS)

export function contentError(
  code: ContentErrorCode,
  details?: ErrorDetails,
  cause?: unknown,
): CairnError<ContentErrorCode> {
  const error = make(code, details, cause)
  // The name by which every user of interface-blockstore knows a block that is not there.
  if (code === 'CONTENT_MISSING') error.name = 'NotFoundError'
  return error
}
