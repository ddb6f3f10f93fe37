/**
 * Why an included record does nothing: the reason codes of rule version 1. They are part of the consensus and
 * frozen: a new reason needs a new rule version.
 */
export const REASONS = {
  ALREADY_INCLUDED: 'The same statement stands in the chain already, signed another time.',
  REFERENCE_REJECTED: 'It relies on a record that was rejected.',
  NOT_A_VERSION: 'What it names is no version of a file.',
  NOT_A_FILE: 'What it names is no file.',
  NOT_THE_OWNER: 'Only the owner of a file may change it.',
  OTHER_FILE: 'It names a version of another file.',
  TOO_MANY_HEADS: 'The file has too many concurrent versions. Merge some of them first.',
  VOTE_OWN_FILE: 'Nobody votes on a file of their own.',
  NOT_AN_ADMIN: 'Only an admin may announce new rules.',
  UPGRADE_VERSION: 'The rule version is not above the one that was announced last.',
  UPGRADE_HEIGHT: 'The new rules would begin too soon, or before those that were announced last.',
  UPGRADE_COUNT: 'Too many upgrades are announced already.',
} as const

export type ReasonCode = keyof typeof REASONS
