/**
 * A segment: some blocks of the chain, in order, and some pending records. An archive (car.ts), compressed with zstd,
 * padded, then encrypted in the age format; `age -d | zstd -d` gives the archive again.
 *
 * The padding is a skippable frame of zstd (RFC 8878, 3.1.2), to one of few sizes (Padmé,
 * https://arxiv.org/abs/1806.03160): the size of an object says less of what was done.
 */
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import { concatBytes } from '../../common/bytes.ts'
import { cidOf } from '../../common/dag-cbor.ts'
import { messageOf } from '../../common/errors.ts'
import { MAX_BODY_BYTES, MIB } from '../../common/limits.ts'
import { cidBytes, readCar, writeCar } from './car.ts'
import { backupError } from './errors.ts'
import { type BackupKey, decryptWith, encryptFor } from './keys.ts'

/** Bytes before compression at which a segment is full: encrypting it holds the event loop for some 20 ms. */
export const SEGMENT_BYTES: number = 2 * MIB
/** The largest that is read: a full segment and one block more, or a record. */
export const MAX_SEGMENT_BYTES: number = 2 * SEGMENT_BYTES + 2 * MAX_BODY_BYTES
/** Bytes of the smallest segment: an added file, a vote and a block without records look alike. */
const LEAST_BYTES = 1024
const SKIPPABLE_FRAME = 0x184d2a50
const FRAME_HEAD_BYTES = 8

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

export interface SegmentBlock {
  readonly header: Uint8Array
  readonly body: Uint8Array
}

export interface SegmentContent {
  /** Of the best chain, parents first. */
  readonly blocks: readonly SegmentBlock[]
  /** Encoded records that are in no block. */
  readonly records: readonly Uint8Array[]
}

/** Bytes of the archive that the content makes, about. */
export function sizeOf(content: SegmentContent): number {
  const one = (sum: number, { length }: Uint8Array): number => sum + length + 40
  const blocks = content.blocks.reduce((sum, { header, body }) => one(one(sum, header), body), 0)
  return content.records.reduce(one, blocks)
}

/**
 * The encrypted segment.
 *
 * @param root - CID of the block up to which the chain is known with it
 */
export async function packSegment(
  content: SegmentContent,
  { root, recipient }: { readonly root: string; readonly recipient: string },
): Promise<Uint8Array> {
  const parts = [
    ...content.blocks.flatMap(({ header, body }) => [header, body]),
    ...content.records,
  ]
  const car = writeCar(
    root,
    parts.map((bytes) => ({ cid: cidBytes(cidOf(bytes)), bytes })),
  )
  return encryptFor(recipient, padded(new Uint8Array(await compress(car))))
}

/** @param name - of the object, for the error. @throws BACKUP_DAMAGED */
export async function openSegment(
  bytes: Uint8Array,
  key: BackupKey,
  name: string,
): Promise<SegmentContent> {
  const compressed = await decryptWith(key, bytes, name)
  let car: Uint8Array
  try {
    const { buffer, byteOffset, length } = await decompress(compressed, {
      maxOutputLength: MAX_SEGMENT_BYTES,
    })
    car = new Uint8Array(buffer, byteOffset, length)
  } catch (error) {
    throw backupError('BACKUP_DAMAGED', { name, why: messageOf(error) }, error)
  }
  const blocks: SegmentBlock[] = []
  const records: Uint8Array[] = []
  let header: Uint8Array | undefined
  for (const { bytes: part } of readCar(car, name)) {
    // A header is a list, a body a map of one entry; what they say is checked where they are taken in.
    const first = part[0] ?? 0
    if (header !== undefined) {
      blocks.push({ header, body: part })
      header = undefined
    } else if (first >> 5 === LIST) header = part
    else records.push(part)
  }
  if (header !== undefined) {
    throw backupError('BACKUP_DAMAGED', { name, why: 'a block without its body' })
  }
  return { blocks, records }
}

/** Major type of a list in CBOR. */
const LIST = 4

function padded(compressed: Uint8Array): Uint8Array {
  const target = paddedSize(compressed.length + FRAME_HEAD_BYTES)
  const frame = new Uint8Array(target - compressed.length)
  const view = new DataView(frame.buffer)
  view.setUint32(0, SKIPPABLE_FRAME, true)
  view.setUint32(4, frame.length - FRAME_HEAD_BYTES, true)
  return concatBytes([compressed, frame])
}

/** The next size that has few set bits: at most 12 % more. */
export function paddedSize(size: number): number {
  if (size <= LEAST_BYTES) return LEAST_BYTES
  const exponent = Math.floor(Math.log2(size))
  const kept = Math.floor(Math.log2(exponent)) + 1
  const step = 2 ** (exponent - kept)
  return Math.ceil(size / step) * step
}
