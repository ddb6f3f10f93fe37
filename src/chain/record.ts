/**
 * Records: the signed statements of devices. This file is their shape; what they do stands in `state/`.
 *
 * An encoded record is a map whose last key, in the canonical order of DAG-CBOR (shorter first, then by
 * bytes), is `signature`; the signature covers the domain `cairn/record/1` and the map without it.
 */
import { KEY_BYTES, SIGNATURE_BYTES } from '../common/crypto.ts'
import { DAG_CBOR, DAG_PB, RAW } from '../common/dag-cbor.ts'
import {
  bytes,
  link,
  list,
  nullable,
  oneOf,
  optional,
  type Shape,
  type Shaped,
  struct,
  uint,
  variant,
} from '../common/schema.ts'
import type {
  BlockId,
  ContentId,
  DeviceId,
  FileId,
  NetworkId,
  RecordId,
  UserId,
  VersionId,
} from './ids.ts'
import { mediaTypeShape, nameShape, prose } from './names.ts'

/** Domain string of a record's signature. */
export const RECORD_DOMAIN = 'cairn/record/1'
/** Domain string of a countersignature under an admission. */
export const ADMISSION_DOMAIN = 'cairn/admission/1'
/** Folders above a file. */
export const MAX_FOLDER_DEPTH = 32
/** Letters of a vote's comment. */
export const MAX_COMMENT_CHARACTERS = 1000
/** Versions that one update or removal may name. */
export const MAX_PARENTS = 64

const key = bytes(KEY_BYTES)
const signature = bytes(SIGNATURE_BYTES)
const record = link<RecordId>(DAG_CBOR)
const user = link<UserId>(DAG_CBOR)
const file = link<FileId>(DAG_CBOR)
const version = link<VersionId>(DAG_CBOR)

/** Proof under a `user.create`. */
const userProof = variant('type', {
  /** The device is the network's founder. */
  founder: struct({}),
  /** The network admits anybody. */
  open: struct({}),
})

/** Proof under a `device.add`: the countersignature of an active device of the same user. */
const deviceProof = variant('type', {
  device: struct({ device: key, signature }),
})

const content = {
  root: link<ContentId>(DAG_PB, RAW),
  /** Bytes that a copy takes: the blocks of the DAG. */
  storedSize: uint(),
  visibility: oneOf('public'),
  name: nameShape,
  folder: list(nameShape, MAX_FOLDER_DEPTH),
  mediaType: mediaTypeShape,
  /** Plain bytes. */
  size: uint(),
  /** SHA-256 of the plain bytes. */
  sha256: bytes(32),
} as const

/** The body of each record type, rule version 1. */
export const recordBodies = {
  'user.create': struct({
    name: nameShape,
    deviceName: nameShape,
    /** X25519 public key of the device. */
    encryptionKey: key,
    /** X25519 public key of the user, generation 0. */
    userKey: key,
    /** Ed25519 public key whose secret is the recovery kit. */
    recoveryKey: key,
    /** Ed25519 public key whose secret stands only inside encrypted backups. */
    restoreKey: key,
    proof: userProof,
  }),
  'device.add': struct({ name: nameShape, encryptionKey: key, proof: deviceProof }),
  'file.add': struct(content),
  'file.update': struct({ ...content, file, parents: list(version, MAX_PARENTS, 1) }),
  'file.remove': struct({ file, parents: list(version, MAX_PARENTS, 1) }),
  vote: struct({
    version,
    verdict: oneOf('authentic', 'suspicious'),
    comment: prose(MAX_COMMENT_CHARACTERS),
  }),
  access: struct({ version }),
  upgrade: struct({ ruleVersion: uint(), activationHeight: uint() }),
} as const

export type RecordType = keyof typeof recordBodies
export type RecordBody<T extends RecordType> = Shaped<(typeof recordBodies)[T]>
export type Verdict = RecordBody<'vote'>['verdict']

/**
 * The envelope of a stranded record that is signed again: with the type, user and body of the new record it
 * gives the old one's bytes, and so proves the old one's id without having to hold it.
 */
export const replacesShape = struct({
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
