/**
 * Records, headers and bodies as bytes and back. What was decoded here has the right shape, size and canonical
 * form; signatures and rules are somebody else's (verifyRecord, validate.ts, outcome.ts).
 */
import { concatBytes, utf8 } from '../common/bytes.ts'
import { CborReader } from '../common/cbor-reader.ts'
import { HASH_BYTES, KEY_BYTES, SIGNATURE_BYTES, verifyEd25519 } from '../common/crypto.ts'
import { type CborValue, cidOf, decode, encode } from '../common/dag-cbor.ts'
import { assert, encodingError } from '../common/errors.ts'
import { MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_RECORD_BYTES } from '../common/limits.ts'
import { bytes, oneOf, type Shape, struct } from '../common/schema.ts'
import {
  BLOCK_DOMAIN,
  type Block,
  type BlockBody,
  type BlockHeader,
  headerShape,
  NONCE_BYTES,
  type SealedHeader,
} from './block.ts'
import { chainError } from './errors.ts'
import {
  type BlockId,
  type BodyId,
  deviceIdOf,
  deviceKeyOf,
  type RecordId,
  type UserId,
} from './ids.ts'
import { type NetworkParams, networkIdOf } from './params.ts'
import {
  envelopeShape,
  RECORD_DOMAIN,
  type RecordType,
  type SignedRecord,
  type UnsignedRecord,
} from './record.ts'
import { recordBodies } from './record-bodies.ts'

/** Version of the header's structure. */
export const BLOCK_VERSION = 1

const recordDomain = utf8(RECORD_DOMAIN)
const blockDomain = utf8(BLOCK_DOMAIN)

const anything: Shape<CborValue> = {
  read: (value) => value ?? null,
  write: (value) => value,
}
const recordShape = struct({
  ...envelopeShape,
  type: oneOf(...(Object.keys(recordBodies) as RecordType[])),
  body: anything,
  signature: bytes(SIGNATURE_BYTES),
})

// ---------------------------------------------------------------- records

/** Bytes of the last entry of an encoded record: the key `signature`, the head and the bytes of its value. */
const SIGNATURE_ENTRY_BYTES: number = 1 + 'signature'.length + 2 + SIGNATURE_BYTES

/**
 * The record in `encoded`, which is kept, not copied. Its signature is not looked at.
 *
 * @throws `RECORD_SIZE`, `ENCODING`
 */
export function decodeRecord(encoded: Uint8Array): SignedRecord {
  if (encoded.length > MAX_RECORD_BYTES) {
    throw chainError('RECORD_SIZE', { bytes: encoded.length, limit: MAX_RECORD_BYTES })
  }
  return recordOf(decode(encoded, MAX_RECORD_BYTES), encoded)
}

function recordOf(value: CborValue, encoded: Uint8Array): SignedRecord {
  const fields = recordShape.read(value, 'record')
  const body = recordBodies[fields.type].read(fields.body, 'record.body')
  checkPlace(fields)
  const id = cidOf(encoded) as RecordId
  const record = {
    ...fields,
    device: deviceIdOf(fields.device),
    body,
    id,
    identity: id,
    bytes: encoded,
  } as SignedRecord
  return fields.replaces === undefined ? record : { ...record, identity: originOf(record) }
}

/** Whether a record of this type is its device's first. */
export function isAdmission(type: RecordType): type is 'user.create' | 'device.add' {
  return type === 'user.create' || type === 'device.add'
}

function checkPlace(fields: {
  type: RecordType
  user: UserId | null
  sequence: number
  previous: RecordId | null
  replaces?: { sequence: number; previous: RecordId | null }
}): void {
  const { type, user, sequence, previous, replaces } = fields
  const first = isAdmission(type)
  // [REJECT] a device's record 0 is its admission, and nothing else is
  if (first !== (sequence === 0)) throw encodingError('only an admission has sequence 0')
  if ((previous === null) !== first)
    throw encodingError('record.previous does not fit its sequence')
  // [REJECT] only user.create has no user: it is the user
  if ((user === null) !== (type === 'user.create')) throw encodingError('record.user does not fit')
  if (replaces === undefined) return
  // [REJECT] an admission is not signed again
  if (first || replaces.sequence === 0 || replaces.previous === null) {
    throw encodingError('an admission cannot be replaced')
  }
}

/**
 * The id of the stranded record that `record` replaces: with its envelope, and the type, user and body of the
 * new one, come its bytes. A made-up envelope gives an id that is nobody's.
 */
function originOf(record: SignedRecord): RecordId {
  const { replaces } = record
  assert(replaces !== undefined, 'a replacement has an origin')
  const { signature, device, ...place } = replaces
  const { network, type, user, body } = record
  const origin = { network, type, user, body, ...place, device: deviceIdOf(device) }
  return cidOf(encodeRecord(origin as UnsignedRecord, signature)) as RecordId
}

function encodeRecord(record: UnsignedRecord, signature?: Uint8Array): Uint8Array {
  const device = deviceKeyOf(record.device)
  assert(device !== undefined, 'a record names a device')
  const shape = recordBodies[record.type] as Shape<unknown>
  const body = shape.write(record.body) ?? null
  const envelope = recordShape.write({
    ...record,
    device,
    body,
    signature: signature ?? new Uint8Array(SIGNATURE_BYTES),
  }) as { [key: string]: CborValue | undefined }
  if (signature === undefined) envelope.signature = undefined
  return encode(envelope)
}

