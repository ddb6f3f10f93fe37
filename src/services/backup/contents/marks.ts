/**
 * What stands for a block or a file in the lists of contents: sixteen bytes that only members of the network can make.
 * So the lists can be read without the key of the backups, and tell whoever keeps them no CID.
 */
import { encodeParams, type NetworkParams } from '../../../chain/params.ts'
import { concatBytes, utf8 } from '../../../common/bytes.ts'
import { hkdf, KEY_BYTES, sha256 } from '../../../common/crypto.ts'

export const MARK_BYTES = 16
/** The network's parameters hold its random salt, and are told to nobody but members. */
const INFO: Uint8Array = utf8('cairn/contents/1')

/** The mark of a SHA-256 digest: the beginning of SHA-256(secret ‖ digest). */
export type MarkOf = (digest: Uint8Array) => Uint8Array

export function createMarks(params: NetworkParams): MarkOf {
  const secret = hkdf(encodeParams(params), new Uint8Array(), INFO, KEY_BYTES)
  return (digest) => sha256(concatBytes([secret, digest])).subarray(0, MARK_BYTES)
}

/** A map from marks to whole numbers in 28 to 56 bytes an entry: a terabyte has a million blocks. */
export interface MarkTable {
  readonly size: number
  get(mark: Uint8Array): number | undefined
  set(mark: Uint8Array, value: number): void
}

const FIRST_CAPACITY = 1024

export function createMarkTable(): MarkTable {
  let capacity = FIRST_CAPACITY
  let size = 0
  let marks = new Uint8Array(capacity * MARK_BYTES)
  let values = new Uint32Array(capacity)
  /** Twice as many as entries: number of an entry and one, or 0. */
  let slots = new Uint32Array(capacity * 2)

  const equals = (entry: number, mark: Uint8Array): boolean => {
    for (let at = 0; at < MARK_BYTES; at++) {
      if (marks[entry * MARK_BYTES + at] !== mark[at]) return false
    }
    return true
  }
  /** The slot of a mark, or the free one where it belongs. A mark is a hash: its first bytes spread evenly. */
  const slotOf = (mark: Uint8Array): number => {
    const view = new DataView(mark.buffer, mark.byteOffset, MARK_BYTES)
    for (let slot = view.getUint32(0) % slots.length; ; slot = (slot + 1) % slots.length) {
      const entry = slots[slot] ?? 0
      if (entry === 0 || equals(entry - 1, mark)) return slot
    }
  }
  const grow = (): void => {
    capacity *= 2
    const [oldMarks, oldValues] = [marks, values]
    marks = new Uint8Array(capacity * MARK_BYTES)
    marks.set(oldMarks)
    values = new Uint32Array(capacity)
    values.set(oldValues)
    slots = new Uint32Array(capacity * 2)
    for (let entry = 0; entry < size; entry++) {
      slots[slotOf(marks.subarray(entry * MARK_BYTES, (entry + 1) * MARK_BYTES))] = entry + 1
    }
  }
  return {
    get size() {
      return size
    },
    get: (mark) => {
      const entry = slots[slotOf(mark)] ?? 0
      return entry === 0 ? undefined : values[entry - 1]
    },
    set: (mark, value) => {
      const slot = slotOf(mark)
      const entry = slots[slot] ?? 0
      if (entry > 0) {
        values[entry - 1] = value
        return
      }
      marks.set(mark, size * MARK_BYTES)
      values[size] = value
      size += 1
      slots[slot] = size
      if (size === capacity) grow()
    },
  }
}
