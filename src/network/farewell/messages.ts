/**
 * `/cairn/farewell/1.0.0`: what a revoked device is told before its connection ends. One frame of canonical DAG-CBOR,
 * from the member to the device: the signed revocation itself, and then the admissions of the device that signed it
 * and of those that it rests on. Nothing here is said; it is shown. Pure.
 */
import { decode, encode } from '../../common/dag-cbor.ts'
import { KIB, MAX_RECORD_BYTES } from '../../common/limits.ts'
import { bytes, list, struct } from '../../common/schema.ts'

export const FAREWELL_PROTOCOL = '/cairn/farewell/1.0.0'

/** The revocation, and admissions that rest on each other. */
export const MAX_FAREWELL_RECORDS = 8
/** Bytes of the frame. */
export const MAX_FAREWELL_BYTES: number = MAX_FAREWELL_RECORDS * MAX_RECORD_BYTES + KIB

const shape = struct({ records: list(bytes(1, MAX_RECORD_BYTES), MAX_FAREWELL_RECORDS, 1) })

export function encodeFarewell(records: readonly Uint8Array[]): Uint8Array {
  return encode(shape.write({ records: [...records] }) ?? null)
}

/** @throws `ENCODING` */
export function decodeFarewell(encoded: Uint8Array): readonly Uint8Array[] {
  return shape.read(decode(encoded, MAX_FAREWELL_BYTES), 'farewell').records
}
