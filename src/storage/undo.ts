/**
 * What disconnecting a block needs, as bytes: each changed key of the table `state` with its value before, then the
 * records that had waited and that the block evaluated, each with its outcome before. Written and read by this program
 * alone, on its own disk.
 *
 * Layout: u32 number of changes; each: u16 key length, key (ASCII), u32 value length + 1 (0: there was none),
 * value; then u32 number of late records; each: three texts of u8 length: id, outcome, code. Big-endian.
 */
import type { RecordId } from '../chain/ids.ts'
import type { RecordOutcome } from '../chain/state/result.ts'
import type { Change } from '../chain/view.ts'
import { assert } from '../common/errors.ts'

export interface LateBefore {
  readonly record: RecordId
  /** Empty: none. */
  readonly outcome: RecordOutcome['outcome'] | ''
  readonly code: string
}

export interface Undo {
  readonly changes: readonly Pick<Change, 'key' | 'before'>[]
  readonly late: readonly LateBefore[]
}

const textsOf = ({ record, outcome, code }: LateBefore): string[] => [record, outcome, code]

export function encodeUndo({ changes, late }: Undo): Uint8Array {
  let length = 8
  for (const { key, before } of changes) length += 6 + key.length + (before?.length ?? 0)
  const texts = late.flatMap(textsOf)
  for (const text of texts) length += 1 + text.length
  const bytes = Buffer.allocUnsafe(length)
  let at = bytes.writeUInt32BE(changes.length, 0)
  for (const { key, before } of changes) {
    at = bytes.writeUInt16BE(key.length, at)
    at += bytes.write(key, at, 'latin1')
    at = bytes.writeUInt32BE(before === undefined ? 0 : before.length + 1, at)
    if (before !== undefined) {
      bytes.set(before, at)
      at += before.length
    }
  }
  at = bytes.writeUInt32BE(late.length, at)
  for (const text of texts) {
    at = bytes.writeUInt8(text.length, at)
    at += bytes.write(text, at, 'latin1')
  }
  assert(at === length, 'undo data has the length that was counted')
  return bytes
}

export function decodeUndo(data: Uint8Array): Undo {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  let at = 0
  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  const number = (size: number): number => take(size).readUIntBE(0, size)
  const text = (size: number): string => take(number(size)).toString('latin1')
  const changes: Pick<Change, 'key' | 'before'>[] = []
  for (let left = number(4); left > 0; left -= 1) {
    const key = text(2)
    const length = number(4)
    changes.push({ key, before: length === 0 ? undefined : Uint8Array.from(take(length - 1)) })
  }
  const late: LateBefore[] = []
  for (let left = number(4); left > 0; left -= 1) {
    const [record, outcome, code] = [text(1), text(1), text(1)]
    late.push({ record: record as RecordId, outcome: outcome as LateBefore['outcome'], code })
  }
  return { changes, late }
}
