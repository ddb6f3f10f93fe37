/**
 * What anybody may read through the gateway: the content of public versions, and in an open network the chain. In
 * one that lets in by invite, who the members are and what they did is theirs. Answers from this device's own data;
 * brings missing bytes of public versions from members, never from elsewhere.
 */
import { CID } from 'multiformats/cid'
import type { ContentId } from '../chain/ids.ts'
import type { NetworkParams } from '../chain/params.ts'
import { DAG_CBOR, DAG_PB } from '../common/dag-cbor.ts'
import type { Transfer } from '../network/transfer/transfer.ts'
import type { ContentBlockstore } from '../storage/blockstore.ts'
import { readChainBlock } from '../storage/chain-blocks.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import { dagBlocks } from '../storage/pins-walk.ts'

/** Public blocks below a root that were found lately; a page is read block by block. */
const REMEMBERED = 10_000
/** Files looked through for a block that is no root. */
const MAX_FILES = 10_000

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
  },
  { admission }: Pick<NetworkParams, 'admission'>,
): PublicContent {
  const { store, content, broker } = components
  const readChain = (cid: CID): Uint8Array | undefined =>
    admission === 'open' ? readChainBlock(store, cid) : undefined
  /** Below which root. */
  const found = new Map<string, ContentId>()

  const remember = (cid: string, root: ContentId): void => {
    if (found.size >= REMEMBERED) found.clear()
    found.set(cid, root)
  }
  /** Whether it was found below a root that is public still. */
  const isRemembered = (cid: string): boolean => {
    const root = found.get(cid)
    if (root === undefined) return false
    if (currentVersion(root) !== undefined) return true
    found.delete(cid)
    return false
  }

  const read = async (cid: CID): Promise<Uint8Array | undefined> => {
    try {
      return await content.bytes(cid)
    } catch {
      return undefined
    }
  }

  /** Below the root of a public version; only roots that are trees are walked. */
  const isBelowPublicRoot = async (wanted: string): Promise<boolean> => {
    for (const { record } of store.projections.listFiles({ limit: MAX_FILES })) {
      if (record.body.visibility !== 'public') continue
      const root = CID.parse(record.body.root)
      if (root.code !== DAG_PB) continue
      for await (const { cid } of dagBlocks(record.body.root, read)) {
        if (cid.toString() !== wanted) continue
        remember(wanted, record.body.root)
        return true
      }
    }
    return false
  }

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
      if (isRemembered(text)) return true
      if (currentVersion(text as ContentId) !== undefined) return true
      return isBelowPublicRoot(text)
    },
    describe: (cid) => currentVersion(cid.toV1().toString() as ContentId) ?? null,
    get: async (cid, { signal }) => {
      const own = readChain(cid) ?? (await read(cid))
      return own ?? (await broker.retrieve(cid, { signal }))
    },
  }
}
