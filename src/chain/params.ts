/** The parameters of a network: all that its genesis, and with it its id, is made from. */

import { KEY_BYTES } from '../common/crypto.ts'
import { cidOf, decode, encode } from '../common/dag-cbor.ts'
import { bytes, oneOf, type Shaped, struct, uint } from '../common/schema.ts'
import type { NetworkId } from './ids.ts'

/** Bytes of encoded parameters: some twenty small fields. */
export const MAX_PARAMS_BYTES = 1024
/** Expected hashes per block at least, unless the network says otherwise: a tenth of a second on a laptop. */
export const DEFAULT_DIFFICULTY_FLOOR = 65_536
/** `regtest`: every hash is a block. */
export const REGTEST_DIFFICULTY_FLOOR = 1

export const networkParamsShape = struct({
  /** Version of this structure: 1. */
  version: uint(1),
  /** Ed25519 public key of the device whose `user.create` makes the first admin. */
  founder: bytes(KEY_BYTES),
  /** Random, so that the same founder can have several networks. */
  salt: bytes(16),
  /** When it was founded: the time of the genesis block, milliseconds UTC. */
  time: uint(),
  /** The least difficulty a block may have (expected hashes). */
  difficultyFloor: uint(2 ** 40),
  /** `open`: any `user.create` is admitted; `invite`: only one with the proof of an invite. */
  admission: oneOf('open', 'invite'),
})

export type NetworkParams = Shaped<typeof networkParamsShape>

export function encodeParams(params: NetworkParams): Uint8Array {
  return encode(networkParamsShape.write(params) ?? null)
}

/** @throws `ENCODING` */
export function decodeParams(encoded: Uint8Array): NetworkParams {
  const params = networkParamsShape.read(decode(encoded, MAX_PARAMS_BYTES), 'parameters')
  return params
}

export function networkIdOf(params: NetworkParams): NetworkId {
  return cidOf(encodeParams(params)) as NetworkId
}
