/** The keys that are made from the 32 bytes of a recovery kit. */
import { utf8 } from './bytes.ts'
import { hkdf, KEY_BYTES } from './crypto.ts'
import { assert } from './errors.ts'

/** The keys of a recovery kit, 32 bytes each. */
export interface RecoveryKeys {
  /** Ed25519 seed, the secret itself: signs revocations and admissions. */
  readonly signing: Uint8Array
  /** X25519 secret: the user's keys are sealed to its public half. */
  readonly encryption: Uint8Array
  /** Opens backups. */
  readonly backup: Uint8Array
}

/**
 * What backups say whose they are with, 32 bytes: only who has the backup key can make it.
 *
 * @param secret - of the backup key
 * @param network, user - ids, as text
 */
export function backupRoot(secret: Uint8Array, network: string, user: string): Uint8Array {
  const info = utf8(`cairn/backup-root/1 ${network} ${user}`)
  return hkdf(secret, new Uint8Array(), info, KEY_BYTES)
}

/** The keys of a kit. @param secret - 32 bytes, what the words say */
export function recoveryKeys(secret: Uint8Array): RecoveryKeys {
  assert(secret.length === KEY_BYTES, 'a recovery secret has 32 bytes')
  const derive = (purpose: string): Uint8Array =>
    hkdf(secret, new Uint8Array(), utf8(`cairn/recovery/1 ${purpose}`), KEY_BYTES)
  return {
    signing: secret,
    encryption: derive('encryption'),
    backup: derive('backup'),
  }
}
