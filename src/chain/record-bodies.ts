/** What each type of record says: the shapes of their bodies, rule version 1. */
import { KEY_BYTES, SIGNATURE_BYTES } from '../common/crypto.ts'
import { DAG_CBOR, DAG_PB, RAW } from '../common/dag-cbor.ts'
import {
  boolean,
  bytes,
  link,
  list,
  oneOf,
  optional,
  struct,
  tagged,
  uint,
  variant,
} from '../common/schema.ts'
import type { ContentId, FileId, RecordId, UserId, VersionId } from './ids.ts'
import { mediaTypeShape, nameShape, prose } from './names.ts'

/** Folders above a file. */
export const MAX_FOLDER_DEPTH = 32
/** Letters of a vote's comment. */
export const MAX_COMMENT_CHARACTERS = 1000
/** Letters of the reason of a revocation. */
export const MAX_REASON_CHARACTERS = 200
/** Versions that one update or removal may name. */
export const MAX_PARENTS = 64
/** Sealed keys in one record: up to 240 bytes each, so that a record has room for them. */
export const MAX_SEALS = 64
/**
 * Earlier secrets that a new user key brings along: what its predecessors bring along themselves need not be
 * among them, so one for each concurrent key will do. With `MAX_SEALS` beside them a record has room for them.
 */
export const MAX_EARLIER_KEYS = 32
/** A key of 32 bytes sealed with HPKE: encapsulated key, ciphertext, tag. */
export const SEALED_KEY_BYTES = 80
/** The header of an encrypted content (Tink streaming AEAD): length, salt, nonce prefix. */
const CONTENT_HEADER_BYTES = 40
/** Name, folders, media type, size and hash of a private version, padded and encrypted. */
export const MAX_METADATA_BYTES = 10_240

const key = bytes(KEY_BYTES)
const signature = bytes(SIGNATURE_BYTES)
const sealedKey = bytes(SEALED_KEY_BYTES)
const record = link<RecordId>(DAG_CBOR)
const user = link<UserId>(DAG_CBOR)
const file = link<FileId>(DAG_CBOR)
const version = link<VersionId>(DAG_CBOR)

/**
 * The proof of an invite: the one-time key signs (admissions.ts), and an active device of any member signs that
 * too, with its time, by which the invite's expiry is judged.
 */
const inviteProof = struct({
  invite: record,
  signature,
  sponsor: key,
  /** The sponsor's clock, milliseconds UTC. */
  time: uint(),
  countersignature: signature,
})

/** Proof under a `user.create`. */
const userProof = variant('type', {
  /** The device is the network's founder. */
  founder: struct({}),
  /** The network admits anybody. */
  open: struct({}),
  invite: inviteProof,
})

/** Proof under a `device.add`. */
const deviceProof = variant('type', {
  /** The countersignature of an active device of the same user. */
  device: struct({ device: key, signature }),
  invite: inviteProof,
  /** Signed by the user's recovery key: the kit alone brings a person back. */
  recovery: struct({ signature }),
  /** Signed by the user's restore key: a backup brings a node back, with nobody at the keyboard. */
  restore: struct({ signature }),
})

const stored = {
  root: link<ContentId>(DAG_PB, RAW),
  /** Bytes that a copy takes: the blocks of the DAG. */
  storedSize: uint(),
} as const

const details = {
  name: nameShape,
  folder: list(nameShape, MAX_FOLDER_DEPTH),
  mediaType: mediaTypeShape,
  /** Plain bytes. */
  size: uint(),
  /** SHA-256 of the plain bytes. */
  sha256: bytes(32),
} as const

/** What a private version says under its metadata key. */
export const detailsShape = struct(details)

const publicContent = { ...stored, ...details, visibility: oneOf('public') } as const

const privateContent = {
  ...stored,
  visibility: oneOf('private'),
  /** The first bytes of the ciphertext, so that a range needs its own segments only. */
  header: bytes(CONTENT_HEADER_BYTES),
  /** `detailsShape`, padded, under the metadata key. */
  metadata: bytes(1, MAX_METADATA_BYTES),
  /** The owner's user key (X25519) that the two keys are sealed to. */
  userKey: key,
  metadataKey: sealedKey,
  contentKey: sealedKey,
} as const

