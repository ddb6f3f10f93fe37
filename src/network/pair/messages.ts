/**
 * `/cairn/pair/1.0.0`: how a device gets into a network. Whoever asks is known by the key of the connection: the
 * one-time key of an invite, or a recovery key. Frames of canonical DAG-CBOR, one question at a time. Pure.
 *
 * | question    | answer      |                                                                          |
 * |-------------|-------------|--------------------------------------------------------------------------|
 * | `hello`     | `here`      | of which network the member is, and what the key is good for             |
 * | `claims`    | `sponsored` | the keys of the new device, signed with the invite's; the countersignature |
 * | `admission` | `welcome`   | the device's signed record 0, which the member stores before it answers   |
 *
 * A recovery key needs no `claims`. Anything may be answered by `refused` with a code.
 */
import type { BlockId, NetworkId, RecordId, UserId } from '../../chain/ids.ts'
import { MAX_PARAMS_BYTES } from '../../chain/params.ts'
import { KEY_BYTES, SIGNATURE_BYTES } from '../../common/crypto.ts'
import { DAG_CBOR, decode, encode } from '../../common/dag-cbor.ts'
import { KIB, MAX_RECORD_BYTES } from '../../common/limits.ts'
import {
  boolean,
  bytes,
  link,
  list,
  nullable,
  oneOf,
  optional,
  type Shaped,
  struct,
  text,
  uint,
  variant,
} from '../../common/schema.ts'

export const PAIR_PROTOCOL = '/cairn/pair/1.0.0'

/** Bytes of a frame: a record, or a list of addresses. */
export const MAX_PAIR_FRAME_BYTES: number = MAX_RECORD_BYTES + KIB
/** Addresses of members in one answer. */
export const MAX_ADDRESSES = 16
const MAX_ADDRESS_BYTES = 512

const key = bytes(KEY_BYTES)
const signature = bytes(SIGNATURE_BYTES)

/** Why a member does not take somebody in. */
export const REFUSALS = [
  'INVITE_UNKNOWN',
  'INVITE_EXPIRED',
  'INVITE_USED',
  'INVITE_CANCELLED',
  /** Of another network than the one that is looked for. */
  'OTHER_NETWORK',
  /** Now it cannot; later, or another member can. */
  'BUSY',
  /** This device may vouch for nobody. */
  'NOT_A_SPONSOR',
  /** The user has as many devices as members let one have. */
  'TOO_MANY_DEVICES',
  /** Something that cannot be right: a signature, or a record. */
  'NOT_VALID',
] as const
export type Refusal = (typeof REFUSALS)[number]

const claimsShape = struct({
  device: key,
  encryptionKey: key,
  /** Of a new user. */
  userKeys: optional(struct({ userKey: key, recoveryKey: key, restoreKey: key })),
  /** By the invite's key. */
  signature,
})

const hereShape = struct({
  params: bytes(1, MAX_PARAMS_BYTES),
  tip: link<BlockId>(DAG_CBOR),
  /** The member's clock, milliseconds UTC. */
  time: uint(),
  /** Null for a recovery key. */
  invite: nullable(
    struct({
      id: link<RecordId>(DAG_CBOR),
      role: oneOf('admin', 'member', 'backup'),
      ownDevice: boolean(),
      expires: uint(),
    }),
  ),
  /** Whose device it will be; null: a new user. */
  user: nullable(link<UserId>(DAG_CBOR)),
})

const sponsoredShape = struct({ sponsor: key, time: uint(), countersignature: signature })
const welcomeShape = struct({ addresses: list(text(MAX_ADDRESS_BYTES, 1), MAX_ADDRESSES) })

const questionShape = variant('type', {
  hello: struct({ network: nullable(link<NetworkId>(DAG_CBOR)) }),
  claims: claimsShape,
  admission: struct({ record: bytes(1, MAX_RECORD_BYTES) }),
})

const answerShape = variant('type', {
  here: hereShape,
  sponsored: sponsoredShape,
  welcome: welcomeShape,
  refused: struct({ code: oneOf(...REFUSALS) }),
})

export type PairQuestion = Shaped<typeof questionShape>
export type PairAnswer = Shaped<typeof answerShape>
export type Claims = Shaped<typeof claimsShape>
export type Here = Shaped<typeof hereShape>
export type Sponsored = Shaped<typeof sponsoredShape>
export type Welcome = Shaped<typeof welcomeShape>

export function encodeQuestion(question: PairQuestion): Uint8Array {
  return encode(questionShape.write(question) ?? null)
}

/** @throws `ENCODING` */
export function decodeQuestion(encoded: Uint8Array): PairQuestion {
  return questionShape.read(decode(encoded, MAX_PAIR_FRAME_BYTES), 'question')
}

export function encodeAnswer(answer: PairAnswer): Uint8Array {
  return encode(answerShape.write(answer) ?? null)
}

/** @throws `ENCODING` */
export function decodeAnswer(encoded: Uint8Array): PairAnswer {
  return answerShape.read(decode(encoded, MAX_PAIR_FRAME_BYTES), 'answer')
}
