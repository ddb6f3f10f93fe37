/**
 * The backup key under a passphrase, kept at a destination: an age file for each recipient, beside the backups. Another
 * passphrase replaces the file; the backups stay as they are.
 */
import { toHex, utf8 } from '../../common/bytes.ts'
import { sha256 } from '../../common/crypto.ts'
import { codeOf } from '../../common/errors.ts'
import type { Destination } from './destination.ts'
import { backupError } from './errors.ts'
import { type BackupKey, lockKey, unlockKey } from './keys.ts'

const PREFIX = 'slots/'
const SALT_BYTES = 16
/** Slots that are tried: each takes a second and a quarter of a gigabyte. */
const MAX_SLOTS = 16

/** Replaces the passphrase of this key at a destination. @throws the errors of destinations */
export async function writeSlot(
  destination: Destination,
  key: BackupKey,
  {
    passphrase,
    randomBytes,
    signal,
    logN,
  }: {
    readonly passphrase: string
    readonly randomBytes: (length: number) => Uint8Array
    readonly signal: AbortSignal
    /** Of scrypt; less only in tests. */
    readonly logN?: number
  },
): Promise<void> {
  const name = `${PREFIX}${toHex(sha256(utf8(key.recipient))).slice(0, 32)}.key-slot.age`
  const slot = await lockKey(key, passphrase, { salt: randomBytes(SALT_BYTES), logN })
  await destination.put(name, slot, { signal, label: 'backup key under a passphrase' })
}

/** @throws BACKUP_SLOT_MISSING, BACKUP_PASSPHRASE, the errors of destinations */
export async function openSlot(
  destination: Destination,
  passphrase: string,
  signal: AbortSignal,
): Promise<BackupKey> {
  const slots = (await destination.list(PREFIX, signal)).slice(-MAX_SLOTS).reverse()
  if (slots.length === 0) {
    throw backupError('BACKUP_SLOT_MISSING', { destination: destination.name })
  }
  for (const { name } of slots) {
    try {
      return await unlockKey(await destination.get(name, signal), passphrase, destination.name)
    } catch (error) {
      if (codeOf(error) !== 'BACKUP_PASSPHRASE') throw error
    }
  }
  throw backupError('BACKUP_PASSPHRASE', { destination: destination.name })
}
