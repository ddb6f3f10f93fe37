/**
 * Records: the signed statements of devices. This file is their envelope; what each type says stands in
 * record-bodies.ts, what it does in `state/`.
 *
 * An encoded record is a map whose last key, in the canonical order of DAG-CBOR (shorter first, then by
 * bytes), is `signature`; the signature covers the domain `cairn/record/1` and the map without it.
 */
import { KEY_BYTES, SIGNATURE_BYTES } from '../common/crypto.ts'
import { DAG_CBOR } from '../common/dag-cbor.ts'
import {
  bytes,
  link,
  nullable,
  optional,
  type Shape,
  type Shaped,
  struct,
  uint,
} from '../common/schema.ts'
import type { BlockId, DeviceId, NetworkId, RecordId, UserId } from './ids.ts'
import type { detailsShape, recordBodies } from './record-bodies.ts'

/** Domain string of a record's signature. */
export const RECORD_DOMAIN = 'cairn/record/1'

const key = bytes(KEY_BYTES)
const signature = bytes(SIGNATURE_BYTES)
const record = link<RecordId>(DAG_CBOR)
const user = link<UserId>(DAG_CBOR)

export type RecordType = keyof typeof recordBodies
export type RecordBody<T extends RecordType> = Shaped<(typeof recordBodies)[T]>
/** What people see of a version: in the record when it is public, else encrypted there. */
export type VersionDetails = Shaped<typeof detailsShape>
export type Verdict = RecordBody<'vote'>['verdict']

/**
 * The envelope of a stranded record that is signed again: with the type, user and body of the new record it
 * gives the old one's bytes, and so proves the old one's id without having to hold it.
 */
const replacesShape = struct({
  device: key,
  sequence: uint(),
  previous: nullable(record),
  seen: link<BlockId>(DAG_CBOR),
  time: uint(),
  signature,
})

export const envelopeShape = {
  network: link<NetworkId>(DAG_CBOR),
  user: nullable(user),
  device: key,
  sequence: uint(),
  previous: nullable(record),
  seen: link<BlockId>(DAG_CBOR),
  time: uint(),
  replaces: optional(replacesShape),
} as const satisfies Record<string, Shape<never> | Shape<unknown>>

export type Replaces = Shaped<typeof replacesShape>

interface RecordFields<T extends RecordType> {
  readonly network: NetworkId
  readonly type: T
  /** Null in `user.create`: the user is the record itself. */
  readonly user: UserId | null
  readonly device: DeviceId
  /** Counts this device's own records from 0. */
  readonly sequence: number
  /** The device's record before this one; null at sequence 0. */
  readonly previous: RecordId | null
  /** The tip that the device knew. */
  readonly seen: BlockId
  /** The device's own clock, milliseconds UTC. */
  readonly time: number
  readonly body: RecordBody<T>
  readonly replaces?: Replaces
}

/** A record before its signature. */
export type UnsignedRecord = { [T in RecordType]: RecordFields<T> }[RecordType]

/** A record as it travels: decoded and checked for shape, with its id and its bytes. */
export type SignedRecord = UnsignedRecord & {
  readonly id: RecordId
  readonly signature: Uint8Array
  readonly bytes: Uint8Array
  /**
   * What references to this record, and its file, user or version id, go by: its own id, or the id of the
   * stranded record that it replaces.
   */
  readonly identity: RecordId
}

export type RecordOf<T extends RecordType> = Extract<SignedRecord, { type: T }>

/** What a device wants to say: the body of a record that is yet to be signed. An admission names its user. */
export type Statement = {
  [T in RecordType]: T extends 'device.add'
    ? { readonly type: T; readonly user: UserId; readonly body: RecordBody<T> }
    : { readonly type: T; readonly body: RecordBody<T> }
}[RecordType]
