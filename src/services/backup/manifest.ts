/**
 * The manifest of a backup: which objects make it up, what it leads to, and who wrote it. Canonical DAG-CBOR,
 * readable without a key and signed by a device; names of objects follow from it, so that nothing is overwritten.
 */
import { decodeRecord, isAdmission, verifyRecord } from '../../chain/codec.ts'
import {
  type BlockId,
  type DeviceId,
  deviceIdOf,
  type NetworkId,
  type UserId,
} from '../../chain/ids.ts'
import { chainworkFromBytes, chainworkToBytes } from '../../chain/pow.ts'
import { concatBytes, utf8 } from '../../common/bytes.ts'
import {
  HASH_BYTES,
  KEY_BYTES,
  SIGNATURE_BYTES,
  sha256Hex,
  verifyEd25519,
} from '../../common/crypto.ts'
import { type CborValue, DAG_CBOR, decode, encode } from '../../common/dag-cbor.ts'
import { messageOf } from '../../common/errors.ts'
import { KIB, MAX_RECORD_BYTES, MIB } from '../../common/limits.ts'
import {
  bytes,
  link,
  list,
  nullable,
  optional,
  type Shaped,
  struct,
  text,
  uint,
} from '../../common/schema.ts'
import { backupError } from './errors.ts'
import { MAX_PLACE } from './ipfs-place.ts'
import { RECIPIENT_LENGTH } from './keys.ts'

export const BACKUP_DOMAIN = 'cairn/backup/1'
export const MANIFEST_VERSION = 1
/** Segments that a manifest itself names: see lineage.ts. */
export const MAX_OPEN_SEGMENTS = 256
/** Full segments: 2 MiB each, so 128 GiB of chain. */
const MAX_SEALED_SEGMENTS = 65_536
export const MAX_MANIFEST_BYTES: number = MAX_RECORD_BYTES + 80 * KIB
const MAX_INDEX_BYTES: number = 16 * MIB
const MAX_OBJECT_NAME = 200
/** Bytes of the name that a person gives a backup. */
export const MAX_BACKUP_NAME = 200

const segmentShape = struct({
  /** SHA-256 of the object; its name follows from it. */
  sha256: bytes(HASH_BYTES),
  /** Bytes of the object, and of the archive in it. */
  size: uint(),
  plain: uint(),
  /** How often it was put together of smaller ones. */
  tier: uint(64),
  /** Heights of its first and last block; without blocks `to` is that of the tip, and `from` one more. */
  from: uint(),
  to: uint(),
  /** The block at `to`. */
  tip: link<BlockId>(DAG_CBOR),
  /** Pending records. */
  records: uint(),
  /** Where IPFS has it, when its SHA-256 does not say so. */
  cid: optional(text(MAX_PLACE, 1)),
})
export type SegmentEntry = Shaped<typeof segmentShape>

const refShape = struct({
  name: text(MAX_OBJECT_NAME, 1),
  sha256: bytes(HASH_BYTES),
  size: uint(),
  /** Where IPFS has it, when its SHA-256 does not say so. */
  cid: optional(text(MAX_PLACE, 1)),
})
/** An object and what is in it. */
export type ObjectRef = Shaped<typeof refShape>

const FIELDS = {
  version: uint(),
  network: link<NetworkId>(DAG_CBOR),
  user: link<UserId>(DAG_CBOR),
  /** Who wrote it, and its record 0. */
  device: bytes(KEY_BYTES),
  admission: bytes(1, MAX_RECORD_BYTES),
  /** Counts this device's backups at this destination. */
  number: uint(),
  previous: nullable(refShape),
  /** Milliseconds UTC. */
  time: uint(),
  /** For people: `Auto-backup …`, or what somebody called it. */
  name: text(MAX_BACKUP_NAME),
  /** Whether somebody asked for it. */
  manual: uint(1),
  tip: link<BlockId>(DAG_CBOR),
  height: uint(),
  chainwork: bytes(HASH_BYTES),
  /** What it is encrypted for. */
  recipient: text(RECIPIENT_LENGTH, RECIPIENT_LENGTH),
  /** What brings the user back: person.ts. */
  person: nullable(refShape),
  /** The list of full segments, which come before the others. */
  sealed: nullable(refShape),
  /** On IPFS: the key under a passphrase, as it stood there. */
  slot: optional(refShape),
  segments: list(segmentShape, MAX_OPEN_SEGMENTS),
}
const unsignedShape = struct(FIELDS)
const shape = struct({ ...FIELDS, signature: bytes(SIGNATURE_BYTES) })
const indexShape = list(segmentShape, MAX_SEALED_SEGMENTS)

export type UnsignedManifest = Shaped<typeof unsignedShape>

export interface Manifest extends UnsignedManifest {
  readonly signature: Uint8Array
  /** The name of its object. */
  readonly object: string
  readonly bytes: Uint8Array
  readonly work: bigint
}

