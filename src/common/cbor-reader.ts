/**
 * A strict reader of DAG-CBOR (https://ipld.io/specs/codecs/dag-cbor/spec/). It accepts canonical bytes only
 * (shortest heads, definite lengths, keys unique and in order, well-formed text), so nothing has to be encoded
 * again to find out, and it refuses floats.
 *
 * owns: bytes to values
 * does not own: what the values mean (schema.ts), their ids (dag-cbor.ts)
 */
import { CID } from 'multiformats/cid'
import { equalBytes } from './bytes.ts'
import { CborLink, type CborValue } from './cbor-value.ts'
import { CID_BYTES, isPlainCid, plainCidText } from './cid-text.ts'
import { encodingError } from './errors.ts'

/** Values inside values: deeper than any shape of this project, and far from the end of the stack. */
const MAX_DEPTH = 32
const MAJOR = { uint: 0, negative: 1, bytes: 2, text: 3, list: 4, map: 5, tag: 6 } as const
const CID_TAG = 42
/** The least argument that takes 1, 2, 4, 8 bytes after the head. */
const LEAST = [24, 0x100, 0x10000, 0x100000000] as const

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads values one after the other. Byte strings are views of the input, which must not change under them.
 * A class, because it is made for each value of the state and each header: methods are made once.
 */
export class CborReader {
  readonly #bytes: Uint8Array
  #offset = 0
  /** The argument of the head read last when it does not fit a number. */
  #large: bigint | undefined

  constructor(input: Uint8Array) {
    // Views of other classes (Buffer) slice differently.
    this.#bytes =
      input.constructor === Uint8Array
        ? input
        : new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
  }

  /** Where the next value begins. */
  get offset(): number {
    return this.#offset
  }

  /** The next value. Throws `ENCODING`. */
  value(): CborValue {
    return this.#read(0)
  }

  /** The head of a list: how many values follow as its items. Throws `ENCODING`. */
  listHead(): number {
    return this.#head(MAJOR.list, 'list')
  }

  /** The head of a map: how many pairs follow. Throws `ENCODING`. */
  mapHead(): number {
    return this.#head(MAJOR.map, 'map')
  }

  #need(length: number): void {
    if (length > this.#bytes.length - this.#offset) throw encodingError('it ends too early')
  }

