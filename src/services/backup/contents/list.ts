/**
 * A list of contents: packs with the marks of their blocks and of the files that are whole in them, and files that need
 * several packs.
 * Canonical DAG-CBOR, readable without a key, signed by a device. What stands at a destination is the union of its
 * lists; each is written once, and put together with others later.
 */
import { deviceIdOf, type NetworkId, type UserId } from '../../../chain/ids.ts'
import { concatBytes, utf8 } from '../../../common/bytes.ts'
import {
  HASH_BYTES,
  KEY_BYTES,
  SIGNATURE_BYTES,
  sha256,
  verifyEd25519,
} from '../../../common/crypto.ts'
import { type CborValue, DAG_CBOR, decode, encode } from '../../../common/dag-cbor.ts'
import { messageOf } from '../../../common/errors.ts'
import { MIB } from '../../../common/limits.ts'
import { bytes, link, list, type Shaped, struct, text, uint } from '../../../common/schema.ts'
import { RECIPIENT_LENGTH } from '../keys.ts'
import { contentsError } from './errors.ts'
import { MARK_BYTES } from './marks.ts'
import { contentsFolder } from './names.ts'

const DOMAIN: Uint8Array = utf8('cairn/contents/1')
const VERSION = 1
/** Blocks of a pack: eight mebibytes of the smallest. */
export const MAX_PACK_BLOCKS = 262_144
/** Bytes of a list that is read: a full one, one pack of the smallest blocks and one file of a terabyte more. */
export const MAX_LIST_BYTES: number = 16 * MIB
/** Entries of each kind: the smallest fill the bytes. */
const MAX_ENTRIES = 524_288

const packShape = struct({
  /** SHA-256 of the object; its name follows from it. */
  sha256: bytes(HASH_BYTES),
  /** Bytes of the object. */
  size: uint(),
  /** 1: compressed. */
  zstd: uint(1),
  /** When it was written, milliseconds UTC. */
  time: uint(),
  /** The marks of its blocks, one after the other. */
  blocks: bytes(MARK_BYTES, MAX_PACK_BLOCKS * MARK_BYTES),
  /** The marks of the roots of files that have all their blocks in it. */
  files: bytes(0, MAX_PACK_BLOCKS * MARK_BYTES),
})
/** An object with blocks. */
export type PackEntry = Shaped<typeof packShape>

const fileShape = struct({
  /** The mark of the root's digest. */
  root: bytes(MARK_BYTES),
  /** SHA-256 of the packs that have all its blocks. */
  packs: list(bytes(HASH_BYTES), MAX_ENTRIES, 1),
})
/** A file that is complete, and not in one pack alone. */
export type FileEntry = Shaped<typeof fileShape>

const FIELDS = {
  version: uint(),
  network: link<NetworkId>(DAG_CBOR),
  user: link<UserId>(DAG_CBOR),
  device: bytes(KEY_BYTES),
  /** What the packs are encrypted for. */
  recipient: text(RECIPIENT_LENGTH, RECIPIENT_LENGTH),
  packs: list(packShape, MAX_ENTRIES),
  files: list(fileShape, MAX_ENTRIES),
}
const unsignedShape = struct(FIELDS)
const shape = struct({ ...FIELDS, signature: bytes(SIGNATURE_BYTES) })

export type UnsignedList = Omit<Shaped<typeof unsignedShape>, 'version'>

export interface ContentsList extends UnsignedList {
  /** The name of its object. */
  readonly object: string
  /** Bytes of the object. */
  readonly size: number
}

const messageTo = (unsigned: Shaped<typeof unsignedShape>): Uint8Array =>
  concatBytes([DOMAIN, sha256(encode(unsignedShape.write(unsigned) as CborValue))])

/** The encoded list with its object's name. */
export function signList(
  about: UnsignedList,
  sign: (message: Uint8Array) => Uint8Array,
): { readonly list: ContentsList; readonly bytes: Uint8Array } {
  const unsigned = { ...about, version: VERSION }
  const signature = sign(messageTo(unsigned))
  const encoded = encode(shape.write({ ...unsigned, signature }) as CborValue)
  return { list: placed(about, encoded), bytes: encoded }
}

/**
 * A list, checked as far as it can be alone: its form, that its object's name is its own, its device's signature.
 *
 * @throws CONTENTS_UNREADABLE
 */
export function readList(encoded: Uint8Array, object: string): ContentsList {
  const fail = (why: string, cause?: unknown): Error =>
    contentsError('CONTENTS_UNREADABLE', { name: object, why }, cause)
  let read: Shaped<typeof shape>
  try {
    read = shape.read(decode(encoded, MAX_LIST_BYTES), 'list')
  } catch (error) {
    throw fail(messageOf(error), error)
  }
  const { signature, ...unsigned } = read
  const { version, ...about } = unsigned
  if (version !== VERSION) throw fail('a newer version of this program wrote it')
  const placedList = placed(about, encoded)
  if (placedList.object !== object) throw fail('its name belongs to another one')
  if (!verifyEd25519(about.device, messageTo(unsigned), signature)) {
    throw fail('the device that it names did not sign it')
  }
  if (about.packs.some(({ blocks, files }) => (blocks.length | files.length) % MARK_BYTES !== 0)) {
    throw fail('half a mark stands in it')
  }
  return placedList
}

function placed(about: UnsignedList, encoded: Uint8Array): ContentsList {
  const name = `${Buffer.from(sha256(encoded)).toString('hex')}.contents`
  return { ...about, object: contentsFolder(about.user) + name, size: encoded.length }
}

/** Who wrote it. */
export function writerOf({ device }: Pick<ContentsList, 'device'>): ReturnType<typeof deviceIdOf> {
  return deviceIdOf(device)
}

/** The marks that stand one after the other. */
export function* marksIn(joined: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < joined.length; at += MARK_BYTES) yield joined.subarray(at, at + MARK_BYTES)
}
