/**
 * How a passphrase opens a file of age: the scrypt recipient of https://c2sp.org/age#scrypt-recipient-stanza. The
 * library has it too, but counts for seconds on the thread that everything else runs on.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { base64nopad } from '@scure/base'
import type { Identity, Recipient } from 'age-encryption'
import { concatBytes, utf8 } from '../../common/bytes.ts'
import { scryptKey } from '../../common/crypto.ts'

const LABEL = 'age-encryption.org/v1/scrypt'
const CIPHER = 'chacha20-poly1305'
const SALT_BYTES = 16
const TAG_BYTES = 16
/** Bytes of a file key with its tag. */
const BODY_BYTES = 32
/** A quarter of a gigabyte of memory, as slots are written: a hostile file may not ask for more than a small host has. */
const MAX_LOG_N = 18
const NONCE = new Uint8Array(12)

function keyOf(passphrase: string, salt: Uint8Array, logN: number): Promise<Uint8Array> {
  return scryptKey(utf8(passphrase), concatBytes([utf8(LABEL), salt]), { n: 2 ** logN, r: 8, p: 1 })
}

/** @param salt - 16 random bytes. @param logN - of the cost */
export function passphraseRecipient(
  passphrase: string,
  { salt, logN }: { readonly salt: Uint8Array; readonly logN: number },
): Recipient {
  return {
    wrapFileKey: async (fileKey) => {
      const key = await keyOf(passphrase, salt, logN)
      const cipher = createCipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES })
      const body = concatBytes([cipher.update(fileKey), cipher.final(), cipher.getAuthTag()])
      return [{ args: ['scrypt', base64nopad.encode(salt), String(logN)], body }]
    },
  }
}

export function passphraseIdentity(passphrase: string): Identity {
  return {
    unwrapFileKey: async (stanzas) => {
      const [stanza, ...more] = stanzas
      const [type, salt = '', cost = ''] = stanza?.args ?? []
      if (stanza === undefined || more.length > 0 || type !== 'scrypt') return null
      if (stanza.body.length !== BODY_BYTES || !/^[1-9]\d?$/.test(cost)) return null
      const logN = Number(cost)
      const bytes = base64nopad.decode(salt)
      if (logN > MAX_LOG_N || bytes.length !== SALT_BYTES) return null
      const key = await keyOf(passphrase, bytes, logN)
      const decipher = createDecipheriv(CIPHER, key, NONCE, { authTagLength: TAG_BYTES })
      decipher.setAuthTag(stanza.body.subarray(-TAG_BYTES))
      try {
        return concatBytes([decipher.update(stanza.body.subarray(0, -TAG_BYTES)), decipher.final()])
      } catch {
        return null
      }
    },
  }
}