const change = { file, parents: list(version, MAX_PARENTS, 1) } as const

/** A secret sealed to the X25519 public key `to`. */
const seal = struct({ to: key, sealed: sealedKey })

/** Revocations and renamings name a device by its admission too: what is not in the chain yet is waited for. */
const deviceReference = { device: key, admission: record } as const

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
    /** X25519 public key that belongs to the kit, and the user key's secret sealed to it. */
    recovery: optional(seal),
    /** Ed25519 public key whose secret stands only inside encrypted backups. */
    restoreKey: key,
    proof: userProof,
  }),
  'device.add': struct({ name: nameShape, encryptionKey: key, proof: deviceProof }),
  'device.name': struct({ ...deviceReference, name: nameShape }),
  'device.revoke': struct({
    ...deviceReference,
    /** The last record of the device that counts. */
    through: struct({ sequence: uint(), record }),
    reason: prose(MAX_REASON_CHARACTERS),
    /** By the user's recovery key: overrules every other revocation. */
    recovery: optional(signature),
  }),
  'user.key': struct({
    /** X25519 public key of the new generation. */
    key,
    /** Its secret, for each device and the recovery key. */
    seals: list(seal, MAX_SEALS),
    /** Secrets of earlier keys, sealed to the new one. */
    earlier: list(struct({ key, sealed: sealedKey }), MAX_EARLIER_KEYS),
  }),
  'key.copy': struct({
    copies: list(
      variant('type', {
        /** The secret of the user key `key`, for another device. */
        user: struct({ key, to: key, sealed: sealedKey }),
        /** The metadata key of a version, for somebody who may read it. */
        metadata: struct({ version, to: key, sealed: sealedKey }),
      }),
      MAX_SEALS,
      1,
    ),
  }),
  invite: struct({
    /** Ed25519 public half of the one-time secret. */
    key,
    role: oneOf('admin', 'member', 'backup'),
    /** For a further device of the one who invites, not for a new user. */
    ownDevice: boolean(),
    /** Milliseconds UTC. */
    expires: uint(),
  }),
  'invite.cancel': struct({ invite: record }),
  'file.add': tagged('visibility', {
    public: struct(publicContent),
    private: struct(privateContent),
  }),
  'file.update': tagged('visibility', {
    public: struct({ ...publicContent, ...change }),
    private: struct({ ...privateContent, ...change }),
  }),
  'file.remove': struct(change),
  vote: struct({
    version,
    verdict: oneOf('authentic', 'suspicious'),
    comment: prose(MAX_COMMENT_CHARACTERS),
  }),
  grant: struct({
    file,
    user,
    /** The grantee's user key that the metadata key is sealed to. */
    to: key,
    metadataKey: sealedKey,
    /** Milliseconds UTC; absent: for ever. */
    expires: optional(uint()),
    /** Releases of a content key; absent: any number. */
    downloads: optional(uint()),
  }),
  revoke: struct({ grant: record }),
  access: struct({ version, grant: optional(record) }),
  release: struct({
    access: record,
    /** The `holder.add` that this device may do it by, unless it is the owner's. */
    holder: optional(record),
  }),
  /** A device beyond the owner's own that may release keys of a file. */
  'holder.add': struct({
    file,
    ...deviceReference,
    /** For each version both keys, sealed to the device's encryption key. */
    keys: list(struct({ version, metadataKey: sealedKey, contentKey: sealedKey }), MAX_SEALS),
  }),
  'holder.remove': struct({
    file,
    device: key,
    /** The `holder.add` that is taken back. */
    holder: record,
  }),
  /** What a forerunner of this program had stored, kept as a file, with the hashes of its parts. */
  'legacy.import': struct({
    version,
    parts: list(
      struct({
        kind: oneOf('blockchain', 'verifications', 'contracts'),
        sha256: bytes(32),
        size: uint(),
        /** Blocks, files with votes, or contracts in it. */
        entries: uint(),
      }),
      3,
      1,
    ),
  }),
  upgrade: struct({ ruleVersion: uint(), activationHeight: uint() }),
} as const
