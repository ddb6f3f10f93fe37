/**
 * One backup on IPFS, found from the CID of its manifest alone. The manifest says what else belongs to it and what the
 * bytes of each object have to be; so a gateway is enough, and need not be trusted. It can be read only.
 */

import { equalBytes } from '../../../common/bytes.ts'
import type { Clock } from '../../../common/clock.ts'
import { sha256 } from '../../../common/crypto.ts'
import type { Destination, StoredObject } from '../destination.ts'
import { backupError } from '../errors.ts'
import { isContentOf, placeOf } from '../ipfs-place.ts'
import {
  MAX_MANIFEST_BYTES,
  type Manifest,
  type ObjectRef,
  openManifest,
  readIndex,
  type SegmentEntry,
  segmentName,
} from '../manifest.ts'
import { MAX_OBJECT_BYTES } from './answers.ts'
import { createGatewayReader } from './gateway-read.ts'
import { createHttp } from './http.ts'
import { inOrder } from './s3-list.ts'

export interface GatewayInit {
  /** For people and logs. */
  readonly name: string
  /** Of the manifest: one block. */
  readonly cid: string
  /** The first that has an object gives it; at least one. */
  readonly gateways: readonly URL[]
}

type Ref = Pick<ObjectRef, 'name' | 'sha256' | 'size' | 'cid'>

export function createGatewayDestination(
  components: { readonly clock: Clock },
  init: GatewayInit,
): Destination {
  const { name: destination, cid } = init
  const http = createHttp(destination)
  const reader = createGatewayReader({ ...components, http }, init.gateways)
  let opened: Promise<{ readonly manifest: Manifest; readonly refs: Map<string, Ref> }> | undefined

  const readOnly = async (): Promise<never> => {
    throw backupError('DESTINATION_REFUSED', { destination, why: 'it can be read only' })
  }

  const open = async (signal: AbortSignal) => {
    const bytes = await reader.read(
      {
        place: cid,
        name: cid,
        maxBytes: MAX_MANIFEST_BYTES,
        isIt: (found) => isContentOf(cid, found),
      },
      signal,
    )
    const manifest = openManifest(bytes, cid)
    const refs = new Map<string, Ref>()
    const add = (ref: Ref | null | undefined): void => {
      if (ref !== null && ref !== undefined) refs.set(ref.name, ref)
    }
    for (const entry of manifest.segments) add(refOf(manifest, entry))
    add(manifest.person)
    add(manifest.sealed)
    add(manifest.slot)
    return { manifest, refs }
  }
  /** The manifest; one that could not be read is read again the next time. */
  const backup = (signal: AbortSignal) => {
    opened ??= open(signal).catch((error: unknown) => {
      opened = undefined
      throw error
    })
    return opened
  }

  return {
    kind: 'ipfs',
    name: destination,
    put: readOnly,
    remove: readOnly,
    get: async (name, signal, maxBytes = MAX_OBJECT_BYTES) => {
      const { manifest, refs } = await backup(signal)
      if (name === manifest.object) return manifest.bytes
      const ref = refs.get(name)
      if (ref === undefined) throw backupError('OBJECT_NOT_FOUND', { destination, name })
      const bytes = await reader.read(
        {
          place: placeOf(ref),
          name,
          maxBytes: Math.min(ref.size, maxBytes),
          isIt: (found) => equalBytes(sha256(found), ref.sha256),
        },
        signal,
      )
      if (name !== manifest.sealed?.name) return bytes
      for (const entry of readIndex(bytes, name)) {
        const found = refOf(manifest, entry)
        refs.set(found.name, found)
      }
      return bytes
    },
    list: async (prefix, signal) => {
      const { manifest, refs } = await backup(signal)
      const stored = manifest.time
      const all: StoredObject[] = [
        { name: manifest.object, size: manifest.bytes.length, stored },
        ...[...refs.values()].map(({ name, size }) => ({ name, size, stored })),
      ]
      return inOrder(all.filter(({ name }) => name.startsWith(prefix)))
    },
    close: async () => http.close(),
  }
}

function refOf(manifest: Manifest, entry: SegmentEntry): Ref {
  return { ...entry, name: segmentName(manifest, entry) }
}
