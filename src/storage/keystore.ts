/**
 * The secrets of this device and its user: one file each in `keys/`, mode 0600, written whole or not at all.
 *
 * A file says by `protection` how its secret is stored: `none`, or `scrypt` for under a passphrase (key-lock.ts);
 * they are changed one by one, so both may stand side by side after a crash. `names.json` lists the
 * secrets that were complete once: one of these that is missing is damage, not a first start, and no new
 * identity is made in its place.
 */
import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fromHex, toHex, utf8 } from '../common/bytes.ts'
import { KEY_BYTES, type ScryptCost, sha256 } from '../common/crypto.ts'
import { assert, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { flushDirectory, makeDirectory, removeTemporaries, writeFileAtomic } from './atomic-file.ts'
import { storageError } from './errors.ts'
import { type KeyLock, type LockOptions, makeLock, openLock } from './key-lock.ts'

/**
 * `device`: Ed25519 seed, the device's identity · `device-encryption`: X25519 · `user`: X25519, generation 0 ·
 * `recovery`: Ed25519 seed of the recovery kit · `restore`: Ed25519 seed that stands in encrypted backups ·
 * `backup`: X25519 key of the backups, where a restore brought it and the kit, from which it follows, is not here.
 */
export const KEY_NAMES = [
  'device',
  'device-encryption',
  'user',
  'recovery',
  'restore',
  'backup',
] as const
export type KeyName = (typeof KEY_NAMES)[number]

export interface Keystore {
  /**
   * Makes the secrets that are missing, at random, unless they were complete before.
   *
   * @throws KEYSTORE_DAMAGED, STORAGE_FULL, DATA_DIRECTORY_NOT_WRITABLE
   */
  ensure(names: readonly KeyName[]): void
  /** The secrets that were complete once. @throws KEYSTORE_DAMAGED */
  complete(): readonly KeyName[]
  /** 32 bytes; undefined: it was never here. @throws KEYSTORE_DAMAGED, DATA_FORMAT_NEWER */
  get(name: KeyName): Uint8Array | undefined
  /** As `get`, for a secret that `ensure` or `put` made. */
  require(name: KeyName): Uint8Array
  /** Stores a secret of 32 bytes that came from elsewhere; on the disk when this returns. */
  put(name: KeyName, secret: Uint8Array): void
  /** Some secret is under a passphrase, and no `unlock` was given it. */
  readonly locked: boolean
  /** Some secret is under a passphrase. */
  readonly protected: boolean
  /** Gives the passphrase. @throws PASSPHRASE_WRONG, PASSPHRASE_EMPTY, LOCKED_DAMAGED, LOCKED_NEWER */
  unlock(passphrase: string): Promise<void>
  /**
   * Puts all secrets under a passphrase, or under another one; undefined: under none. On the disk when it resolves.
   *
   * @throws PASSPHRASE_EMPTY, KEYS_LOCKED, KEYSTORE_DAMAGED, STORAGE_FULL
   */
  protect(passphrase: string | undefined): Promise<void>
  /** Deletes a secret, for instance one that is kept on paper. Idempotent. */
  remove(name: KeyName): void
}

export interface KeystoreInit {
  /** The directory of the keys. */
  readonly path: string
  readonly randomBytes: (length: number) => Uint8Array
  readonly logger: Logger
  /** Of new passphrases; another than the default only in tests. */
  readonly cost?: ScryptCost
}

const OWNER_ONLY = 0o600
const OTHERS = 0o077

/** @throws KEYS_EXPOSED, DATA_DIRECTORY_NOT_WRITABLE */
export function openKeystore({ path, randomBytes, logger, cost }: KeystoreInit): Keystore {
  makeDirectory(path)
  removeTemporaries(path)
  protect(path, 0o700, logger)
  const fileOf = (name: KeyName): string => join(path, `${name}.key`)
  const list = join(path, 'names.json')
  for (const file of [list, ...KEY_NAMES.map(fileOf)]) {
    if (existsSync(file)) protect(file, OWNER_ONLY, logger)
  }
  const lockOptions: LockOptions = { randomBytes, ...(cost === undefined ? {} : { cost }) }
  let lock: KeyLock | undefined
  const present = (): KeyName[] => KEY_NAMES.filter((name) => existsSync(fileOf(name)))
  const locks = (): string[] => {
    const found = present().flatMap((name) => read(fileOf(name), name, path).lock ?? [])
    return [...new Set(found)]
  }
  const store = (name: KeyName, secret: Uint8Array): void => write(fileOf(name), name, secret, lock)
  const secretOf = (name: KeyName): Uint8Array => {
    const found = read(fileOf(name), name, path)
    if (found.lock === undefined) return fromHex(found.secret)
    if (lock === undefined) throw storageError('KEYS_LOCKED', { path })
    const secret = lock.open(name, found.secret)
    if (secret?.length !== KEY_BYTES) throw storageError('KEYSTORE_DAMAGED', { name, path })
    return secret
  }
  const complete = (): Set<string> => {
    if (!existsSync(list)) return new Set()
    const names: unknown = parsed(readFileSync(list, 'utf8'))
    if (!Array.isArray(names)) throw storageError('KEYSTORE_DAMAGED', { name: 'names.json', path })
    return new Set(names.map(String))
  }
  const setComplete = (names: Iterable<string>): void =>
    writeFileAtomic(list, utf8(`${JSON.stringify([...names].sort())}\n`), OWNER_ONLY)

  const keystore: Keystore = {
    ensure: (names) => {
      const before = complete()
      for (const name of names) {
        if (keystore.get(name) === undefined) store(name, randomBytes(KEY_BYTES))
      }
      const after = new Set([...before, ...names])
      if (after.size > before.size) setComplete(after)
    },
    complete: () => KEY_NAMES.filter((name) => complete().has(name)),
    get: (name) => {
      if (existsSync(fileOf(name))) return secretOf(name)
      if (complete().has(name)) throw storageError('KEYSTORE_DAMAGED', { name, path })
      return undefined
    },
    require: (name) => {
      const secret = keystore.get(name)
      if (secret === undefined) throw storageError('KEYSTORE_DAMAGED', { name, path })
      return secret
    },
    put: (name, secret) => {
      store(name, secret)
      setComplete(new Set([...complete(), name]))
    },
    get locked() {
      return lock === undefined && locks().length > 0
    },
    get protected() {
      return locks().length > 0
    },
    unlock: async (passphrase) => {
      const found = locks()
      if (found.length > 0) lock = await openLock(found, passphrase, lockOptions)
    },
    protect: async (passphrase) => {
      // Read first: nothing is written that could not be read.
      const secrets = present().map((name) => ({ name, secret: secretOf(name) }))
      const next =
        passphrase === undefined
          ? undefined
          : await (lock?.again(passphrase) ?? makeLock(passphrase, lockOptions))
      for (const { name, secret } of secrets) write(fileOf(name), name, secret, next)
      lock = next
    },
    remove: (name) => {
      const names = complete()
      if (names.delete(name)) setComplete(names)
      rmSync(fileOf(name), { force: true })
      flushDirectory(path)
    },
  }
  return keystore
}

function write(
  file: string,
  name: KeyName,
  secret: Uint8Array,
  lock: Pick<KeyLock, 'seal'> | undefined,
): void {
  assert(secret.length === KEY_BYTES, 'a secret has 32 bytes')
  const stored = lock?.seal(name, secret) ?? { secret: toHex(secret) }
  const content = {
    format: 1,
    name,
    protection: 'lock' in stored ? 'scrypt' : 'none',
    ...stored,
    check: checkOf(name, textOf(stored)),
  }
  writeFileAtomic(file, utf8(`${JSON.stringify(content)}\n`), OWNER_ONLY)
}

/** What a file holds, its check digits right. */
function read(
  file: string,
  name: KeyName,
  path: string,
): { readonly secret: string; readonly lock?: string } {
  const content = parsed(readFileSync(file, 'utf8'))
  const field = (key: string): unknown =>
    content !== null && typeof content === 'object'
      ? (content as Record<string, unknown>)[key]
      : undefined
  const protection = field('protection')
  if (field('name') !== name || typeof protection !== 'string') {
    throw storageError('KEYSTORE_DAMAGED', { name, path })
  }
  if (field('format') !== 1 || !['none', 'scrypt'].includes(protection)) {
    throw storageError('DATA_FORMAT_NEWER', { path: file, found: protection, known: 'scrypt' })
  }
  const secret = field('secret')
  const lock = field('lock')
  const isNone = protection === 'none'
  const form = isNone ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{120}$/
  const stored = { secret: String(secret), ...(isNone ? {} : { lock: String(lock) }) }
  if (
    !form.test(stored.secret) ||
    (!isNone && !/^([0-9a-f]{2}){1,1024}$/.test(String(lock))) ||
    field('check') !== checkOf(name, textOf(stored))
  ) {
    throw storageError('KEYSTORE_DAMAGED', { name, path })
  }
  return stored
}

function textOf({
  secret,
  lock = '',
}: {
  readonly secret: string
  readonly lock?: string
}): string {
  return lock + secret
}

/** Finds a damaged file; says nothing about the secret. */
function checkOf(name: string, secret: string): string {
  return toHex(sha256(utf8(`cairn/key-check/1 ${name} ${secret}`))).slice(0, 16)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Takes others' permissions away. */
function protect(path: string, mode: number, logger: Logger): void {
  // Windows has no such bits: the directory of the user's own data is its protection.
  if (process.platform === 'win32' || (statSync(path).mode & OTHERS) === 0) return
  try {
    chmodSync(path, mode)
  } catch (error) {
    throw storageError('KEYS_EXPOSED', { path, reason: messageOf(error) }, error)
  }
  logger.warn('Others could read the keys on this computer; the permissions are corrected', {
    path,
  })
}
