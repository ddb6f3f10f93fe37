/** The codes of making certificates; those of checking them stand in chain/certificate-errors.ts. */
import { errorFamily } from '../../common/errors.ts'

export const CERTIFICATE_MAKE_ERRORS = {
  CERTIFICATE_PENDING: {
    says: 'The version is in no block yet, so there is nothing to certify. Wait until "cairn info" shows it as confirmed.',
  },
  CERTIFICATE_REFUSED: {
    says: 'The chain holds the version without effect ({outcome} {code}); there is nothing to certify.',
  },
  CERTIFICATE_TOO_LARGE: {
    says: 'What shows whose this version is does not fit into one certificate.',
  },
  CERTIFICATE_NO_MAKER: {
    says: 'This device is in no block of the chain yet and cannot sign a certificate. Wait until it is confirmed.',
  },
} as const

export const certificateMakeError: ReturnType<typeof errorFamily<typeof CERTIFICATE_MAKE_ERRORS>> =
  errorFamily(CERTIFICATE_MAKE_ERRORS)
