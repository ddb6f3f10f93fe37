/**
 * The secrets of this device and its user: one file each in `keys/`, mode 0600, written whole or not at all.
 *
 * A file says by `protection` how its secret is stored; `none` is the only way so far. `names.json` lists the
 * secrets that were complete once: one of these that is missing is damage, not a first start, and no new
 * identity is made in its place.
 */
import { chmodSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fromHex, toHex, utf8 } from '../common/bytes.ts'
import { KEY_BYTES, sha256 } from '../common/crypto.ts'
import { assert, messageOf } from '../common/errors.ts'
import type { Logger } from '../common/logger.ts'
import { flushDirectory, makeDirectory, removeTemporaries, writeFileAtomic } from './atomic-file.ts'
import { storageError } from './errors.ts'

/**
 * `device`: Ed25519 seed, the device's identity · `device-encryption`: X25519 · `user`: X25519, generation 0 ·
 * `recovery`: Ed25519 seed of the recovery kit · `restore`: Ed25519 seed that stands in encrypted backups.
 */
export const KEY_NAMES = ['device', 'device-encryption', 'user', 'recovery', 'restore'] as const
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
  /** Deletes a secret, for instance one that is kept on paper. Idempotent. */
  remove(name: KeyName): void
}

export interface KeystoreInit {
  /** The directory of the keys. */
  readonly path: string
  readonly randomBytes: (length: number) => Uint8Array
  readonly logger: Logger
}

const OWNER_ONLY = 0o600
const OTHERS = 0o077

/** @throws KEYS_EXPOSED, DATA_DIRECTORY_NOT_WRITABLE */
export function openKeystore({ path, randomBytes, logger }: KeystoreInit): Keystore {
  makeDirectory(path)
  removeTemporaries(path)
  protect(path, 0o700, logger)
  const fileOf = (name: KeyName): string => join(path, `${name}.key`)
  const list = join(path, 'names.json')
  for (const file of [list, ...KEY_NAMES.map(fileOf)]) {
    if (existsSync(file)) protect(file, OWNER_ONLY, logger)
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
        if (keystore.get(name) === undefined) write(fileOf(name), name, randomBytes(KEY_BYTES))
      }
      const after = new Set([...before, ...names])
      if (after.size > before.size) setComplete(after)
    },
    complete: () => KEY_NAMES.filter((name) => complete().has(name)),
    get: (name) => {
      const file = fileOf(name)
      if (existsSync(file)) return read(file, name, path)
      if (complete().has(name)) throw storageError('KEYSTORE_DAMAGED', { name, path })
      return undefined
    },
    require: (name) => {
      const secret = keystore.get(name)
      if (secret === undefined) throw storageError('KEYSTORE_DAMAGED', { name, path })
      return secret
    },
    put: (name, secret) => {
      write(fileOf(name), name, secret)
      setComplete(new Set([...complete(), name]))
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

function write(file: string, name: KeyName, secret: Uint8Array): void {
  assert(secret.length === KEY_BYTES, 'a secret has 32 bytes')
  const text = toHex(secret)
  const content = { format: 1, name, protection: 'none', secret: text, check: checkOf(name, text) }
  writeFileAtomic(file, utf8(`${JSON.stringify(content)}\n`), OWNER_ONLY)
}

function read(file: string, name: KeyName, path: string): Uint8Array {
  const content = parsed(readFileSync(file, 'utf8'))
  const field = (key: string): unknown =>
    content !== null && typeof content === 'object'
      ? (content as Record<string, unknown>)[key]
      : undefined
  const protection = field('protection')
  if (field('name') !== name || typeof protection !== 'string') {
    throw storageError('KEYSTORE_DAMAGED', { name, path })
  }
  if (field('format') !== 1 || protection !== 'none') {
    throw storageError('DATA_FORMAT_NEWER', { path: file, found: protection, known: 'none' })
  }
  const secret = field('secret')
  if (
    typeof secret !== 'string' ||
    !/^[0-9a-f]{64}$/.test(secret) ||
    field('check') !== checkOf(name, secret)
  ) {
    throw storageError('KEYSTORE_DAMAGED', { name, path })
  }
  return fromHex(secret)
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
