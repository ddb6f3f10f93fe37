/**
 * CAR answers (https://specs.ipfs.tech/http-gateways/trustless-gateway/): version 1, depth first, each block
 * once, so that the same request always gives the same bytes.
 */
import { CarWriter } from '@ipld/car/writer'
import type { CID } from 'multiformats/cid'
import type { Blocks } from './blocks.ts'
import { type Block, type Entity, fileParts, treeOf } from './unixfs.ts'

export const CAR_TYPE = 'application/vnd.ipld.car; version=1; order=dfs; dups=n'
/** CIDs remembered to send each block once: 256 GiB of leaves of 1 MiB. Beyond, a block may come again. */
const MAX_SEEN = 262_144

export type DagScope = 'block' | 'entity' | 'all'

export interface CarRequest {
  /** Blocks of the path above the entity. */
  readonly passed: readonly Block[]
  readonly entity: Entity
  readonly scope: DagScope
  /** Bytes of the file for scope `entity`: start, and end (exclusive). */
  readonly range: { readonly start: number; readonly end: number } | undefined
}

/** The bytes of the CAR; its root is the entity. */
export async function* carOf(blocks: Blocks, request: CarRequest): AsyncGenerator<Uint8Array> {
  const { writer, out } = CarWriter.create([request.entity.cid])
  const result: { error?: unknown } = {}
  const written = (async () => {
    try {
      const seen = new Set<string>()
      for await (const { cid, bytes } of blocksOf(blocks, request)) {
        const name = cid.toString()
        if (seen.has(name)) continue
        if (seen.size < MAX_SEEN) seen.add(name)
        await writer.put({ cid, bytes })
      }
    } catch (error) {
      result.error = error
    } finally {
      await writer.close()
    }
  })()
  yield* out
  await written
  if (result.error !== undefined) throw result.error
}

async function* blocksOf(
  blocks: Blocks,
  { passed, entity, scope, range }: CarRequest,
): AsyncGenerator<Block> {
  yield* passed
  const { cid, block } = entity
  if (scope === 'all') yield* treeOf(blocks, cid)
  else if (scope === 'entity' && entity.kind === 'file') {
    yield* fileParts(blocks, cid, range ?? { start: 0, end: entity.size }, block)
  } else if (scope === 'entity' && entity.kind === 'folder') yield* shardsOf(blocks, cid)
  else yield { cid, bytes: block }
}

/** A folder's own blocks: itself and its shards. */
async function* shardsOf(blocks: Blocks, cid: CID): AsyncGenerator<Block> {
  const { folderEntries } = await import('./folders.ts')
  let any = false
  for await (const { path } of folderEntries(blocks, cid)) {
    any = true
    yield* path
  }
  if (!any) yield { cid, bytes: await blocks.get(cid) }
}
