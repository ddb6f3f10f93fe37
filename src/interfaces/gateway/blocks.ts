/** Blocks for one gateway request: the public check at its root, a time limit for each block. */
import { CID } from 'multiformats/cid'
import { codeOf } from '../../common/errors.ts'
import { meaningOf } from '../error-codes.ts'
import { interfaceError } from '../errors.ts'
import type { ContentApi } from '../http/api.ts'

/** Milliseconds that a block may take to come from another device. */
const BLOCK_MS = 30_000
/** Multihash code of the identity "hash": the bytes stand in the CID itself. */
const IDENTITY = 0x00
/** Bytes of an identity CID that is served: the specification's bound. */
const MAX_IDENTITY_BYTES = 128

export interface Blocks {
  /** @throws GATEWAY_TIMEOUT, and what the content throws */
  get(cid: CID): Promise<Uint8Array>
}

/** The CID that `text` stands for. @throws CID_INVALID */
export function parseCid(text: string): CID {
  try {
    return CID.parse(text)
  } catch {
    throw interfaceError('CID_INVALID', { text: text.slice(0, 120) })
  }
}

/** Blocks at and below a public root. @throws NOT_PUBLIC */
export async function openBlocks(
  content: ContentApi,
  root: CID,
  signal: AbortSignal,
  blockMs: number = BLOCK_MS,
): Promise<Blocks> {
  const inline = root.multihash.code === IDENTITY && root.multihash.size <= MAX_IDENTITY_BYTES
  if (!inline && !(await content.isPublic(root))) {
    throw interfaceError('NOT_PUBLIC', { cid: root.toString() })
  }
  return {
    get: async (cid) => {
      if (cid.multihash.code === IDENTITY) return cid.multihash.digest
      const timeout = AbortSignal.timeout(blockMs)
      try {
        return await content.get(cid, { signal: AbortSignal.any([signal, timeout]) })
      } catch (error) {
        const late = timeout.aborted && !signal.aborted
        // What no device that is connected has may come back with the next one: late, not gone.
        if (late || meaningOf(codeOf(error)).http === 503) {
          throw interfaceError('GATEWAY_TIMEOUT', { seconds: blockMs / 1000 }, error)
        }
        throw error
      }
    },
  }
}
