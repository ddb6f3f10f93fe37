/** The codes of backups: of the places that keep them, of their format, of bringing them back. */
import { errorFamily } from '../../common/errors.ts'

export const BACKUP_ERRORS = {
  // where backups are kept
  DESTINATION_UNREACHABLE: {
    says: 'The backup destination {destination} does not answer: {why}. It is tried again by itself; check that it runs and that this computer reaches it.',
  },
  DESTINATION_REFUSED: {
    says: 'The backup destination {destination} refuses: {why}. Check its credentials and permissions.',
  },
  DESTINATION_FULL: {
    says: 'The backup destination {destination} is full: {why}. Make room there or keep fewer backups.',
  },
  DESTINATION_TOO_LARGE: {
    says: 'The backup destination {destination} does not take an object of {size} bytes ({name}).',
  },
  DESTINATION_FAILED: {
    says: 'The backup destination {destination} answered something unexpected: {why}.',
  },
  DESTINATION_BUSY: {
    says: 'The backup destination {destination} has too much to do: {why}. It is tried again by itself.',
  },
  DESTINATION_DIFFERS: {
    says: 'The backup destination {destination} has other bytes of {name} than were stored there. Another copy is used; check that destination.',
  },
  DESTINATION_VARIABLE: {
    says: 'The backup destination {destination} is configured by half: the environment variable {variable} is missing.',
  },
  DESTINATION_SETTING: {
    says: 'The environment variable {variable} of the backup destination {destination} cannot be used: {why}.',
  },
  OBJECT_NOT_FOUND: {
    says: 'The backup destination {destination} has no object {name}.',
  },
  OBJECT_NAME: {
    says: 'No name of a backup’s object: {name}. It has letters, digits, "-", "_", "." and "/", at most 200, and no empty part.',
  },
  DESTINATION_SLOW: {
    says: 'The backup destination {destination} did not answer within {seconds} s. It is tried again by itself.',
  },
  BACKUP_NOT_CONFIGURED: {
    says: 'This node has no backup destination. Set DATABASE_URL, R2_…, S3_…, GCS_BUCKET_NAME, PINATA_JWT or CAIRN_BACKUP_FOLDER and start it again.',
  },
  DESTINATION_EMPTIED: {
    says: 'The backup destination {destination} has nothing any more of what was backed up there. See whether its disk is mounted, its bucket, table or account still the one that was set; then write all anew: cairn backup create --full',
  },
  DESTINATION_UNKNOWN: { says: 'No backup destination is called {destination}.' },

  // keys
  BACKUP_KEY: {
    says: 'That is no key of backups. It begins with AGE-SECRET-KEY-1, the public half with age1.',
  },
  BACKUP_KEY_OTHER: {
    says: 'The backup {name} was made for another key than the one that is here.',
  },
  BACKUP_KEY_MISSING: {
    says: 'There are backups, but no key to open them. Give the passphrase that was set for them (CAIRN_BACKUP_PASSPHRASE, --backup-passphrase-file) or the words of the recovery kit (CAIRN_RECOVERY_WORDS, --recovery-words-file); at a terminal the start asks for them.',
  },
  BACKUP_SLOT_MISSING: {
    says: 'No passphrase stands with the backups at {destination}: none was set, or another one took its place and this one is gone. Use the words of the recovery kit, or the backup key.',
  },
  BACKUP_PASSPHRASE: { says: 'The passphrase does not open the backups at {destination}.' },

  // the format
  BACKUP_DAMAGED: { says: 'The backup {name} is damaged: {why}.' },
  BACKUP_MANIFEST: { says: 'The manifest {name} is no manifest of a backup: {why}.' },
  BACKUP_FORGED: {
    says: 'The manifest {name} was not signed by the device that it names, or the device does not belong to the user.',
  },
  BACKUP_OTHER_NETWORK: { says: 'The backup {name} is of another network ({network}).' },
  BACKUP_CID: {
    says: 'No CID of a backup: {cid}. It begins with bafkrei and has 59 letters; "cairn backup list" shows it, the log does, and backup-cids.json.',
  },
  BACKUP_NETWORK: {
    says: 'The backups at {destinations} are of the network {found}, and the peers file or the data directory is of the network {wanted}. To bring {found} back, start with a peers file of that network, or with none. To go on with {wanted} and leave these backups alone, say --new-network, or configure other destinations.',
  },
  BACKUP_NEWER: { says: 'The backup {name} was written by a newer version of this program.' },
  BACKUP_INCOMPLETE: {
    says: 'The backup {name} does not lead to the tip that it names: block {height} was promised, {found} was reached.',
  },
  BACKUP_CLOCK: {
    says: 'The clock of this computer is behind the backup {name} by {behind}: it shows {now}, and the backup is of {time}. Blocks of the future are refused, so nothing can be restored yet. Set the clock (turn on network time), then start again.',
  },

  // making and bringing back
  BACKUP_NOT_READY: {
    says: 'This device is not admitted to its network yet, so there is nothing to back up.',
  },
  BACKUP_MOVING: {
    says: 'The chain changed again and again while it was backed up. It is tried again by itself.',
  },
  BACKUP_INTERRUPTED: {
    says: 'This computer slept, or its clock was changed, while a backup was written. It is written again by itself.',
  },
  BACKUP_NO_RECIPIENT: {
    says: 'This device does not know for whom backups are encrypted. Start the device of yours that has the recovery kit: it tells the others by itself.',
  },
  BACKUP_DRILL_KEY: {
    says: 'This device has no key of the backups, so it cannot restore them for practice. Run "cairn backup drill" on the device of yours that has the recovery kit; this one learns of it at {destination}.',
  },
  BACKUP_AMBIGUOUS: {
    says: '"{wanted}" may mean any of these backups: {candidates}. Say which, by what stands first.',
  },
  BACKUP_NONE: { says: 'There is no such backup at any destination: {wanted}.' },
  BACKUP_UNREADABLE: {
    says: 'There are backups, but none of them can be read ({problems}). No new network is founded in their place; use --new-network if that is what you want.',
  },
  BACKUP_UNREACHABLE: {
    says: 'It is not known whether there is something to restore, because a backup destination cannot be read ({destinations}). No new network is founded in its place; use --new-network if that is what you want.',
  },
  BACKUP_BEHIND: {
    says: 'The backup {name} ends at block {height}, behind what is here (block {here}). Nothing was changed; use --allow-rollback to go back all the same.',
  },
  BACKUP_NO_PROOF: {
    says: 'The backup holds no restore key, so this device cannot be admitted by it. Restore with the words of the recovery kit.',
  },
  BACKUP_DIFFERS: { says: 'What came back from {destination} differs from what is here: {why}.' },
} as const

export const backupError: ReturnType<typeof errorFamily<typeof BACKUP_ERRORS>> =
  errorFamily(BACKUP_ERRORS)
