/** Blocks: header and body. An IPLD block is a `contentBlock` in this project, never a block. */
import { HASH_BYTES, KEY_BYTES, SIGNATURE_BYTES } from '../common/crypto.ts'
import { DAG_CBOR } from '../common/dag-cbor.ts'
import { bytes, link, nullable, type Shaped, tuple, uint } from '../common/schema.ts'
import type { BlockId, BodyId, NetworkId } from './ids.ts'
import type { SignedRecord } from './record.ts'

/** Domain string of a block's seal. */
export const BLOCK_DOMAIN = 'cairn/block/1'
/** Bytes of the nonce: fixed, so that a miner changes bytes in place and hashes only the tail again. */
export const NONCE_BYTES = 8
/** Difficulty stays below 2^53: it is an integer in every program that reads it. */
export const MAX_DIFFICULTY: number = Number.MAX_SAFE_INTEGER

/**
 * Encoded as a list in this order, not as a map: the nonce has to be last in the bytes, and a canonical map
 * orders its keys by length.
 */
export const headerShape = tuple(
  ['version', uint(1)],
  ['network', link<NetworkId>(DAG_CBOR)],
  ['parent', nullable(link<BlockId>(DAG_CBOR))],
  ['height', uint()],
  /** Milliseconds UTC. */
  ['time', uint()],
  /** Expected number of hashes. */
  ['difficulty', uint(MAX_DIFFICULTY)],
  ['records', link<BodyId>(DAG_CBOR)],
  /** SHA-256 over the state changes and outcomes; see outcome.ts. */
  ['outcome', bytes(HASH_BYTES)],
  /** Ed25519 public key of the device that seals; 32 zero bytes in the genesis block. */
  ['miner', bytes(KEY_BYTES)],
  /** Signature over the header without seal and nonce; 64 zero bytes in the genesis block. */
  ['seal', bytes(SIGNATURE_BYTES)],
  ['nonce', bytes(NONCE_BYTES)],
)

export type BlockHeader = Shaped<typeof headerShape>

/** A header with its id and its bytes. */
export interface SealedHeader {
  readonly id: BlockId
  readonly header: BlockHeader
  readonly bytes: Uint8Array
}

/** A body with its id, its bytes and its records, decoded. */
export interface BlockBody {
  readonly id: BodyId
  readonly bytes: Uint8Array
  readonly records: readonly SignedRecord[]
}

export interface Block extends SealedHeader {
  readonly body: BlockBody
}
