/** The codes of certificates: why one is no proof. */
import { errorFamily } from '../common/errors.ts'

/** Which part of a certificate does not hold. */
export type CertificateCheck =
  | 'encoding'
  | 'signature'
  | 'header'
  | 'seal'
  | 'body'
  | 'record'
  | 'member'
  | 'subject'
  | 'metadata'
  | 'page'

export const CERTIFICATE_ERRORS = {
  CERTIFICATE_NONE: {
    says: 'This is no certificate: {why}. "cairn certificate FILE" makes one.',
  },
  CERTIFICATE_INVALID: {
    says: 'The certificate proves nothing: {why}. It was damaged or forged; ask for a new one.',
  },
  CERTIFICATE_FILE: {
    says: 'The certificate is right, but it is for other bytes than those of {path}: {why}.',
  },
  CERTIFICATE_NETWORK: {
    says: 'The certificate is right, but of another network: {found}, not {wanted}. Anybody can found a network with the same names.',
  },
} as const

export const certificateError: ReturnType<typeof errorFamily<typeof CERTIFICATE_ERRORS>> =
  errorFamily(CERTIFICATE_ERRORS)

/** @param why - the end of a sentence that begins "The certificate proves nothing:" */
export function invalidCertificate(
  check: CertificateCheck,
  why: string,
  cause?: unknown,
): ReturnType<typeof certificateError> {
  return certificateError('CERTIFICATE_INVALID', { check, why }, cause)
}
