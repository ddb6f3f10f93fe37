/**
 * A secret under a passphrase: scrypt (RFC 7914) makes a key, AES-256-GCM wraps the secret.
 *
 * Canonical DAG-CBOR `{format: 1, kdf: {n, r, p, salt}, sealed, check}`. The salt is fresh for each wrapping, so
 * the key is too, and the nonce is zero. `check` finds damage without the passphrase; it says nothing about the
 * secret, which it only covers in its encrypted form.
 */
import { utf8 } from './bytes.ts'
import { cipherError } from './cipher-errors.ts'
import {
  GCM_NONCE_BYTES,
  GCM_TAG_BYTES,
  gcmKey,
  type ScryptCost,
  scryptKey,
  sha256,
} from './crypto.ts'
import { type CborValue, decode, encode } from './dag-cbor.ts'
import { messageOf } from './errors.ts'
import { KIB, MIB } from './limits.ts'
import { bytes, type Shaped, struct, uint } from './schema.ts'

/** 128 MiB and about a third of a second: what a person waits for once, and a guesser each time. */
const LOCK_COST: ScryptCost = { n: 2 ** 17, r: 8, p: 1 }

/** Bytes of a wrapped secret at most: key files are small. */
const MAX_SECRET_BYTES: number = 64 * KIB
/** What a file may ask of this computer: a hostile one is refused before any memory is taken. */
const MAX_MEMORY_BYTES: number = 256 * MIB
/** `n × r × p`: eight times the cost above. */
const MAX_WORK = 2 ** 23
const SALT_BYTES = 16
const CHECK_BYTES = 8
/** Characters of a passphrase that are looked at. */
const MAX_PASSPHRASE = 1024
const NONCE = new Uint8Array(GCM_NONCE_BYTES)

const LOCKED = {
  format: uint(),
  kdf: struct({ n: uint(2 ** 31), r: uint(2 ** 16), p: uint(2 ** 16), salt: bytes(SALT_BYTES) }),
  sealed: bytes(GCM_TAG_BYTES, MAX_SECRET_BYTES + GCM_TAG_BYTES),
}
const unchecked = struct(LOCKED)
const shape = struct({ ...LOCKED, check: bytes(CHECK_BYTES) })

export interface LockOptions {
  readonly randomBytes: (length: number) => Uint8Array
  /** Another only in tests. */
  readonly cost?: ScryptCost
}

/** `secret` (64 KiB at most), wrapped. @throws PASSPHRASE_EMPTY */
export async function lockWithPassphrase(
  secret: Uint8Array,
  passphrase: string,
  { randomBytes, cost = LOCK_COST }: LockOptions,
): Promise<Uint8Array> {
  const salt = randomBytes(SALT_BYTES)
  const sealed = new Uint8Array(secret.length + GCM_TAG_BYTES)
  gcmKey(await scryptKey(normal(passphrase), salt, cost)).sealInto(NONCE, secret, sealed)
  const { n, r, p } = cost
  const content = { format: 1, kdf: { n, r, p, salt }, sealed }
  return written(shape.write({ ...content, check: checkOf(content) }))
}

/** @throws PASSPHRASE_WRONG, PASSPHRASE_EMPTY, LOCKED_DAMAGED, LOCKED_NEWER */
export async function unlockWithPassphrase(
  locked: Uint8Array,
  passphrase: string,
): Promise<Uint8Array> {
  const { kdf, sealed } = read(locked)
  const secret = gcmKey(await scryptKey(normal(passphrase), kdf.salt, kdf)).open(NONCE, sealed)
  if (secret === undefined) throw cipherError('PASSPHRASE_WRONG')
  return secret
}

function read(locked: Uint8Array): Shaped<typeof shape> {
  let content: Shaped<typeof shape>
  try {
    const value = decode(locked, MAX_SECRET_BYTES + KIB)
    const format = formatOf(value)
    if (format !== 1 && format !== undefined) throw cipherError('LOCKED_NEWER', { found: format })
    content = shape.read(value, 'file')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'LOCKED_NEWER') throw error
    throw cipherError('LOCKED_DAMAGED', { why: messageOf(error) }, error)
  }
  const { format, kdf, sealed, check } = content
  if (!same(check, checkOf({ format, kdf, sealed }))) {
    throw cipherError('LOCKED_DAMAGED', { why: 'its check digits do not match' })
  }
  const { n, r, p } = kdf
  const power = n >= 2 && 2 ** Math.round(Math.log2(n)) === n
  if (!power || r < 1 || p < 1 || 128 * n * r > MAX_MEMORY_BYTES || n * r * p > MAX_WORK) {
    throw cipherError('LOCKED_DAMAGED', { why: `it asks for the cost ${n}, ${r}, ${p}` })
  }
  return content
}

function formatOf(value: CborValue): number | undefined {
  if (value === null || typeof value !== 'object' || !('format' in value)) return undefined
  return typeof value.format === 'number' ? value.format : undefined
}

function checkOf(content: Shaped<typeof unchecked>): Uint8Array {
  return sha256(written(unchecked.write(content))).subarray(0, CHECK_BYTES)
}

function written(value: CborValue | undefined): Uint8Array {
  return encode(value ?? null)
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}

/** One form of what different keyboards make of the same letters. */
function normal(passphrase: string): Uint8Array {
  if (passphrase === '') throw cipherError('PASSPHRASE_EMPTY')
  return utf8(passphrase.slice(0, MAX_PASSPHRASE).normalize('NFKC'))
}
