/**
 * The search for a nonce: SHA-256 (FIPS 180-4) over a header of which only the last bytes change.
 *
 * The state after the unchanging 64-byte pieces is computed once; each attempt then costs the one or two
 * pieces that hold the nonce and the padding. Measured at three times node:crypto's one-shot hash, whose calls
 * cost more than the hashing. What it finds is checked with the ordinary hash by whoever asked.
 */
import { NONCE_BYTES } from '../chain/block.ts'

const PIECE_BYTES = 64
const PIECE_WORDS = 16
const STATE_WORDS = 8
/** A one bit and the length in bits, which end the last piece. */
const PADDING_BYTES = 9

// FIPS 180-4, 4.2.2 and 5.3.3: the first 32 bits of the fractional parts of the cube roots of the first 64
// primes, and of the square roots of the first 8.
const ROUNDS = Int32Array.from(primes(64), (prime) => fraction(Math.cbrt(prime)))
const INITIAL = Int32Array.from(primes(STATE_WORDS), (prime) => fraction(Math.sqrt(prime)))

function primes(count: number): number[] {
  const found: number[] = []
  for (let n = 2; found.length < count; n += 1) if (found.every((p) => n % p !== 0)) found.push(n)
  return found
}

function fraction(root: number): number {
  return Math.floor((root - Math.floor(root)) * 2 ** 32) | 0
}

const schedule = new Int32Array(64)

/** Mixes the 16 words of `piece` into `from`, result in `into`. */
function compress(from: Int32Array, piece: Int32Array, into: Int32Array): void {
  const w = schedule
  for (let i = 0; i < PIECE_WORDS; i += 1) w[i] = at(piece, i)
  for (let i = PIECE_WORDS; i < 64; i += 1) {
    const x = at(w, i - 15)
    const y = at(w, i - 2)
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10)
    w[i] = (at(w, i - 16) + s0 + at(w, i - 7) + s1) | 0
  }
  let a = at(from, 0)
  let b = at(from, 1)
  let c = at(from, 2)
  let d = at(from, 3)
  let e = at(from, 4)
  let f = at(from, 5)
  let g = at(from, 6)
  let h = at(from, 7)
  for (let i = 0; i < 64; i += 1) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(ROUNDS, i) + at(w, i)) | 0
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + t1) | 0
    d = c
    c = b
    b = a
    a = (t1 + t2) | 0
  }
  into[0] = at(from, 0) + a
  into[1] = at(from, 1) + b
  into[2] = at(from, 2) + c
  into[3] = at(from, 3) + d
  into[4] = at(from, 4) + e
  into[5] = at(from, 5) + f
  into[6] = at(from, 6) + g
  into[7] = at(from, 7) + h
}

function at(words: Int32Array, index: number): number {
  return words[index] ?? 0
}

/** Big-endian words of `bytes` from `offset`. */
function loadPiece(bytes: Uint8Array, offset: number, into: Int32Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, PIECE_BYTES)
  for (let i = 0; i < PIECE_WORDS; i += 1) into[i] = view.getInt32(i * 4)
}

export interface Search {
  /**
   * Tries the next `count` nonces; the nonce (8 bytes) of the first whose digest, as a big-endian number,
   * is below 2^256 / `difficulty`, or undefined.
   */
  next(count: number): Uint8Array | undefined
}

/**
 * @param header - an encoded header; its last 8 bytes are the nonce and are tried from 0 upwards
 * @param difficulty - expected number of hashes, an integer of at least 1
 */
export function createSearch(header: Uint8Array, difficulty: number): Search {
  const fixed = Math.floor((header.length - NONCE_BYTES) / PIECE_BYTES) * PIECE_BYTES
  const rest = header.length - fixed
  const tail = new Uint8Array(Math.ceil((rest + PADDING_BYTES) / PIECE_BYTES) * PIECE_BYTES)
  tail.set(header.subarray(fixed))
  tail[rest] = 0x80
  const view = new DataView(tail.buffer)
  view.setBigUint64(tail.length - 8, BigInt(header.length) * 8n)

  const piece = new Int32Array(PIECE_WORDS)
  const middle = Int32Array.from(INITIAL)
  for (let offset = 0; offset < fixed; offset += PIECE_BYTES) {
    loadPiece(header, offset, piece)
    compress(middle, piece, middle)
  }

  // Comparing the first 48 bits rules out all but one digest in 2^48 that is too high; those are compared whole.
  const bound = (1n << 256n) / BigInt(difficulty)
  const leading = Number(bound >> 208n)
  const state = new Int32Array(STATE_WORDS)
  const nonceAt = rest - NONCE_BYTES
  let nonce = 0n

  return {
    next: (count) => {
      for (let tried = 0; tried < count; tried += 1) {
        view.setBigUint64(nonceAt, nonce)
        nonce += 1n
        loadPiece(tail, 0, piece)
        compress(middle, piece, state)
        if (tail.length > PIECE_BYTES) {
          loadPiece(tail, PIECE_BYTES, piece)
          compress(state, piece, state)
        }
        const lead = (at(state, 0) >>> 0) * 65_536 + (at(state, 1) >>> 16)
        if (lead <= leading && numberOf(state) < bound) {
          return tail.slice(nonceAt, nonceAt + NONCE_BYTES)
        }
      }
      return undefined
    },
  }
}

function numberOf(state: Int32Array): bigint {
  return state.reduce((sum, word) => (sum << 32n) | BigInt(word >>> 0), 0n)
}
