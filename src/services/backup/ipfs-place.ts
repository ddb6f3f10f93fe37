/**
 * Where IPFS has an object: under the CID of its bytes as one block, as long as they are one. A larger one is cut into
 * blocks by whoever takes it, and its CID has to be remembered.
 */
import { equalBytes } from '../../common/bytes.ts'
import { CID_BYTES, isPlainCid, writePlainCid } from '../../common/cid-text.ts'
import { sha256 } from '../../common/crypto.ts'
import { cidText, digestOf, RAW } from '../../common/dag-cbor.ts'
import { backupError } from './errors.ts'

/** Characters of a place: a CID, and the name of a file in the directory that it names. */
export const MAX_PLACE = 320
const PLACE = /^[A-Za-z0-9]{46,100}(?:\/[\w.-]{1,210})?$/
/** What people copy: the CID itself, an address of it, a gateway's link. */
const COPIED = /^(?:ipfs:\/\/|https?:\/\/[^/]+\/ipfs\/)?(b[a-z2-7]{58})\/?$/

/** The CID under which IPFS has an object of one block. */
export function cidOfObject(bytes: Uint8Array): string {
  return cidText(RAW, sha256(bytes))
}

/** Whether this is a place that can be asked for. */
export function isPlace(text: string): boolean {
  return text.length <= MAX_PLACE && PLACE.test(text)
}

/** What has to be remembered of a place: nothing when the object's SHA-256 says it. */
export function placeToKeep(
  place: string | undefined,
  digest: Uint8Array,
): { readonly cid?: string } {
  return place === undefined || place === cidText(RAW, digest) ? {} : { cid: place }
}

/** Where the object of a reference is. */
export function placeOf(ref: { readonly sha256: Uint8Array; readonly cid?: string }): string {
  return ref.cid ?? cidText(RAW, ref.sha256)
}

/** Whether somebody means a backup by its CID; also a gateway's link. */
export function isBackupCid(text: string): boolean {
  return cidIn(text) !== undefined
}

/**
 * The CID of a backup's manifest in what a person gives: itself, `ipfs://…`, or a gateway's link.
 *
 * @throws BACKUP_CID: none, or of something that is not one block, as manifests are
 */
export function parseBackupCid(text: string): string {
  const cid = cidIn(text)
  if (cid === undefined) throw backupError('BACKUP_CID', { cid: text.trim().slice(0, 100) })
  return cid
}

function cidIn(text: string): string | undefined {
  const cid = COPIED.exec(text.trim())?.[1]
  if (cid === undefined) return undefined
  const bytes = new Uint8Array(CID_BYTES)
  const isOne = writePlainCid(cid, bytes, 0) && isPlainCid(bytes, 0) && bytes[1] === RAW
  return isOne ? cid : undefined
}

/** Whether these are the bytes of the CID of one block. */
export function isContentOf(cid: string, bytes: Uint8Array): boolean {
  return equalBytes(sha256(bytes), digestOf(cid))
}
