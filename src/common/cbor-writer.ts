/**
 * A writer of canonical DAG-CBOR: shortest heads, keys by length and then by bytes, no floats. Entries of a
 * map that are undefined are left out.
 */
import { CID } from 'multiformats/cid'
import { compareBytes, utf8 } from './bytes.ts'
import { CborLink, type CborValue } from './cbor-value.ts'
import { CID_BYTES, writePlainCid } from './cid-text.ts'
import { encodingError } from './errors.ts'

const FIRST_BYTES = 4096
/** Above this the buffer is given back after use, so that one large value does not stay in memory. */
const KEPT_BYTES = 4 * 1024 * 1024
const MAX_UINT64 = 0xffffffffffffffffn

/** Below this, text is nearly always ASCII and copied letter by letter: no call, no memory of its own. */
const ASCII_LENGTH = 256

const encoder = new TextEncoder()
let buffer = new Uint8Array(FIRST_BYTES)
let view = new DataView(buffer.buffer)
let offset = 0

/** Canonical encoding of `value`, in memory of its own. */
export function writeCbor(value: CborValue): Uint8Array {
  offset = 0
  write(value)
  const bytes = buffer.slice(0, offset)
  giveBack()
  return bytes
}

// Memory for many small values at once: a typed array with memory of its own costs more than to encode one.
const SLAB_BYTES = 16 * 1024
let slab = new Uint8Array(SLAB_BYTES)
let slabFilled = 0

/** Like `writeCbor`; small values share memory, so the buffer behind the result is not the caller's alone. */
export function writeSmallCbor(value: CborValue): Uint8Array {
  offset = 0
  write(value)
  if (offset > SLAB_BYTES / 8) {
    const bytes = buffer.slice(0, offset)
    giveBack()
    return bytes
  }
  if (slabFilled + offset > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES)
    slabFilled = 0
  }
  const start = slabFilled
  slabFilled += offset
  const bytes = slab.subarray(start, slabFilled)
  for (let i = 0; i < offset; i++) bytes[i] = buffer[i] ?? 0
  return bytes
}

function giveBack(): void {
  if (buffer.length > KEPT_BYTES) resize(FIRST_BYTES)
}

function resize(length: number, keep = 0): void {
  const next = new Uint8Array(length)
  next.set(buffer.subarray(0, keep))
  buffer = next
  view = new DataView(next.buffer)
}

function reserve(length: number): void {
  if (offset + length > buffer.length) resize(Math.max(buffer.length * 2, offset + length), offset)
}

function head(major: number, value: number): void {
  reserve(9)
  const type = major << 5
  if (value < 24) buffer[offset++] = type | value
  else if (value < 0x100) {
    buffer[offset++] = type | 24
    buffer[offset++] = value
  } else if (value < 0x10000) {
    buffer[offset++] = type | 25
    view.setUint16(offset, value)
    offset += 2
  } else if (value < 0x100000000) {
    buffer[offset++] = type | 26
    view.setUint32(offset, value)
    offset += 4
  } else {
    buffer[offset++] = type | 27
    view.setUint32(offset, Math.floor(value / 0x100000000))
    view.setUint32(offset + 4, value >>> 0)
    offset += 8
  }
}

function writeNumber(value: number): void {
  if (!Number.isSafeInteger(value)) throw encodingError(`${value} is no whole number below 2^53`)
  if (value >= 0) head(0, value)
  else head(1, -1 - value)
}

function writeBigint(value: bigint): void {
  const argument = value >= 0n ? value : -1n - value
  if (argument > MAX_UINT64) throw encodingError('a number is larger than 64 bits')
  const major = value >= 0n ? 0 : 1
  if (argument <= BigInt(Number.MAX_SAFE_INTEGER)) {
    head(major, Number(argument))
    return
  }
  reserve(9)
  buffer[offset] = (major << 5) | 27
  view.setBigUint64(offset + 1, argument)
  offset += 9
}

function writeBytes(bytes: Uint8Array): void {
  head(2, bytes.length)
  reserve(bytes.length)
  buffer.set(bytes, offset)
  offset += bytes.length
}

function writeText(text: string): void {
  const length = text.length
  if (length < ASCII_LENGTH) {
    reserve(length + 2)
    const start = offset
    head(3, length)
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) break
      buffer[offset++] = code
    }
    if (i === length) return
    offset = start
  }
  const bytes = encoder.encode(text)
  head(3, bytes.length)
  reserve(bytes.length)
  buffer.set(bytes, offset)
  offset += bytes.length
}

function writeCid(cid: CID): void {
  head(6, 42)
  head(2, cid.bytes.length + 1)
  reserve(cid.bytes.length + 1)
  buffer[offset++] = 0
  buffer.set(cid.bytes, offset)
  offset += cid.bytes.length
}

function writeLink(link: CborLink): void {
  reserve(CID_BYTES + 5)
  const start = offset
  head(6, 42)
  head(2, CID_BYTES + 1)
  buffer[offset++] = 0
  if (writePlainCid(link.text, buffer, offset)) {
    offset += CID_BYTES
    return
  }
  offset = start
  writeCid(CID.parse(link.text))
}

function writeMap(map: { readonly [key: string]: CborValue | undefined }): void {
  const keys = Object.keys(map).filter((key) => map[key] !== undefined)
  if (!isSorted(keys)) keys.sort(compareKeys)
  head(5, keys.length)
  for (const key of keys) {
    writeText(key)
    write(map[key] as CborValue)
  }
}

function write(value: CborValue): void {
  if (typeof value === 'number') writeNumber(value)
  else if (typeof value === 'string') writeText(value)
  else if (typeof value === 'bigint') writeBigint(value)
  else if (value === null) writeSimple(0xf6)
  else if (typeof value === 'boolean') writeSimple(value ? 0xf5 : 0xf4)
  else if (typeof value !== 'object') throw encodingError(`a ${typeof value} cannot be encoded`)
  else if (value instanceof CborLink) writeLink(value)
  else if (value instanceof Uint8Array) writeBytes(value)
  else if (Array.isArray(value)) {
    head(4, value.length)
    for (const item of value as readonly CborValue[]) write(item)
  } else {
    const cid = CID.asCID(value)
    if (cid !== null) writeCid(cid)
    else writeMap(value as { readonly [key: string]: CborValue | undefined })
  }
}

function writeSimple(byte: number): void {
  reserve(1)
  buffer[offset++] = byte
}

function isSorted(keys: readonly string[]): boolean {
  for (let i = 1; i < keys.length; i++) {
    if (compareKeys(keys[i - 1] ?? '', keys[i] ?? '') > 0) return false
  }
  return true
}

function compareKeys(a: string, b: string): number {
  if (isAscii(a) && isAscii(b)) return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
  const first = utf8(a)
  const second = utf8(b)
  return first.length - second.length || compareBytes(first, second)
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) >= 0x80) return false
  }
  return true
}
