/**
 * The one import of node:crypto below storage: hash, signature, keys as raw bytes.
 *
 * Ed25519 (RFC 8032): secret keys are 32-byte seeds, public keys 32 bytes, signatures 64 bytes.
 * X25519 (RFC 7748): 32-byte secret and public keys. AES-GCM: keys of 16 or 32 bytes, nonces of 12, tags of 16.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  hash,
  hkdfSync,
  type KeyObject,
  scrypt,
  sign,
  verify,
} from 'node:crypto'

export const HASH_BYTES = 32
export const KEY_BYTES = 32
export const SIGNATURE_BYTES = 64
export const GCM_NONCE_BYTES = 12
export const GCM_TAG_BYTES = 16

/** SHA-256 of `bytes`: 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const digest: Buffer = hash('sha256', bytes, 'buffer')
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.byteLength)
}

/** SHA-256 of `bytes` as 64 hexadecimal digits: a third of the cost of `sha256`, which makes a buffer. */
export function sha256Hex(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex')
}

/** A running SHA-256; `digest()` ends it. */
export function sha256Stream(): { update(bytes: Uint8Array): void; digest(): Uint8Array } {
  const running = createHash('sha256')
  return {
    update: (bytes) => void running.update(bytes),
    digest: () => Uint8Array.from(running.digest()),
  }
}

// DER prefixes of RFC 8410, so that raw 32-byte keys can be handed to node:crypto.
const PRIVATE_PREFIX = {
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
} as const
const PUBLIC_PREFIX_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')
const SPKI_PREFIX_BYTES = 12

function privateKey(kind: keyof typeof PRIVATE_PREFIX, seed: Uint8Array): KeyObject {
  return createPrivateKey({
    key: Buffer.concat([PRIVATE_PREFIX[kind], seed]),
    format: 'der',
    type: 'pkcs8',
  })
}

/** The public key (32 bytes) of a secret key (32 bytes). */
export function publicKeyOf(kind: 'ed25519' | 'x25519', seed: Uint8Array): Uint8Array {
  const der = createPublicKey(privateKey(kind, seed)).export({ format: 'der', type: 'spki' })
  return Uint8Array.from(der.subarray(SPKI_PREFIX_BYTES))
}

// Parsing a key costs as much as using it, and a network has few of them.
const KEY_CACHE_ENTRIES = 1024
const publicKeys = new Map<string, KeyObject>()
const privateKeys = new Map<string, KeyObject>()

function cached(cache: Map<string, KeyObject>, raw: Uint8Array, make: () => KeyObject): KeyObject {
  const name = Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('latin1')
  let key = cache.get(name)
  if (key === undefined) {
    key = make()
    if (cache.size >= KEY_CACHE_ENTRIES) cache.clear()
    cache.set(name, key)
  }
  return key
}

/** Ed25519 signature (64 bytes) of `message` by the secret key `seed`. */
export function signEd25519(seed: Uint8Array, message: Uint8Array): Uint8Array {
  return Uint8Array.from(
    sign(
      null,
      message,
      cached(privateKeys, seed, () => privateKey('ed25519', seed)),
    ),
  )
}

/** Whether `signature` is `publicKey`'s over `message`. False, never an error, for bytes of a wrong length. */
export function verifyEd25519(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  try {
    return verify(null, message, publicKeyObject(publicKey), signature)
  } catch {
    return false
  }
}

/**
 * The same on a thread of the process's pool: the calling thread pays a twentieth of the cost. `done` is
 * called exactly once, never before this function returns; the bytes must not change until then.
 */
export function verifyEd25519Apart(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  done: (valid: boolean) => void,
): void {
  if (publicKey.length !== KEY_BYTES || signature.length !== SIGNATURE_BYTES) {
    setImmediate(done, false)
    return
  }
  try {
    const key = publicKeyObject(publicKey)
    verify(null, message, key, signature, (error, valid) => done(error === null && valid))
  } catch {
    setImmediate(done, false)
  }
}

function publicKeyObject(publicKey: Uint8Array): KeyObject {
  return cached(publicKeys, publicKey, () =>
    createPublicKey({
      key: Buffer.concat([PUBLIC_PREFIX_ED25519, publicKey]),
      format: 'der',
      type: 'spki',
    }),
  )
}

/** HKDF (RFC 5869): `length` bytes of `secret`, bound to `salt` and `info`. */
export function hkdf(
  secret: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
  digest: 'sha1' | 'sha256' | 'sha512' = 'sha256',
): Uint8Array {
  return new Uint8Array(hkdfSync(digest, secret, salt, info, length))
}

/** AES-GCM under one key. The caller never uses a nonce twice to seal. */
export interface GcmKey {
  /** Writes ciphertext and tag into `target`: 16 bytes more than `plain`, which may lie in the same memory. */
  sealInto(nonce: Uint8Array, plain: Uint8Array, target: Uint8Array, aad?: Uint8Array): void
  /** The plain bytes, in memory of their own; undefined: the key, nonce, `aad` or bytes are others. */
  open(nonce: Uint8Array, sealed: Uint8Array, aad?: Uint8Array): Uint8Array | undefined
}

/** @param key - 16 or 32 bytes */
export function gcmKey(key: Uint8Array): GcmKey {
  const object = createSecretKey(key)
  const algorithm = key.length === 16 ? 'aes-128-gcm' : 'aes-256-gcm'
  return {
    sealInto: (nonce, plain, target, aad) => {
      const cipher = createCipheriv(algorithm, object, nonce)
      if (aad !== undefined) cipher.setAAD(aad)
      target.set(cipher.update(plain))
      cipher.final()
      target.set(cipher.getAuthTag(), plain.length)
    },
    open: (nonce, sealed, aad) => {
      const length = sealed.length - GCM_TAG_BYTES
      if (length < 0) return undefined
      const decipher = createDecipheriv(algorithm, object, nonce, { authTagLength: GCM_TAG_BYTES })
      decipher.setAuthTag(sealed.subarray(length))
      if (aad !== undefined) decipher.setAAD(aad)
      const plain: Buffer = decipher.update(sealed.subarray(0, length))
      try {
        decipher.final()
      } catch {
        return undefined
      }
      return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength)
    },
  }
}

/** Cost of scrypt (RFC 7914): it takes 128 × n × r bytes of memory. `n` is a power of two. */
export interface ScryptCost {
  readonly n: number
  readonly r: number
  readonly p: number
}

/** 32 bytes of a passphrase, on a thread of the process's pool. */
export function scryptKey(
  passphrase: Uint8Array,
  salt: Uint8Array,
  { n, r, p }: ScryptCost,
): Promise<Uint8Array> {
  // The library's own small additions come on top of the formula.
  const maxmem = 128 * r * (n + p + 2) + 1_048_576
  return new Promise((resolve, reject) => {
    scrypt(passphrase, salt, KEY_BYTES, { N: n, r, p, maxmem }, (error, key) => {
      if (error === null) resolve(Uint8Array.from(key))
      else reject(error)
    })
  })
}
