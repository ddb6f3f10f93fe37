/** Bodies in windows: one arrives, one is verified, one is imported; at most three are in memory. */
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

/** Blocks per window: one database transaction. A commit of many small ones costs more than the rules do. */
const WINDOW_BLOCKS = 1024
/** Bytes of bodies per window. */
const WINDOW_BYTES: number = 4 * MIB

/**
 * Asks `peer` for the bodies of `ids` (parents first) and hands them to the chain, window by window. The chain
 * gets a window while it still imports the one before: it can verify the one and connect the other at the same
 * time. What came before a failure is imported. Gives the number of blocks.
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
  let importing: Promise<void> = Promise.resolve()
  let count = 0
  try {
    for await (const window of windows) {
      const accepted = chain.acceptBodies(window, peer.id).then(() => {
        count += window.length
        progress()
      })
      accepted.catch(() => stop.abort())
      await importing
      importing = accepted
    }
    await importing
    return count
  } catch (error) {
    // A window that is being imported comes to its end, and its own failure is the one that counts.
    await importing
    throw error
  } finally {
    stop.abort()
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
