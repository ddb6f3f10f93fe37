/**
 * A pack: content blocks as they are stored here, some megabytes of them, as an archive (car.ts) in an age file. It is
 * compressed only where a sample says that it helps: encrypted files and media do not get smaller.
 */
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib'
import { concatBytes, equalBytes } from '../../../common/bytes.ts'
import { messageOf } from '../../../common/errors.ts'
import { KIB, MAX_CONTENT_BLOCK_BYTES, MIB } from '../../../common/limits.ts'
import { hashOf } from '../../../storage/blockstore.ts'
import { type CarBlock, readCar, writeCar } from '../car.ts'
import type { Destination } from '../destination.ts'
import { backupError } from '../errors.ts'
import type { BackupKey } from '../keys.ts'
import { openLarge, sealLarge } from './age-file.ts'

/** Bytes of blocks at which a pack is full: four times as many are held while one is made and sent. */
export const PACK_BYTES: number = 8 * MIB
/** The largest archive that is read: a full pack, one block more, and as many tiny blocks as fit, with their ids. */
const MAX_PACK_BYTES: number = 2 * PACK_BYTES + MAX_CONTENT_BLOCK_BYTES
/** And the largest object: padding and encryption add less than a megabyte. */
const MAX_OBJECT_BYTES: number = MAX_PACK_BYTES + MIB
/** Pieces of the sample, and bytes of each. */
const SAMPLES = 16
const SAMPLE_BYTES: number = 4 * KIB
/** Compression is worth its time, here and at every restore, from this part saved on. */
const WORTH = 0.1

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export interface Packed {
  readonly bytes: Uint8Array
  /** Whether `zstd -d` has to follow `age -d`. */
  readonly squeezed: boolean
}

/** @param root - CID text of a file that has blocks in it */
export async function packBlocks(
  blocks: readonly CarBlock[],
  { root, recipient }: { readonly root: string; readonly recipient: string },
): Promise<Packed> {
  const car = writeCar(root, blocks)
  const squeezed = isWorth(car)
  const plain = squeezed ? new Uint8Array(await compress(car)) : car
  return { bytes: await sealLarge(recipient, plain), squeezed }
}

/** The bytes of a pack's object, compared with its name. @throws BACKUP_DAMAGED, the errors of destinations */
export async function readPack(
  destination: Destination,
  { name, sha256 }: { readonly name: string; readonly sha256: Uint8Array },
  signal: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await destination.get(name, signal, MAX_OBJECT_BYTES)
  if (equalBytes(await hashOf(bytes), sha256)) return bytes
  throw backupError('BACKUP_DAMAGED', { name, why: 'its bytes are not those that were stored' })
}

/** The blocks of a pack, each compared with its CID. @param name - of the object. @throws BACKUP_DAMAGED */
export async function* openPack(
  bytes: Uint8Array,
  key: BackupKey,
  { name, squeezed }: { readonly name: string; readonly squeezed: boolean },
): AsyncGenerator<CarBlock> {
  const opened = await openLarge(key, bytes, name)
  for (const block of readCar(squeezed ? await unpressed(opened, name) : opened, name)) {
    yield block
    await turn()
  }
}

async function unpressed(bytes: Uint8Array, name: string): Promise<Uint8Array> {
  try {
    const options = { maxOutputLength: MAX_PACK_BYTES }
    const { buffer, byteOffset, length } = await decompress(bytes, options)
    return new Uint8Array(buffer, byteOffset, length)
  } catch (error) {
    throw backupError('BACKUP_DAMAGED', { name, why: messageOf(error) }, error)
  }
}

function isWorth(car: Uint8Array): boolean {
  const step = Math.max(SAMPLE_BYTES, Math.floor(car.length / SAMPLES))
  const pieces: Uint8Array[] = []
  for (let at = 0; at < car.length; at += step) pieces.push(car.subarray(at, at + SAMPLE_BYTES))
  const sample = concatBytes(pieces)
  const params = { [constants.ZSTD_c_compressionLevel]: 1 }
  return zstdCompressSync(sample, { params }).length < sample.length * (1 - WORTH)
}
