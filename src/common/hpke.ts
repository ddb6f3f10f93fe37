/**
 * Sealing to a public key: HPKE (RFC 9180), mode base, DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.
 *
 * A sealed value is the encapsulated key (32 bytes), the ciphertext and its tag (16 bytes). Who sealed it is not
 * in it: the record that carries it is signed.
 */
import type { CipherSuite } from '@hpke/core'
import { concatBytes } from './bytes.ts'
import { cipherError } from './cipher-errors.ts'
import { GCM_TAG_BYTES, KEY_BYTES } from './crypto.ts'
import { assert } from './errors.ts'

/** What sealing adds to the plain bytes: 48 bytes. */
export const SEAL_OVERHEAD_BYTES: number = KEY_BYTES + GCM_TAG_BYTES

/** What a sealed value is bound to; has to be the same to open it. */
export interface SealContext {
  /** The purpose: a domain string and what the value belongs to (network, file, version). */
  readonly info: Uint8Array
  readonly aad?: Uint8Array
}

let suite: Promise<CipherSuite> | undefined
/** Loaded when it is first needed: a node that neither seals nor opens anything does without it. */
const theSuite = (): Promise<CipherSuite> => {
  suite ??= import('@hpke/core').then(
    (hpke) =>
      new hpke.CipherSuite({
        kem: new hpke.DhkemX25519HkdfSha256(),
        kdf: new hpke.HkdfSha256(),
        aead: new hpke.Aes256Gcm(),
      }),
  )
  return suite
}

/**
 * Seals `plain` (a few keys, not a file) to an X25519 public key of 32 bytes. Two calls never give the same bytes.
 *
 * @throws SEAL_KEY: no public key, or one of the few that would give everybody the same secret
 */
export async function sealTo(
  recipient: Uint8Array,
  plain: Uint8Array,
  { info, aad }: SealContext,
): Promise<Uint8Array> {
  if (recipient.length !== KEY_BYTES) {
    throw cipherError('SEAL_KEY', { why: `it has ${recipient.length} bytes, not ${KEY_BYTES}` })
  }
  const hpke = await theSuite()
  try {
    const recipientPublicKey = await hpke.kem.deserializePublicKey(bufferOf(recipient))
    const sealed = await hpke.seal(
      { recipientPublicKey, info: bufferOf(info) },
      bufferOf(plain),
      ...optional(aad),
    )
    return concatBytes([new Uint8Array(sealed.enc), new Uint8Array(sealed.ct)])
  } catch (error) {
    throw cipherError('SEAL_KEY', { why: 'nothing can be sealed to it' }, error)
  }
}

/**
 * The plain bytes of `sealed`.
 *
 * @param secret - the recipient's X25519 secret key: 32 bytes
 * @throws SEAL_BROKEN: for another key or another context, or changed
 */
export async function openSealed(
  secret: Uint8Array,
  sealed: Uint8Array,
  { info, aad }: SealContext,
): Promise<Uint8Array> {
  assert(secret.length === KEY_BYTES, 'a secret has 32 bytes')
  if (sealed.length < SEAL_OVERHEAD_BYTES) throw cipherError('SEAL_BROKEN')
  const hpke = await theSuite()
  const recipientKey = await hpke.kem.deserializePrivateKey(bufferOf(secret))
  try {
    const plain = await hpke.open(
      { recipientKey, enc: bufferOf(sealed.subarray(0, KEY_BYTES)), info: bufferOf(info) },
      bufferOf(sealed.subarray(KEY_BYTES)),
      ...optional(aad),
    )
    return new Uint8Array(plain)
  } catch (error) {
    throw cipherError('SEAL_BROKEN', {}, error)
  }
}

/** The library keeps no view apart from the memory behind it. */
function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer
}

function optional(aad: Uint8Array | undefined): [] | [ArrayBuffer] {
  return aad === undefined ? [] : [bufferOf(aad)]
}
