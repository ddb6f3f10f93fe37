/**
 * Content-addressed archives, version 1 (https://ipld.io/specs/transport/car/carv1/): a header with the root, then
 * blocks, each with its CID. Written and read whole, since a segment is small.
 */
import { equalBytes } from '../../common/bytes.ts'
import { CID_BYTES, digestIn, isPlainCid, plainCidBytes } from '../../common/cid-text.ts'
import { sha256 } from '../../common/crypto.ts'
import { encode, linkTo } from '../../common/dag-cbor.ts'
import { assert } from '../../common/errors.ts'
import { backupError } from './errors.ts'

/** Bytes of a length that are read: 28 bits. */
const MAX_VARINT_BYTES = 4
/** Bytes of a header that are read over: ours has about sixty. */
const MAX_CAR_HEADER = 4096

export interface CarBlock {
  /** 36 bytes: CIDv1, SHA-256. */
  readonly cid: Uint8Array
  readonly bytes: Uint8Array
}

/** The archive. @param root - CID text of what it is about */
export function writeCar(root: string, blocks: readonly CarBlock[]): Uint8Array {
  const header = encode({ roots: [linkTo(root)], version: 1 })
  let size = varintLength(header.length) + header.length
  for (const { bytes } of blocks) {
    size += varintLength(CID_BYTES + bytes.length) + CID_BYTES + bytes.length
  }
  const car = new Uint8Array(size)
  let at = writeVarint(car, 0, header.length)
  car.set(header, at)
  at += header.length
  for (const { cid, bytes } of blocks) {
    at = writeVarint(car, at, CID_BYTES + bytes.length)
    car.set(cid, at)
    car.set(bytes, at + CID_BYTES)
    at += CID_BYTES + bytes.length
  }
  return car
}

/** The 36 bytes of a CID's text. */
export function cidBytes(cid: string): Uint8Array {
  const bytes = plainCidBytes(cid)
  assert(bytes !== undefined, 'ids of this project are plain CIDs')
  return bytes
}

/**
 * The blocks of an archive, each compared with its CID; views of `car`.
 *
 * @param name - of the object, for the error
 * @throws BACKUP_DAMAGED
 */
export function* readCar(car: Uint8Array, name: string): Generator<CarBlock> {
  const damaged = (why: string): Error => backupError('BACKUP_DAMAGED', { name, why })
  let at = 0
  const length = (): number => {
    let value = 0
    for (let n = 0; n < MAX_VARINT_BYTES; n++) {
      const byte = car[at++]
      if (byte === undefined) break
      value |= (byte & 0x7f) << (7 * n)
      if (byte < 0x80) return value
    }
    throw damaged('an archive with a broken length')
  }
  const header = length()
  if (header === 0 || header > MAX_CAR_HEADER || at + header > car.length) {
    throw damaged('an archive with a broken header')
  }
  at += header
  while (at < car.length) {
    const size = length()
    const end = at + size
    if (size < CID_BYTES || end > car.length) throw damaged('an archive that breaks off')
    if (!isPlainCid(car, at)) throw damaged('an archive with a CID of another kind')
    const cid = car.subarray(at, at + CID_BYTES)
    const bytes = car.subarray(at + CID_BYTES, end)
    if (!equalBytes(digestIn(cid), sha256(bytes))) {
      throw damaged('an archive with a block that is not what its CID says')
    }
    yield { cid, bytes }
    at = end
  }
}

function varintLength(value: number): number {
  let length = 1
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) length += 1
  return length
}

function writeVarint(into: Uint8Array, at: number, value: number): number {
  let next = at
  let rest = value
  for (; rest >= 0x80; rest >>>= 7) into[next++] = (rest & 0x7f) | 0x80
  into[next++] = rest
  return next
}
