/**
 * The transfer protocol as a block broker of Helia: one block from the first source that has it. Sources are
 * asked one after the other, the one that last answered first, so that a block comes once however many have it.
 */
import type { BlockBroker, BlockRetrievalOptions, SessionBlockBroker } from '@helia/interface'
import type { CID } from 'multiformats/cid'
import { SHA2_256 } from '../../common/dag-cbor.ts'
import { CairnError } from '../../common/errors.ts'
import type { BlockDoor } from './block-door.ts'
import { transferError } from './errors.ts'
import { CARRIED_CODECS } from './messages.ts'
import type { Sources } from './sources.ts'

export interface BrokerComponents {
  door: BlockDoor
  sources: Sources
}

export interface TransferBroker extends BlockBroker {
  retrieve(cid: CID, options?: BlockRetrievalOptions): Promise<Uint8Array>
  createSession(): SessionBlockBroker
}

export function createBroker({ door, sources }: BrokerComponents): TransferBroker {
  let favourite: string | undefined

  /** @throws `NO_SOURCE`, `CID_UNSUPPORTED`, `FRAME_TOO_LARGE`, the signal's reason */
  const retrieve = async (cid: CID, options: BlockRetrievalOptions = {}): Promise<Uint8Array> => {
    const { signal, validateFn, maxSize } = options
    if (cid.multihash.code !== SHA2_256 || !CARRIED_CODECS.includes(cid.code)) {
      throw transferError('CID_UNSUPPORTED', { cid: `${cid}` })
    }
    signal?.throwIfAborted()
    const shared = await raced(door.underWay(cid), signal)
    const block = shared ?? (await ask(cid, signal))
    if (maxSize !== undefined && block.length > maxSize) {
      throw transferError('FRAME_TOO_LARGE', { peer: '', bytes: block.length, most: maxSize })
    }
    await validateFn?.(block)
    return block
  }

  const ask = async (cid: CID, signal: AbortSignal | undefined): Promise<Uint8Array> => {
    const tried = new Set<string>()
    for (;;) {
      const usable = sources.usable().filter(({ peer, busy }) => !busy && !tried.has(peer))
      const source = usable.find(({ peer }) => peer === favourite) ?? usable[0]
      if (source === undefined) throw transferError('NO_SOURCE', { cid: `${cid}` })
      tried.add(source.peer)
      const want = source.want(cid)
      const aborted = (): void => want.cancel(signal?.reason)
      signal?.addEventListener('abort', aborted, { once: true })
      try {
        const block = await want.block
        favourite = source.peer
        return block
      } catch (error) {
        signal?.throwIfAborted()
        if (!(error instanceof CairnError) || error.verdict === undefined) throw error
      } finally {
        signal?.removeEventListener('abort', aborted)
      }
    }
  }

  return {
    name: 'cairn-transfer',
    retrieve,
    // Every connected member is asked anyway, and each block once: a session has nothing to add.
    createSession: () => ({ name: 'cairn-transfer', retrieve, addPeer: async () => {} }),
  }
}

/** What `promise` brings; undefined when there is none or it fails; throws when `signal` aborts first. */
async function raced<T>(
  promise: Promise<T> | undefined,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  if (promise === undefined) return undefined
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = (): void => reject(signal?.reason)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([promise.catch(() => undefined), aborted])
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}
