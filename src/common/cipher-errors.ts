/** The codes of encrypted content, sealed keys, recovery words, passphrases and invite codes. */
import { errorFamily } from './errors.ts'

export const CIPHER_ERRORS = {
  CIPHER_HEADER: {
    says: 'The encrypted content does not begin as such content does: {why}. It was changed or is something else.',
  },
  CIPHER_SIZE: {
    says: '{bytes} bytes cannot be an encrypted content. It was cut or is something else.',
  },
  CIPHER_KEY: {
    says: 'The key does not open this content (segment {segment}). It belongs to another file or version, or the content was changed.',
  },
  CIPHER_DAMAGED: {
    says: 'Segment {segment} of the encrypted content was changed; others open with the key. Fetch it again from another device.',
  },
  CIPHER_ORDER: {
    says: 'Segment {found} of the encrypted content stands where segment {segment} belongs. Fetch it again from another device.',
  },
  CIPHER_TRUNCATED: {
    says: 'The encrypted content ends with segment {segment}, which is not its last one: the rest is missing.',
  },
  CIPHER_TRAILING: {
    says: 'Bytes follow segment {segment} of the encrypted content, which is its last one.',
  },
  SEAL_KEY: {
    says: 'This is no usable public key for encryption: {why}.',
  },
  SEAL_BROKEN: {
    says: 'The sealed key does not open: it is meant for somebody else or for another purpose, or it was changed.',
  },
  WORDS_COUNT: {
    says: 'A recovery kit has 24 words; these are {found}.',
  },
  WORDS_UNKNOWN: {
    says: 'Word {position}, "{word}", is not in the list of recovery words.{hint}',
  },
  WORDS_CHECKSUM: {
    says: 'The 24 words are all in the list, but they do not belong together: one is wrong, or two are swapped.',
  },
  PASSPHRASE_EMPTY: {
    says: 'The passphrase is empty.',
  },
  PASSPHRASE_WRONG: {
    says: 'The passphrase is wrong. Mind capital letters and the keyboard layout.',
  },
  LOCKED_DAMAGED: {
    says: 'The file that the passphrase protects is damaged: {why}.',
  },
  LOCKED_NEWER: {
    says: 'The file that the passphrase protects has format {found}; this version of Cairn knows 1. Update Cairn.',
  },
  INVITE_PREFIX: {
    says: 'An invite code begins with "cairn:"; this text does not.',
  },
  INVITE_LENGTH: {
    says: 'An invite code has at most {limit} characters; this one has {found}. Copy the code alone.',
  },
  INVITE_CHARACTER: {
    says: 'Character {position} of the invite code, "{character}", does not occur in such codes.',
  },
  INVITE_CHECKSUM: {
    says: 'The invite code was changed or is not complete: its check digits do not match. Copy it again.',
  },
  INVITE_VERSION: {
    says: 'The invite code has version {found}; this version of Cairn knows {known}. Update Cairn.',
  },
  INVITE_CONTENT: {
    says: 'The invite code cannot be read: {why}. Ask for a new one.',
  },
} as const

export const cipherError: ReturnType<typeof errorFamily<typeof CIPHER_ERRORS>> =
  errorFamily(CIPHER_ERRORS)
