/**
 * Protection of the key files by a passphrase: scrypt makes a key of the passphrase, which wraps a random wrapping
 * key, which encrypts each secret (AES-256-GCM, fresh nonce in front, the secret's name as associated data).
 *
 * Every file carries the wrapped wrapping key, so each can be read alone; a start asks scrypt once. Another
 * passphrase wraps the same wrapping key: whatever a crash leaves half done, either passphrase opens all files.
 */
import { fromHex, toHex, utf8 } from '../common/bytes.ts'
import {
  GCM_NONCE_BYTES,
  GCM_TAG_BYTES,
  gcmKey,
  KEY_BYTES,
  type ScryptCost,
} from '../common/crypto.ts'
import { codeOf } from '../common/errors.ts'
import { lockWithPassphrase, unlockWithPassphrase } from '../common/passphrase.ts'

/** What `protection: "scrypt"` files hold instead of the secret; both hexadecimal. */
export interface LockedSecret {
  /** The wrapping key under the passphrase; see common/passphrase.ts. */
  readonly lock: string
  readonly secret: string
}

export interface KeyLock {
  readonly lock: string
  /** Encrypts a secret for the file of that name. */
  seal(name: string, secret: Uint8Array): LockedSecret
  /** Undefined: it was not made by this lock, or it is damaged. */
  open(name: string, sealed: string): Uint8Array | undefined
  /** The same lock for another passphrase. */
  again(passphrase: string): Promise<KeyLock>
}

export interface LockOptions {
  readonly randomBytes: (length: number) => Uint8Array
  /** Another only in tests. */
  readonly cost?: ScryptCost
}

/** A new lock. @throws PASSPHRASE_EMPTY */
export async function makeLock(passphrase: string, options: LockOptions): Promise<KeyLock> {
  const key = options.randomBytes(KEY_BYTES)
  return keyLock(key, toHex(await lockWithPassphrase(key, passphrase, options)), options)
}

/**
 * The lock that a passphrase opens, of those found in the files.
 *
 * @throws PASSPHRASE_WRONG, PASSPHRASE_EMPTY, LOCKED_DAMAGED, LOCKED_NEWER
 */
export async function openLock(
  locks: readonly string[],
  passphrase: string,
  options: LockOptions,
): Promise<KeyLock> {
  let last: unknown
  for (const lock of locks) {
    try {
      return keyLock(await unlockWithPassphrase(fromHex(lock), passphrase), lock, options)
    } catch (error) {
      // A damaged file says less than a wrong passphrase for a good one.
      if (last === undefined || codeOf(error) === 'PASSPHRASE_WRONG') last = error
    }
  }
  throw last
}

function keyLock(key: Uint8Array, lock: string, options: LockOptions): KeyLock {
  const gcm = gcmKey(key)
  const aad = (name: string): Uint8Array => utf8(`cairn/key-file/1 ${name}`)
  return {
    lock,
    seal: (name, secret) => {
      const nonce = options.randomBytes(GCM_NONCE_BYTES)
      const sealed = new Uint8Array(secret.length + GCM_TAG_BYTES)
      gcm.sealInto(nonce, secret, sealed, aad(name))
      return { lock, secret: toHex(nonce) + toHex(sealed) }
    },
    open: (name, sealed) => {
      const bytes = fromHex(sealed)
      const nonce = bytes.subarray(0, GCM_NONCE_BYTES)
      return gcm.open(nonce, bytes.subarray(GCM_NONCE_BYTES), aad(name))
    },
    again: async (passphrase) =>
      keyLock(key, toHex(await lockWithPassphrase(key, passphrase, options)), options),
  }
}