/**
 * Signs a record.
 *
 * @param sign - Ed25519 signature (64 bytes) by the device's key
 * @throws `RECORD_SIZE`, `ENCODING` for a value that no node would take
 */
export function signRecord(
  unsigned: UnsignedRecord,
  sign: (message: Uint8Array) => Uint8Array,
): SignedRecord {
  const signature = sign(concatBytes([recordDomain, encodeRecord(unsigned)]))
  return decodeRecord(encodeRecord(unsigned, signature))
}

/** What the signature of a record covers: the domain and the map without `signature`, its last entry. */
export function recordMessage(record: SignedRecord): Uint8Array {
  const { bytes: encoded } = record
  const message = new Uint8Array(recordDomain.length + encoded.length - SIGNATURE_ENTRY_BYTES)
  message.set(recordDomain)
  message.set(encoded.subarray(0, encoded.length - SIGNATURE_ENTRY_BYTES), recordDomain.length)
  // The head of a map with fewer than 24 entries is one byte, which counts them.
  message[recordDomain.length] = (encoded[0] ?? 0) - 1
  return message
}

/** Whether the signature of `record` is its device's. */
export function verifyRecord(record: SignedRecord): boolean {
  const key = deviceKeyOf(record.device)
  return key !== undefined && verifyEd25519(key, recordMessage(record), record.signature)
}

// ---------------------------------------------------------------- headers

export function encodeHeader(header: BlockHeader): SealedHeader {
  const encoded = encode(headerShape.write(header) ?? null)
  return { id: cidOf(encoded) as BlockId, header, bytes: encoded }
}

/** @throws `ENCODING` */
export function decodeHeader(encoded: Uint8Array): SealedHeader {
  const header = headerShape.read(decode(encoded, MAX_HEADER_BYTES), 'header')
  return { id: cidOf(encoded) as BlockId, header, bytes: encoded }
}

/** What a block's seal covers: the domain and the list without its last two fields, seal and nonce. */
export function sealMessage(header: BlockHeader): Uint8Array {
  const fields = headerShape.write(header) as readonly CborValue[]
  return concatBytes([blockDomain, encode(fields.slice(0, -2))])
}

/** Whether the seal of a block is its miner's. */
export function verifySeal(header: BlockHeader): boolean {
  return verifyEd25519(header.miner, sealMessage(header), header.seal)
}

// ---------------------------------------------------------------- bodies

const BODY_KEY = 'records'
const bodyStart: Uint8Array = encode({ [BODY_KEY]: null }).slice(0, -1)
/** Bytes of a body around its records, at most. */
export const BODY_OVERHEAD_BYTES: number = bodyStart.length + 5

/** A body of these records, in this order. @throws `BODY_SIZE` */
export function encodeBody(records: readonly SignedRecord[]): BlockBody {
  const encoded = concatBytes([
    bodyStart,
    listHead(records.length),
    ...records.map((record) => record.bytes),
  ])
  checkBodySize(encoded.length)
  return { id: cidOf(encoded) as BodyId, bytes: encoded, records }
}

/**
 * The body in `encoded`; the bytes of its records are views of it.
 *
 * @throws `BODY_SIZE`, `RECORD_SIZE`, `ENCODING`
 */
export function decodeBody(encoded: Uint8Array): BlockBody {
  checkBodySize(encoded.length)
  const reader = new CborReader(encoded)
  if (reader.mapHead() !== 1 || reader.value() !== BODY_KEY) throw encodingError('it is no body')
  const count = reader.listHead()
  const records: SignedRecord[] = []
  for (let index = 0; index < count; index++) {
    const start = reader.offset
    const value = reader.value()
    const size = reader.offset - start
    if (size > MAX_RECORD_BYTES) {
      throw chainError('RECORD_SIZE', { bytes: size, limit: MAX_RECORD_BYTES })
    }
    records.push(recordOf(value, encoded.subarray(start, reader.offset)))
  }
  if (reader.offset !== encoded.length) throw encodingError('bytes follow its end')
  return { id: cidOf(encoded) as BodyId, bytes: encoded, records }
}

function checkBodySize(length: number): void {
  if (length > MAX_BODY_BYTES)
    throw chainError('BODY_SIZE', { bytes: length, limit: MAX_BODY_BYTES })
}

/** Head of a list of `length` items. A body has fewer than 2^16: a record takes some hundred bytes. */
function listHead(length: number): Uint8Array {
  if (length < 24) return Uint8Array.of(0x80 | length)
  if (length < 0x100) return Uint8Array.of(0x98, length)
  assert(length < 0x10000, 'a body has fewer than 65,536 records')
  return Uint8Array.of(0x99, length >> 8, length & 0xff)
}

// ---------------------------------------------------------------- genesis

/** The genesis block of a network: computed from its parameters alone; no records, no seal, no work. */
export function genesisOf(params: NetworkParams): Block {
  const body = encodeBody([])
  const sealed = encodeHeader({
    version: BLOCK_VERSION,
    network: networkIdOf(params),
    parent: null,
    height: 0,
    time: params.time,
    difficulty: Math.max(1, params.difficultyFloor),
    records: body.id,
    outcome: new Uint8Array(HASH_BYTES),
    miner: new Uint8Array(KEY_BYTES),
    seal: new Uint8Array(SIGNATURE_BYTES),
    nonce: new Uint8Array(NONCE_BYTES),
  })
  return { ...sealed, body }
}
