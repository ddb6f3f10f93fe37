/** Bodies in windows: one is imported while the next arrives, so that at most two are in memory. */
import type { BlockId } from '../../chain/ids.ts'
import { MIB } from '../../common/limits.ts'
import { networkError } from '../errors.ts'
import type { SyncChain } from './chain.ts'
import { MAX_BODIES } from './messages.ts'
import type { SyncPeer } from './peer.ts'

interface FetchedBlock {
  readonly id: BlockId
  readonly body: Uint8Array
}

/** Blocks per window: one database transaction of a size that is still fast. */
const WINDOW_BLOCKS = 256
/** Bytes of bodies per window. */
const WINDOW_BYTES: number = 4 * MIB

/**
 * Asks `peer` for the bodies of `ids` (parents first) and hands them to the chain, window by window.
 * What came before a failure is imported. Gives the number of blocks.
 *
 * @throws `SYNC_BODY_WITHHELD` and what peer and chain throw
 */
export async function importBodies(
  peer: SyncPeer,
  chain: Pick<SyncChain, 'acceptBodies'>,
  ids: readonly BlockId[],
  signal: AbortSignal,
  progress: () => void,
): Promise<number> {
  const stop = new AbortController()
  const windows = fetchWindows(peer, ids, AbortSignal.any([signal, stop.signal]))
  let count = 0
  let next = windows.next()
  try {
    for (;;) {
      const window = await next
      if (window.done === true) return count
      next = windows.next()
      next.catch(() => {})
      await chain.acceptBodies(window.value, peer.id)
      count += window.value.length
      progress()
    }
  } finally {
    stop.abort()
    await windows.return(undefined).catch(() => {})
  }
}

async function* fetchWindows(
  peer: SyncPeer,
  ids: readonly BlockId[],
  signal: AbortSignal,
): AsyncGenerator<FetchedBlock[], undefined> {
  let window: FetchedBlock[] = []
  let bytes = 0
  let done = 0
  while (done < ids.length) {
    const asked = ids.slice(done, done + MAX_BODIES)
    let failure: unknown
    let given = 0
    try {
      for await (const body of peer.bodies(asked, signal)) {
        const id = asked[given]
        if (body === undefined || id === undefined) break
        given += 1
        window.push({ id, body })
        bytes += body.length
        if (window.length < WINDOW_BLOCKS && bytes < WINDOW_BYTES) continue
        yield window
        window = []
        bytes = 0
      }
    } catch (error) {
      failure = error
    }
    // An answer may be short, so long as each brings something.
    const missing = asked[given]
    if (failure === undefined && given === 0 && missing !== undefined) {
      failure = networkError('SYNC_BODY_WITHHELD', { peer: peer.id, block: missing })
    }
    if (failure !== undefined) {
      if (window.length > 0) yield window
      throw failure
    }
    done += given
  }
  if (window.length > 0) yield window
  return undefined
}