/** The encoded manifest with its object's name. */
export function signManifest(
  unsigned: UnsignedManifest,
  sign: (message: Uint8Array) => Uint8Array,
): Manifest {
  const signature = sign(messageTo(unsigned))
  const encoded = encode(shape.write({ ...unsigned, signature }) as CborValue)
  return { ...withPlace(unsigned, encoded), signature }
}

/**
 * A manifest, checked as far as it can be alone: its form, that its object's name is its own, the signature of
 * its device, and that the device's record 0 says that it is the user's.
 *
 * @throws BACKUP_MANIFEST, BACKUP_NEWER, BACKUP_FORGED
 */
export function readManifest(encoded: Uint8Array, object: string): Manifest {
  const manifest = openManifest(encoded, object)
  if (manifest.object === object) return manifest
  throw backupError('BACKUP_MANIFEST', { name: object, why: 'its name belongs to another one' })
}

/** As `readManifest`, where the object's name is not known. @param object - what it is called in errors */
export function openManifest(encoded: Uint8Array, object: string): Manifest {
  let manifest: Manifest
  let proven: boolean
  try {
    const value = decode(encoded, MAX_MANIFEST_BYTES)
    if (versionOf(value) > MANIFEST_VERSION) throw backupError('BACKUP_NEWER', { name: object })
    const { signature, ...unsigned } = shape.read(value, 'manifest')
    manifest = { ...withPlace(unsigned, encoded), signature }
    proven = isBy(manifest)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'BACKUP_NEWER') throw error
    throw backupError('BACKUP_MANIFEST', { name: object, why: messageOf(error) }, error)
  }
  if (!proven) throw backupError('BACKUP_FORGED', { name: object })
  return manifest
}

function isBy(manifest: Manifest): boolean {
  const record = decodeRecord(manifest.admission)
  const { signature, object: _, bytes: __, work: ___, ...unsigned } = manifest
  return (
    isAdmission(record.type) &&
    record.network === manifest.network &&
    record.device === deviceIdOf(manifest.device) &&
    (record.user ?? record.id) === manifest.user &&
    verifyRecord(record) &&
    verifyEd25519(manifest.device, messageTo(unsigned), signature)
  )
}

const messageTo = (unsigned: UnsignedManifest): Uint8Array =>
  concatBytes([utf8(BACKUP_DOMAIN), encode(unsignedShape.write(unsigned) as CborValue)])

function versionOf(value: CborValue): number {
  const found =
    value !== null && typeof value === 'object' && 'version' in value ? value.version : undefined
  return typeof found === 'number' ? found : 0
}

function withPlace(unsigned: UnsignedManifest, encoded: Uint8Array): Omit<Manifest, 'signature'> {
  return {
    ...unsigned,
    bytes: encoded,
    work: chainworkFromBytes(unsigned.chainwork),
    object: manifestName(unsigned, encoded),
  }
}

export const workBytes = (work: bigint): Uint8Array => chainworkToBytes(work)

const MANIFEST_NAME =
  /^b[a-z2-7]{58}\/[1-9A-Za-z]{40,60}\/(\d{10})-\d{8}T\d{6}Z-[0-9a-f]{16}\.manifest$/

/** Whether an object is a manifest, by its name; its number. */
export function manifestNumber(object: string): number | undefined {
  const digits = MANIFEST_NAME.exec(object)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** The time (milliseconds UTC, whole seconds) in the name of a manifest. */
export function manifestTime(object: string): number {
  const [, y, mo, d, h, mi, s] =
    /-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-/.exec(object)?.map(Number) ?? []
  return Date.UTC(y ?? 0, (mo ?? 1) - 1, d, h, mi, s)
}

/** Where a device keeps its objects of a network. */
export function folderOf(about: Pick<UnsignedManifest, 'network' | 'device'>): string {
  return `${about.network}/${deviceIdOf(about.device)}/`
}

/** Whose folder it is. */
export function deviceOf(folder: string): DeviceId {
  return (folder.split('/')[1] ?? '') as DeviceId
}

function manifestName(unsigned: UnsignedManifest, encoded: Uint8Array): string {
  const number = String(unsigned.number).padStart(10, '0')
  const time = compactTime(unsigned.time)
  return `${folderOf(unsigned)}${number}-${time}-${sha256Hex(encoded).slice(0, 16)}.manifest`
}

/** `20260114T153045Z` */
export function compactTime(time: number): string {
  return `${new Date(time).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`
}

export function segmentName(
  about: Pick<UnsignedManifest, 'network' | 'device'>,
  entry: Pick<SegmentEntry, 'sha256'>,
): string {
  return `${folderOf(about)}${Buffer.from(entry.sha256).toString('hex')}.car.zst.age`
}

/** The list of full segments. */
export function encodeIndex(entries: readonly SegmentEntry[]): Uint8Array {
  return encode(indexShape.write(entries) as CborValue)
}

/** @throws BACKUP_DAMAGED */
export function readIndex(encoded: Uint8Array, name: string): readonly SegmentEntry[] {
  try {
    return indexShape.read(decode(encoded, MAX_INDEX_BYTES), 'index')
  } catch (error) {
    throw backupError('BACKUP_DAMAGED', { name, why: messageOf(error) }, error)
  }
}
