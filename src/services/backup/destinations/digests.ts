/** Digests of objects in the forms that services use. */
import { createHash } from 'node:crypto'
import { backupError } from '../errors.ts'
import { MAX_OBJECT_BYTES } from './answers.ts'

export function digest(
  bytes: Uint8Array,
  algorithm: 'sha256' | 'md5',
  form: 'hex' | 'base64',
): string {
  return createHash(algorithm).update(bytes).digest(form)
}

/** @throws DESTINATION_DIFFERS when `found` is known and is not `wanted` */
export function mustEqual(
  found: string | undefined,
  wanted: string,
  about: { readonly destination: string; readonly name: string },
): void {
  if (found !== undefined && found !== wanted)
    throw backupError('DESTINATION_DIFFERS', { ...about })
}

/** @throws DESTINATION_TOO_LARGE */
export function mustFit(bytes: Uint8Array, destination: string, name: string): void {
  if (bytes.length <= MAX_OBJECT_BYTES) return
  throw backupError('DESTINATION_TOO_LARGE', { destination, name, size: bytes.length })
}
