/** Bodies in windows: one arrives while those before are verified and imported. */
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

/** Blocks per window: what one core verifies in a tenth of a second, so that the first and the last wait little. */
const WINDOW_BLOCKS = 256
/** Bytes of bodies per window. */
const WINDOW_BYTES: number = MIB
/** Windows that the chain verifies and imports at a time: what keeps the verifier busy during a long import. */
const MAX_WINDOWS = 24

export interface BodyWindows {
  /**
   * Asks for the bodies of `ids` (parents first, after those of the calls before) and hands them to the chain,
   * window by window; resolves when all are handed over. The chain gets a window while it still verifies and
   * imports those before.
   *
   * @throws `SYNC_BODY_WITHHELD` and what peer and chain throw
   */
  take(ids: readonly BlockId[]): Promise<void>
  /** Resolves when what was handed over is imported, rejects with the first failure of it. */
  imported(): Promise<void>
}

/** @param progress - told of each window that was imported, with its number of blocks */
export function createBodyWindows(
  peer: SyncPeer,
  chain: Pick<SyncChain, 'acceptBodies'>,
  signal: AbortSignal,
  progress: (blocks: number) => void,
): BodyWindows {
  const stop = new AbortController()
  const stopped = AbortSignal.any([signal, stop.signal])
  const importing: Promise<void>[] = []
  let last: Promise<void> = Promise.resolve()

  const imported = async (): Promise<void> => {
    // A window that is being imported comes to its end, and the first failure is the one that counts.
    await Promise.allSettled(importing)
    await Promise.all(importing)
  }

  const handOver = async (ids: readonly BlockId[]): Promise<void> => {
    try {
      for await (const window of fetchWindows(peer, ids, stopped)) {
        if (importing.length >= MAX_WINDOWS) {
          await importing[0]
          importing.shift()
        }
        const accepted = chain.acceptBodies(window, peer.id).then(() => progress(window.length))
        accepted.catch(() => stop.abort())
        importing.push(accepted)
      }
    } catch (error) {
      await imported()
      throw error
    }
  }

  return {
    imported,
    take: (ids) => {
      last = last.then(() => handOver(ids))
      return last
    },
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
