/**
 * How the files of a forerunner are kept as the content of one file: the DAG-CBOR map `{format, parts}`, `format`
 * is `cairn-legacy/1`, each part `{kind, bytes}` with the exact bytes of one file.
 */
import type { RecordBody } from '../../chain/record.ts'
import { sha256 } from '../../common/crypto.ts'
import { decode, encode } from '../../common/dag-cbor.ts'
import { messageOf } from '../../common/errors.ts'
import { KIB, MIB } from '../../common/limits.ts'
import { bytes, list, oneOf, type Shaped, struct } from '../../common/schema.ts'
import { legacyError } from './errors.ts'

/**
 * Bytes of all parts: some seventy thousand blocks. Read as JSON they take about ten times that in memory, and the
 * forerunner wrote the whole file anew for each of its blocks.
 */
export const MAX_LEGACY_BYTES: number = 32 * MIB
/** Bytes of the container: the parts and what stands around them. */
export const MAX_CONTAINER_BYTES: number = MAX_LEGACY_BYTES + KIB

export const LEGACY_KINDS = ['blockchain', 'verifications', 'contracts'] as const
export type LegacyKind = (typeof LEGACY_KINDS)[number]

/** The name that the forerunner gives a file. */
export function legacyName(kind: LegacyKind): string {
  return `${kind}.json`
}

const shape = struct({
  format: oneOf('cairn-legacy/1'),
  parts: list(struct({ kind: oneOf(...LEGACY_KINDS), bytes: bytes(0, MAX_LEGACY_BYTES) }), 3, 1),
})

export type LegacyPart = Shaped<typeof shape>['parts'][number]
/** What the record says of one part. */
export type LegacyPartRecord = RecordBody<'legacy.import'>['parts'][number]

/** In the order of LEGACY_KINDS. */
export function encodeLegacy(parts: readonly LegacyPart[]): Uint8Array {
  const ordered = LEGACY_KINDS.flatMap((kind) => parts.filter((part) => part.kind === kind))
  return encode(shape.write({ format: 'cairn-legacy/1', parts: ordered }) ?? null)
}

/** @throws LEGACY_CONTAINER */
export function decodeLegacy(encoded: Uint8Array): readonly LegacyPart[] {
  let parts: readonly LegacyPart[]
  try {
    parts = shape.read(decode(encoded, MAX_CONTAINER_BYTES), 'container').parts
  } catch (error) {
    throw legacyError('LEGACY_CONTAINER', { why: messageOf(error) }, error)
  }
  if (new Set(parts.map(({ kind }) => kind)).size < parts.length) {
    throw legacyError('LEGACY_CONTAINER', { why: 'a kind of file is in it twice' })
  }
  return parts
}

/** @param entries - blocks, files with votes, or contracts in it */
export function partRecord(
  { kind, bytes: content }: LegacyPart,
  entries: number,
): LegacyPartRecord {
  return { kind, sha256: sha256(content), size: content.length, entries }
}
