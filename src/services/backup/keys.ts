/**
 * The key of a user's backups: an X25519 key in the form of the tool `age` (https://age-encryption.org/v1),
 * derived from the recovery kit. Whoever has the public half, the recipient, can write backups; the secret half,
 * the identity, opens them. It can stand at a destination under a passphrase, as an age file of its own: so the
 * passphrase can be changed without writing a backup again.
 */
import { bech32 } from '@scure/base'
import { utf8 } from '../../common/bytes.ts'
import { cipherError } from '../../common/cipher-errors.ts'
import { KEY_BYTES, publicKeyOf } from '../../common/crypto.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import { recoveryKeys } from '../../common/recovery-keys.ts'
import { backupError } from './errors.ts'
import { passphraseIdentity, passphraseRecipient } from './passphrase-stanza.ts'

/** What opens backups. */
export interface BackupKey {
  /** X25519 secret, 32 bytes. */
  readonly secret: Uint8Array
  /** `AGE-SECRET-KEY-1…`, as `age -i` reads it. */
  readonly identity: string
  /** `age1…` */
  readonly recipient: string
}

const IDENTITY_PREFIX = 'age-secret-key-'
const RECIPIENT_PREFIX = 'age'
/** Letters of a recipient: `age1`, 32 bytes, six of checksum. */
export const RECIPIENT_LENGTH = 62
/** A quarter of a gigabyte of memory and about a second, on another thread: what age itself takes. */
const SCRYPT_LOG_N = 18
/** Characters of a passphrase that are looked at. */
const MAX_PASSPHRASE = 1024
/** Characters of a file with an identity that are looked at. */
const MAX_IDENTITY_TEXT = 4096

/** The format is loaded when the first backup is written: no command needs it at its start. */
const age = () => import('age-encryption')

/** The key of the kit whose 32 bytes these are. */
export function backupKeyOfKit(kit: Uint8Array): BackupKey {
  return backupKeyOf(recoveryKeys(kit).backup)
}

/** @param secret - X25519 secret, 32 bytes */
export function backupKeyOf(secret: Uint8Array): BackupKey {
  return {
    secret,
    identity: bech32.encodeFromBytes(IDENTITY_PREFIX, secret).toUpperCase(),
    recipient: recipientOf(publicKeyOf('x25519', secret)),
  }
}

/** @param publicKey - X25519, 32 bytes */
export function recipientOf(publicKey: Uint8Array): string {
  return bech32.encodeFromBytes(RECIPIENT_PREFIX, publicKey)
}

/** The key in a text as `age-keygen` writes it: lines with `#` are left out. @throws BACKUP_KEY */
export function parseBackupKey(text: string): BackupKey {
  const lines = text.slice(0, MAX_IDENTITY_TEXT).split(/\s*\n\s*/)
  const line = lines.map((each) => each.trim()).find((each) => each !== '' && each[0] !== '#') ?? ''
  return backupKeyOf(decoded(line.toLowerCase(), IDENTITY_PREFIX))
}

/** The same recipient, when it is one. @throws BACKUP_KEY */
export function checkRecipient(recipient: string): string {
  decoded(recipient, RECIPIENT_PREFIX)
  return recipient
}

function decoded(text: string, prefix: string): Uint8Array {
  try {
    const found = bech32.decodeToBytes(text)
    if (found.prefix === prefix && found.bytes.length === KEY_BYTES) return found.bytes
  } catch (error) {
    throw backupError('BACKUP_KEY', {}, error)
  }
  throw backupError('BACKUP_KEY')
}

/** An age file that only the identity of `recipient` opens; each has a fresh key of its own. */
export async function encryptFor(recipient: string, bytes: Uint8Array): Promise<Uint8Array> {
  const { Encrypter } = await age()
  const encrypter = new Encrypter()
  encrypter.addRecipient(recipient)
  return encrypter.encrypt(bytes)
}

/** @param name - of the object, for the error. @throws BACKUP_DAMAGED */
export async function decryptWith(
  key: BackupKey,
  bytes: Uint8Array,
  name: string,
): Promise<Uint8Array> {
  const { Decrypter } = await age()
  const decrypter = new Decrypter()
  decrypter.addIdentity(key.identity)
  try {
    return await decrypter.decrypt(bytes)
  } catch (error) {
    throw backupError('BACKUP_DAMAGED', { name, why: messageOf(error) }, error)
  }
}

/**
 * The identity under a passphrase.
 *
 * @param salt - 16 random bytes
 * @param logN - of scrypt; less only in tests
 * @throws PASSPHRASE_EMPTY
 */
export async function lockKey(
  key: BackupKey,
  passphrase: string,
  { salt, logN = SCRYPT_LOG_N }: { readonly salt: Uint8Array; readonly logN?: number | undefined },
): Promise<Uint8Array> {
  if (passphrase === '') throw cipherError('PASSPHRASE_EMPTY')
  const { Encrypter } = await age()
  const encrypter = new Encrypter()
  encrypter.addRecipient(passphraseRecipient(normal(passphrase), { salt, logN }))
  return encrypter.encrypt(
    utf8(`# opens the backups of one person\n# public key: ${key.recipient}\n${key.identity}\n`),
  )
}

/** What `lockKey` locked. @throws BACKUP_PASSPHRASE, for a damaged slot too: the two look the same */
export async function unlockKey(
  slot: Uint8Array,
  passphrase: string,
  destination: string,
): Promise<BackupKey> {
  const { Decrypter } = await age()
  const decrypter = new Decrypter()
  decrypter.addIdentity(passphraseIdentity(normal(passphrase)))
  try {
    return parseBackupKey(await decrypter.decrypt(slot, 'text'))
  } catch (error) {
    if (codeOf(error) === 'BACKUP_KEY') throw error
    throw backupError('BACKUP_PASSPHRASE', { destination }, error)
  }
}

/** One form of what different keyboards make of the same letters. */
function normal(passphrase: string): string {
  return passphrase.slice(0, MAX_PASSPHRASE).normalize('NFKC')
}
