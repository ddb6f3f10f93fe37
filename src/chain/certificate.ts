/**
 * Certificates: one value that shows, without a node, that a version of a file stands in a chain. This file is
 * their encoding; what is checked stands in certificate-check.ts.
 *
 * owns: shape, limits, the maker's signature
 * does not own: the page around it (services/certificates/page.ts)
 */
import { concatBytes, utf8 } from '../common/bytes.ts'
import { KEY_BYTES, SIGNATURE_BYTES, verifyEd25519 } from '../common/crypto.ts'
import { decode, encode } from '../common/dag-cbor.ts'
import { messageOf } from '../common/errors.ts'
import { MAX_BODY_BYTES, MAX_HEADER_BYTES, MIB } from '../common/limits.ts'
import {
  boolean,
  bytes,
  list,
  optional,
  type Shape,
  type Shaped,
  struct,
  tuple,
  uint,
} from '../common/schema.ts'
import { invalidCertificate } from './certificate-errors.ts'
import { MAX_PARAMS_BYTES } from './params.ts'

/** Domain string of the signature of whoever made a certificate. */
const CERTIFICATE_DOMAIN = 'cairn/certificate/1'
/** Headers in one certificate: a page of 6 MB, made within a second and checked within three. */
export const MAX_CERTIFICATE_HEADERS = 16_000
/** Bodies and records that one certificate cites. */
export const MAX_CERTIFICATE_BODIES = 512
export const MAX_CITED = 1024
/** Bytes of all bodies of one certificate. */
export const MAX_CERTIFICATE_BODY_BYTES: number = 8 * MIB
/** Bytes of an encoded certificate: all headers and all bodies. */
export const MAX_CERTIFICATE_BYTES: number = 16 * MIB

const placeShape = tuple(['height', uint()], ['index', uint()])

export type CertificatePlace = Shaped<typeof placeShape>

const fields = {
  version: uint(1),
  /** The encoded parameters of the network. */
  parameters: bytes(1, MAX_PARAMS_BYTES),
  /** Headers of the best chain without a gap, from `height` up; between two runs headers are left out. */
  runs: list(
    struct({
      height: uint(),
      headers: list(bytes(1, MAX_HEADER_BYTES), MAX_CERTIFICATE_HEADERS, 1),
    }),
    MAX_CERTIFICATE_BODIES,
    1,
  ),
  /** Bodies of some of these blocks, by height. */
  bodies: list(
    struct({ height: uint(), bytes: bytes(1, MAX_BODY_BYTES) }),
    MAX_CERTIFICATE_BODIES,
    1,
  ),
  /** The records that count here, in the order of the chain. */
  cited: list(placeShape, MAX_CITED, 1),
  /** The record of the version; one of `cited`. */
  subject: placeShape,
  /** Of a private version: opens its name, size and hash, not its bytes. */
  metadataKey: optional(bytes(KEY_BYTES)),
  /** What the maker says and nothing here shows. */
  stated: struct({
    /** Height of the maker's tip. */
    height: uint(),
    /** Whether the author's device was not revoked there. */
    authorActive: boolean(),
    /** Thousandths and numbers of votes: authentic, suspicious. */
    authenticWeight: uint(),
    suspiciousWeight: uint(),
    authenticVotes: uint(),
    suspiciousVotes: uint(),
    /** Weights (thousandths) of votes that are cited. */
    weights: list(tuple(['vote', placeShape], ['weight', uint()]), MAX_CITED),
  }),
  /** Ed25519 public key of the device that made it, and its clock in milliseconds UTC. */
  maker: bytes(KEY_BYTES),
  time: uint(),
} as const

const unsignedShape = struct(fields)
const shape = struct({ ...fields, signature: bytes(SIGNATURE_BYTES) })

export type UnsignedCertificate = Shaped<typeof unsignedShape>
export type Certificate = Shaped<typeof shape>

function messageFor(certificate: UnsignedCertificate): Uint8Array {
  const value = (unsignedShape as Shape<UnsignedCertificate>).write(certificate) ?? null
  return concatBytes([utf8(CERTIFICATE_DOMAIN), encode(value)])
}

/** @param sign - Ed25519 signature (64 bytes) by the maker's key */
export function signCertificate(
  unsigned: UnsignedCertificate,
  sign: (message: Uint8Array) => Uint8Array,
): Uint8Array {
  return encode(shape.write({ ...unsigned, signature: sign(messageFor(unsigned)) }) ?? null)
}

/** Whether the signature of `certificate` is its maker's. */
export function verifyCertificateSignature(certificate: Certificate): boolean {
  const { signature, ...unsigned } = certificate
  return verifyEd25519(certificate.maker, messageFor(unsigned), signature)
}

/** @throws CERTIFICATE_INVALID (encoding) */
export function decodeCertificate(encoded: Uint8Array): Certificate {
  try {
    return shape.read(decode(encoded, MAX_CERTIFICATE_BYTES), 'certificate')
  } catch (error) {
    throw invalidCertificate('encoding', `it cannot be read (${messageOf(error)})`, error)
  }
}