  #byte(): number {
    this.#need(1)
    const byte = this.#bytes[this.#offset] ?? 0
    this.#offset += 1
    return byte
  }

  #argument(info: number): number {
    this.#large = undefined
    if (info < 24) return info
    if (info > 27) throw encodingError('a length is indefinite')
    const size = 1 << (info - 24)
    this.#need(size)
    const at = this.#offset
    let value = 0
    for (let i = 0; i < size; i++) value = value * 256 + (this.#bytes[at + i] ?? 0)
    if (value > Number.MAX_SAFE_INTEGER) this.#large = uint64At(this.#bytes, at)
    this.#offset += size
    const least = LEAST[info - 24] ?? 0
    if (value < least) throw encodingError('it is not in canonical form')
    return value
  }

  #length(info: number): number {
    const value = this.#argument(info)
    // Also bounds what a list or map can claim: each of its items takes a byte at least.
    this.#need(value)
    return value
  }

  #text(size: number): string {
    const bytes = this.#bytes
    const start = this.#offset
    this.#offset += size
    if (size <= SHORT_TEXT) {
      const known = shortText(bytes, start, size)
      if (known !== undefined) return known
    }
    try {
      return decoder.decode(bytes.subarray(start, start + size))
    } catch (error) {
      throw encodingError('text is not UTF-8', error)
    }
  }

  #link(): CborLink {
    this.#need(2)
    const first = this.#byte()
    if (first >> 5 !== MAJOR.bytes) throw encodingError('a link is no byte string')
    const size = this.#length(first & 31)
    const bytes = this.#bytes
    const start = this.#offset + 1
    this.#offset += size
    if (size === 0 || bytes[start - 1] !== 0) throw encodingError('a link is malformed')
    if (size === CID_BYTES + 1 && isPlainCid(bytes, start)) {
      return new CborLink(plainCidText(bytes, start), bytes[start + 1] ?? 0, true)
    }
    return otherLink(bytes.subarray(start, this.#offset))
  }

  #map(size: number, depth: number): CborValue {
    const map: Record<string, CborValue> = {}
    let lastStart = -1
    let lastEnd = -1
    for (let i = 0; i < size; i++) {
      const first = this.#byte()
      if (first >> 5 !== MAJOR.text) throw encodingError('a key is no text')
      const keyLength = this.#length(first & 31)
      const start = this.#offset
      const key = this.#text(keyLength)
      const end = this.#offset
      if (lastStart >= 0 && !isAfter(this.#bytes, lastStart, lastEnd, start, end)) {
        throw encodingError('it is not in canonical form')
      }
      if (key === '__proto__') throw encodingError('a key is not allowed')
      lastStart = start
      lastEnd = end
      map[key] = this.#read(depth + 1)
    }
    return map
  }

  #read(depth: number): CborValue {
    if (depth > MAX_DEPTH) throw encodingError('it is nested too deep')
    const first = this.#byte()
    const info = first & 31
    switch (first >> 5) {
      case MAJOR.uint: {
        const value = this.#argument(info)
        return this.#large ?? value
      }
      case MAJOR.negative: {
        const value = this.#argument(info)
        if (this.#large !== undefined) return -1n - this.#large
        return value === Number.MAX_SAFE_INTEGER ? -1n - BigInt(value) : -1 - value
      }
      case MAJOR.bytes: {
        const size = this.#length(info)
        const start = this.#offset
        this.#offset += size
        return this.#bytes.subarray(start, this.#offset)
      }
      case MAJOR.text:
        return this.#text(this.#length(info))
      case MAJOR.list: {
        const size = this.#length(info)
        const items: CborValue[] = []
        for (let i = 0; i < size; i++) items.push(this.#read(depth + 1))
        return items
      }
      case MAJOR.map:
        return this.#map(this.#length(info), depth)
      case MAJOR.tag:
        if (this.#argument(info) !== CID_TAG) throw encodingError('a tag is not allowed')
        return this.#link()
      default:
        if (first === 0xf4) return false
        if (first === 0xf5) return true
        if (first === 0xf6) return null
        throw encodingError('a float or an unknown simple value')
    }
  }

  #head(major: number, name: string): number {
    const first = this.#byte()
    if (first >> 5 !== major) throw encodingError(`it is no ${name}`)
    return this.#length(first & 31)
  }
}

/** A link of another form than this project's own. Its text has to lead back to the same bytes. */
function otherLink(bytes: Uint8Array): CborLink {
  try {
    const cid = CID.decode(bytes)
    const link = new CborLink(cid.toString(), cid.code, false)
    if (equalBytes(CID.parse(link.text).bytes, bytes)) return link
  } catch (error) {
    throw encodingError('a link is malformed', error)
  }
  throw encodingError('it is not in canonical form')
}

function uint64At(bytes: Uint8Array, offset: number): bigint {
  let value = 0n
  for (let i = 0; i < 8; i++) value = (value << 8n) | BigInt(bytes[offset + i] ?? 0)
  return value
}

function isAfter(
  bytes: Uint8Array,
  aStart: number,
  aEnd: number,
  bStart: number,
  bEnd: number,
): boolean {
  const longer = bEnd - bStart - (aEnd - aStart)
  if (longer !== 0) return longer > 0
  for (let i = 0; i < aEnd - aStart; i++) {
    const difference = (bytes[bStart + i] ?? 0) - (bytes[aStart + i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return false
}

// Keys and other short words come again and again: they are looked up, not made.
const SHORT_TEXT = 20
const WORD_SLOTS = 1024
const words: (string | undefined)[] = new Array(WORD_SLOTS)

function shortText(bytes: Uint8Array, start: number, size: number): string | undefined {
  let hash = size
  for (let i = start; i < start + size; i++) {
    const byte = bytes[i] ?? 0
    if (byte >= 0x80) return undefined
    hash = (Math.imul(hash, 31) + byte) | 0
  }
  const slot = hash & (WORD_SLOTS - 1)
  const word = words[slot]
  if (word !== undefined && isWord(word, bytes, start, size)) return word
  let text = ''
  for (let i = start; i < start + size; i++) text += String.fromCharCode(bytes[i] ?? 0)
  words[slot] = text
  return text
}

function isWord(word: string, bytes: Uint8Array, start: number, size: number): boolean {
  if (word.length !== size) return false
  for (let i = 0; i < size; i++) {
    if (word.charCodeAt(i) !== bytes[start + i]) return false
  }
  return true
}
