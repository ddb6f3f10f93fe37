/** A content store in a directory of its own, for one test. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CID } from 'multiformats/cid'
import { create as createDigest } from 'multiformats/hashes/digest'
import { sha256 } from '../../../src/common/crypto.ts'
import { RAW, SHA2_256 } from '../../../src/common/dag-cbor.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { type ContentBlockstore, createContentBlockstore } from '../../../src/storage/blockstore.ts'
import type { FileCalls } from '../../../src/storage/blockstore-files.ts'

export interface TestStore {
  readonly dir: string
  readonly store: ContentBlockstore
  /** Damaged blocks that were reported. */
  readonly damaged: string[]
}

export function rawCid(bytes: Uint8Array): CID {
  return CID.createV1(RAW, createDigest(SHA2_256, sha256(bytes)))
}

/** `length` bytes that depend on `seed` alone. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed * 2654435761 + 1
  for (let index = 0; index < length; index += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

export async function openStore(dir: string, calls?: FileCalls): Promise<TestStore> {
  const damaged: string[] = []
  const store = createContentBlockstore(
    {
      logger: silentLogger,
      now: Date.now,
      onDamaged: (cid) => damaged.push(cid.toString()),
      ...(calls === undefined ? {} : { calls }),
    },
    { dir },
  )
  await store.start()
  return { dir, store, damaged }
}

export async function withDirectory<T>(run: (dir: string) => Promise<T>): Promise<T> {
  const dir = await mkdtemp(join(tmpdir(), 'cairn-content-'))
  try {
    return await run(dir)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

export function withStore<T>(run: (store: TestStore) => Promise<T>, calls?: FileCalls): Promise<T> {
  return withDirectory(async (dir) => run(await openStore(join(dir, 'content'), calls)))
}
