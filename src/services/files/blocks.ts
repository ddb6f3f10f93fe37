/** One verified block at a time, from this disk or, when it is missing or damaged here, from other devices. */
import type { CID } from 'multiformats/cid'
import { equalBytes } from '../../common/bytes.ts'
import { codeOf } from '../../common/errors.ts'
import { type ContentBlockstore, hashOf } from '../../storage/blockstore.ts'
import { contentError } from '../../storage/blockstore-errors.ts'

/** @throws CONTENT_MISSING, CONTENT_DAMAGED, what the fetching throws */
export type GetBlock = (cid: CID, signal: AbortSignal) => Promise<Uint8Array>

/** @param fetchBlock - asks other devices; missing: only what is here is read */
export function createGetBlock(
  store: Pick<ContentBlockstore, 'bytes' | 'putVerified'>,
  fetchBlock?: GetBlock,
): GetBlock {
  return async (cid, signal) => {
    try {
      signal.throwIfAborted()
      return await store.bytes(cid)
    } catch (error) {
      const code = codeOf(error)
      const absent = code === 'CONTENT_MISSING' || code === 'CONTENT_DAMAGED'
      if (!absent || fetchBlock === undefined) throw error
      const bytes = await fetchBlock(cid, signal).catch((failure: unknown) => {
        // That its own copy is damaged tells more than that nobody else has one now.
        throw code === 'CONTENT_DAMAGED' && codeOf(failure) === 'NO_SOURCE' ? error : failure
      })
      if (!equalBytes(await hashOf(bytes), cid.multihash.digest)) {
        throw contentError('CONTENT_MISMATCH', { cid: cid.toString() })
      }
      await store.putVerified(cid, bytes)
      return bytes
    }
  }
}
