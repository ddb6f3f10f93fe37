/**
 * age files (https://c2sp.org/age) of some megabytes. The library makes and checks the header; the payload is
 * encrypted by OpenSSL, ten times as fast, and others have their turn in between.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { concatBytes, utf8 } from '../../../common/bytes.ts'
import { hkdf, KEY_BYTES } from '../../../common/crypto.ts'
import { messageOf } from '../../../common/errors.ts'
import { KIB } from '../../../common/limits.ts'
import { backupError } from '../errors.ts'
import type { BackupKey } from '../keys.ts'

const CIPHER = 'chacha20-poly1305'
const CHUNK_BYTES: number = 64 * KIB
const TAG_BYTES = 16
const NONCE_BYTES = 16
/** Chunks between two turns of others: a megabyte, about a millisecond. */
const CHUNKS_AT_ONCE = 16
/** Bytes of a header that are looked at: ours has two hundred. */
const MAX_HEADER_BYTES: number = 4 * KIB
/** The last line of a header begins so. */
const END = utf8('\n--- ')
const NEWLINE = 10

const age = () => import('age-encryption')
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** An age file that only the identity of `recipient` opens. */
export async function sealLarge(recipient: string, plain: Uint8Array): Promise<Uint8Array> {
  const { Encrypter } = await age()
  const encrypter = new Encrypter()
  encrypter.addRecipient(recipient)
  let fileKey = new Uint8Array()
  encrypter.addRecipient({
    // Hears the file's key; adds nobody.
    wrapFileKey: (key) => {
      fileKey = Uint8Array.from(key)
      return []
    },
  })
  const empty = await encrypter.encrypt(new Uint8Array())
  const head = empty.subarray(0, empty.length - TAG_BYTES)
  const nonce = head.subarray(head.length - NONCE_BYTES)
  const key = payloadKey(fileKey, nonce)
  const chunks = Math.max(1, Math.ceil(plain.length / CHUNK_BYTES))
  const sealed = new Uint8Array(head.length + plain.length + chunks * TAG_BYTES)
  sealed.set(head)
  let at = head.length
  for (let index = 0; index < chunks; index++) {
    if (index > 0 && index % CHUNKS_AT_ONCE === 0) await turn()
    const chunk = plain.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES)
    const options = { authTagLength: TAG_BYTES }
    const cipher = createCipheriv(CIPHER, key, chunkNonce(index, index === chunks - 1), options)
    sealed.set(cipher.update(chunk), at)
    cipher.final()
    sealed.set(cipher.getAuthTag(), at + chunk.length)
    at += chunk.length + TAG_BYTES
  }
  return sealed
}

/** What `sealLarge`, or `age` itself, has encrypted. @param name - of the object, for the error. @throws BACKUP_DAMAGED */
export async function openLarge(
  { identity }: Pick<BackupKey, 'identity'>,
  sealed: Uint8Array,
  name: string,
): Promise<Uint8Array> {
  const { Decrypter } = await age()
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  try {
    const header = headerOf(sealed)
    const fileKey = await decrypter.decryptHeader(header)
    const nonce = sealed.subarray(header.length, header.length + NONCE_BYTES)
    return await openPayload(
      payloadKey(fileKey, nonce),
      sealed.subarray(header.length + NONCE_BYTES),
    )
  } catch (error) {
    throw backupError('BACKUP_DAMAGED', { name, why: messageOf(error) }, error)
  }
}

async function openPayload(key: Uint8Array, payload: Uint8Array): Promise<Uint8Array> {
  const size = CHUNK_BYTES + TAG_BYTES
  const chunks = Math.ceil(payload.length / size)
  const plain = new Uint8Array(Math.max(0, payload.length - chunks * TAG_BYTES))
  if (chunks === 0 || payload.length - (chunks - 1) * size < TAG_BYTES) throw new Error('too short')
  for (let index = 0; index < chunks; index++) {
    if (index > 0 && index % CHUNKS_AT_ONCE === 0) await turn()
    const chunk = payload.subarray(index * size, (index + 1) * size)
    const nonce = chunkNonce(index, index === chunks - 1)
    const decipher = createDecipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(chunk.subarray(chunk.length - TAG_BYTES))
    plain.set(decipher.update(chunk.subarray(0, chunk.length - TAG_BYTES)), index * CHUNK_BYTES)
    decipher.final()
  }
  return plain
}

function headerOf(sealed: Uint8Array): Uint8Array {
  const head = Buffer.from(
    sealed.buffer,
    sealed.byteOffset,
    Math.min(sealed.length, MAX_HEADER_BYTES),
  )
  const last = head.indexOf(END)
  const end = last < 0 ? -1 : head.indexOf(NEWLINE, last + END.length)
  if (end < 0) throw new Error('no header of age')
  return sealed.subarray(0, end + 1)
}

function payloadKey(fileKey: Uint8Array, nonce: Uint8Array): Uint8Array {
  return hkdf(fileKey, nonce, utf8('payload'), KEY_BYTES)
}

/** Eleven bytes that count, and one that says whether it is the last. */
function chunkNonce(index: number, isLast: boolean): Uint8Array {
  const counter = new Uint8Array(4)
  new DataView(counter.buffer).setUint32(0, index)
  return concatBytes([new Uint8Array(7), counter, Uint8Array.of(isLast ? 1 : 0)])
}
