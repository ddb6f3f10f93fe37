/**
 * Where a content block lies: the layout of blockstore-fs, so that other tools read the same directory.
 *
 * `<dir>/<last two characters of NAME>/<NAME>.data`, NAME: the multihash in upper-case base32 with its
 * multibase prefix. The codec is not part of the name: one file serves every CID of the same bytes.
 */
import { base32upper } from 'multiformats/bases/base32'
import type { CID } from 'multiformats/cid'
import { HASH_BYTES } from '../common/crypto.ts'
import { SHA2_256 } from '../common/dag-cbor.ts'
import { contentError } from './blockstore-errors.ts'

export const BLOCK_SUFFIX = '.data'
/** Blocks that are being written. */
export const TEMPORARY = 'tmp'
/** Damaged blocks, for a person to look at; never read by the program. */
export const QUARANTINE = 'quarantine'

const NAME_PREFIX = 'BCIQ'
const NAME_CHARACTERS = 56

/** NAME of a block. @throws CONTENT_HASH */
export function blockName(cid: CID): string {
  const { code, digest, bytes } = cid.multihash
  if (code !== SHA2_256 || digest.length !== HASH_BYTES) {
    throw contentError('CONTENT_HASH', { cid: cid.toString() })
  }
  return base32upper.encode(bytes)
}

/** Whether this store can hold the block: SHA-256 alone. */
export function isStorable(cid: CID): boolean {
  return cid.multihash.code === SHA2_256 && cid.multihash.digest.length === HASH_BYTES
}

/** Directory of a block, under the store's. */
export function shardOf(name: string): string {
  return name.slice(-2)
}

/** The SHA-256 digest in a file's name; undefined for files that are no blocks. */
export function digestOfFile(file: string): Uint8Array | undefined {
  const name = file.slice(0, -BLOCK_SUFFIX.length)
  if (!file.endsWith(BLOCK_SUFFIX) || !name.startsWith(NAME_PREFIX)) return undefined
  if (name.length !== NAME_CHARACTERS) return undefined
  try {
    return base32upper.decode(name).subarray(2)
  } catch {
    return undefined
  }
}
