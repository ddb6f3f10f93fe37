/**
 * What anybody may read through the gateway: the content of public versions, and in an open network the chain. In
 * one that lets in by invite, who the members are and what they did is theirs. Answers from this device's own data;
 * brings missing bytes of public versions from members, never from elsewhere.
 */
import type { CID } from 'multiformats/cid'
import type { ContentId } from '../chain/ids.ts'
import type { NetworkParams } from '../chain/params.ts'
import type { Clock } from '../common/clock.ts'
import { DAG_CBOR } from '../common/dag-cbor.ts'
import type { Events } from '../common/events.ts'
import type { Transfer } from '../network/transfer/transfer.ts'
import type { NodeEvents } from '../services/events.ts'
import type { ContentBlockstore } from '../storage/blockstore.ts'
import { readChainBlock } from '../storage/chain-blocks.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import { createPublicBlocks } from './public-blocks.ts'

export interface PublicContent {
  /** Whether the block belongs to a public version that is not removed, or to the chain of an open network. */
  isPublic(cid: CID): Promise<boolean>
  /** The name and type of the newest version with this root. */
  describe(cid: CID): { readonly name: string; readonly mediaType: string } | null
  /** One block, verified. @throws CONTENT_MISSING, transfer errors */
  get(cid: CID, options: { readonly signal: AbortSignal }): Promise<Uint8Array>
}

export function createPublicContent(
  components: {
    readonly store: ChainStore
    readonly content: Pick<ContentBlockstore, 'bytes'>
    readonly broker: Pick<Transfer['broker'], 'retrieve'>
    readonly events: Events<NodeEvents>
    readonly clock: Clock
  },
  { admission }: Pick<NetworkParams, 'admission'>,
): PublicContent {
  const { store, content, broker, events, clock } = components
  const readChain = (cid: CID): Uint8Array | undefined =>
    admission === 'open' ? readChainBlock(store, cid) : undefined
  const read = async (cid: CID): Promise<Uint8Array | undefined> => {
    try {
      return await content.bytes(cid)
    } catch {
      return undefined
    }
  }

  const blocks = createPublicBlocks({ store, read, events, clock })

  const currentVersion = (root: ContentId): { name: string; mediaType: string } | undefined => {
    for (const file of store.projections.filesByRoot(root)) {
      const entry = store.projections.file(file)
      if (entry === undefined || entry.removed) continue
      const { body } = entry.record
      // Only what its owner made public leaves by the gateway: not even the ciphertext of the rest.
      if (body.visibility !== 'public' || body.root !== root) continue
      return { name: body.name, mediaType: body.mediaType }
    }
    return undefined
  }

  return {
    isPublic: async (cid) => {
      const text = cid.toV1().toString()
      if (cid.code === DAG_CBOR) return readChain(cid) !== undefined
      if (currentVersion(text as ContentId) !== undefined) return true
      const roots = await blocks.rootsOf(cid)
      return roots.some((root) => currentVersion(root) !== undefined)
    },
    describe: (cid) => currentVersion(cid.toV1().toString() as ContentId) ?? null,
    get: async (cid, { signal }) => {
      const own = readChain(cid) ?? (await read(cid))
      return own ?? (await broker.retrieve(cid, { signal }))
    },
  }
}
