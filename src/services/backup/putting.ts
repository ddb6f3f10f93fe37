/** Stores the objects of a backup at a destination, and says how a manifest refers to them. */
import { sha256 } from '../../common/crypto.ts'
import type { Destination } from './destination.ts'
import { placeToKeep } from './ipfs-place.ts'
import type { ObjectRef } from './manifest.ts'

/** Where IPFS has an object, and what shows it in a browser. */
export interface Place {
  readonly cid: string
  readonly link: string
}

export interface Stored {
  readonly ref: ObjectRef
  /** Undefined: it is not on IPFS. */
  readonly place: Place | undefined
}

/** @throws the errors of destinations */
export async function putObject(
  destination: Destination,
  { name, bytes, label }: { readonly name: string; readonly bytes: Uint8Array; label?: string },
  { signal, by }: { readonly signal: AbortSignal; readonly by?: number | undefined },
): Promise<Stored> {
  let place: Place | undefined
  await destination.put(name, bytes, {
    signal,
    onPlace: (cid, link) => {
      place = { cid, link }
    },
    ...(by === undefined ? {} : { by }),
    ...(label === undefined ? {} : { label }),
  })
  const digest = sha256(bytes)
  const ref = { name, sha256: digest, size: bytes.length, ...placeToKeep(place?.cid, digest) }
  return { ref, place }
}
