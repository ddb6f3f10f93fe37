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
  NOT_AN_ADMIN: 'Only an admin may do that.',
  BACKUP_ROLE: 'A backup device stores for others; it states nothing and reads nothing.',
  NOT_A_DEVICE: 'What it names is no device of this network.',
  NOT_A_USER: 'What it names is no user of this network.',
  OTHER_USER: 'It is about a device of another user.',
  ALREADY_REVOKED:
    'The device was revoked before, and no less of what it did counts than this says.',
  DEVICE_RECOVERED:
    'A device that the recovery kit brought back is revoked by itself or by the kit only.',
  RECOVERY_SIGNATURE: 'It does not carry the signature of the recovery kit.',
  KEY_KNOWN: 'The user has this key already.',
  AUTHOR_REVOKED: 'The device that made it was revoked before.',
  NOT_AN_INVITE: 'What it names is no invite.',
  NOT_THE_ISSUER: 'Only the one who invited, or an admin, may cancel an invite.',
  NOT_A_GRANT: 'What it names is no grant.',
  GRANT_TO_OWNER: 'The owner needs no grant.',
  ACCESS_NO_GRANT: 'The file is private and its owner granted nothing.',
  ACCESS_OTHER_GRANT: 'The grant is for another file or another user.',
  ACCESS_REVOKED: 'The owner took the grant back.',
  ACCESS_REPLACED: 'The owner replaced the grant by another one.',
  ACCESS_EXPIRED: 'The grant has expired.',
  ACCESS_USED_UP: 'All downloads of the grant are used.',
  NOT_AN_ACCESS: 'What it names is no allowed access to a private file.',
  NOT_A_KEY_HOLDER: 'The device may not release keys of this file.',
  UPGRADE_VERSION: 'The rule version is not above the one that was announced last.',
  UPGRADE_HEIGHT: 'The new rules would begin too soon, or before those that were announced last.',
  UPGRADE_COUNT: 'Too many upgrades are announced already.',
} as const

export type ReasonCode = keyof typeof REASONS
