/**
 * The side of sync that asks: what a run with one peer does, without any I/O of its own.
 *
 * 1. Status: same network? Does it claim at least our work, with another tip?
 * 2. Headers after our locator, checked by the chain (link, work, difficulty, seal) before any body is asked for.
 * 3. Bodies of a branch that has shown more work, in windows: the next is on its way while one is imported.
 * 4. Records: the device heads that are not known here, walked back to the newest common record.
 *
 * It takes what is missing here. What is missing there, the other side takes by a run of its own.
 */
import { headerShape } from '../../chain/block.ts'
import type { BlockId, DeviceId } from '../../chain/ids.ts'
import { equalBytes } from '../../common/bytes.ts'
import type { Clock } from '../../common/clock.ts'
import { cidOf, decode } from '../../common/dag-cbor.ts'
import { CairnError } from '../../common/errors.ts'
import { MAX_HEADER_BYTES } from '../../common/limits.ts'
import type { Logger } from '../../common/logger.ts'
import { networkError } from '../errors.ts'
import type { SyncChain } from './chain.ts'
import { headsDigest, MAX_HEADERS, MAX_LOCATOR_IDS } from './messages.ts'
import type { PeerStatus, SyncPeer } from './peer.ts'
import { syncRecords } from './records.ts'
import { createTurn } from './turn.ts'
import { createBodyWindows } from './windows.ts'

export interface SyncResult {
  readonly peer: DeviceId
  /** What was taken in this run. */
  readonly headers: number
  readonly blocks: number
  readonly records: number
  /** The peer's clock minus ours, milliseconds, within the time that its answer took. */
  readonly clockDifference: number
}

export interface SyncClient {
  /**
   * Takes from `peer` what is missing here.
   *
   * @throws `SYNC_*` and the chain's errors; verdict `reject` says that the peer is to blame. What was
   * imported before stays; a peer that fails with blocks has still been asked for its records.
   */
  run(peer: SyncPeer, signal: AbortSignal): Promise<SyncResult>
}

export interface SyncClientComponents {
  readonly chain: SyncChain
  readonly clock: Clock
  readonly logger: Logger
}

export interface SyncClientInit {
  /** Headers per request, for tests. */
  readonly headers?: number
  /** Headers that one run takes without any better chain in sight. */
  readonly maxHeaders?: number
}

/** Milliseconds that a peer may bring no window of blocks before another one is asked as well. */
const PATIENCE_MS = 5000
/** Headers of the first page, the next ones are larger: so that the first bodies come soon. */
const FIRST_HEADERS = 250
/** How many times as many headers the next page has, up to the limit. */
const GROWTH = 2
/** Pages of checked headers whose bodies are on their way or wait: the verifier checks them in turn with bodies. */
const PAGES_AHEAD = 2
/** Headers without a better chain: 11 days of mining without a pause; 40 MB of ids. */
const MAX_USELESS_HEADERS = 500_000
/** Pages of headers in one run that show no more work than those before them: reorgs of the peer meanwhile. */
const MAX_STALE_PAGES = 3

/** A page of headers that was asked for. */
interface AskedPage {
  readonly locator: readonly BlockId[]
  readonly size: number
  readonly headers: Promise<readonly Uint8Array[]>
}

export function createSyncClient(
  { chain, clock, logger }: SyncClientComponents,
  init: SyncClientInit = {},
): SyncClient {
  const limit = init.headers ?? MAX_HEADERS
  const maxHeaders = init.maxHeaders ?? MAX_USELESS_HEADERS
  const turn = createTurn(clock, PATIENCE_MS)

  const mayBeBetter = (claim: PeerStatus): boolean => {
    const own = chain.status()
    return claim.tip !== own.tip && claim.chainwork >= own.chainwork
  }

  async function syncBlocks(
    peer: SyncPeer,
    claim: PeerStatus,
    signal: AbortSignal,
    progress: () => void,
    taken: { headers: number; blocks: number },
  ): Promise<void> {
    const wanted: BlockId[] = []
    let useless = 0
    let shown = 0n
    let stale = 0
    let early = false
    // Bodies of some pages are on their way or wait while the headers of the next are checked.
    const bodies = createBodyWindows(peer, chain, signal, (blocks) => {
      taken.blocks += blocks
      progress()
    })
    const taking: Promise<void>[] = []
    const stop = new AbortController()
    const asking = AbortSignal.any([signal, stop.signal])
    const ask = (from: readonly BlockId[], size: number): AskedPage => {
      const locator = from.slice(0, MAX_LOCATOR_IDS)
      const headers = peer.headers(locator, size, asking)
      headers.catch(() => {})
      return { locator, size, headers }
    }
    let page = ask(chain.locator(), Math.min(FIRST_HEADERS, limit))

    /** Takes one page, the next one is on its way then; false: it was the last one. */
    const takePage = async (): Promise<boolean> => {
      const { locator, size } = page
      const headers = await page.headers
      const [first, last] = [headers[0], headers.at(-1)]
      if (first === undefined || last === undefined) return false
      checkFirst(peer, first, locator)
      const isLast = headers.length < size
      if (!isLast) {
        const lastId = cidOf(last) as BlockId
        const next = Math.min(size * GROWTH, limit)
        page = ask([lastId, ...chain.locator().filter((id) => id !== lastId)], next)
      }
      const plan = await chain.planHeaders(headers, peer.id)
      // A page that shows no more work than those before is not worth the turn; a reorg there makes a few.
      if (plan.chainwork > shown) progress()
      else stale += 1
      if (stale > MAX_STALE_PAGES) throw networkError('SYNC_LOOP', { peer: peer.id })
      taken.headers += headers.length
      useless += headers.length
      if (plan.chainwork > shown) shown = plan.chainwork
      for (const id of plan.wanted) wanted.push(id)
      if (plan.more) {
        useless = 0
        if (taking.length >= PAGES_AHEAD) await taking.shift()
        const handedOver = bodies.take(wanted.splice(0))
        handedOver.catch(() => {})
        taking.push(handedOver)
      } else if (useless > maxHeaders) {
        throw networkError('SYNC_TOO_MANY_HEADERS', { peer: peer.id, limit: maxHeaders })
      }
      // One clock of the two is wrong: not the peer's fault, and the blocks come when their time has come.
      early = plan.ahead
      return !plan.ahead && !isLast
    }

    try {
      while (await takePage());
    } finally {
      stop.abort()
      // What came before a failure is imported, and its own failure counts less.
      await Promise.allSettled(taking)
      await bodies.imported().catch(() => {})
    }
    await Promise.all(taking)
    await bodies.imported()
    if (early) return
    // A peer's best chain never loses work, so what it claimed it must be able to show.
    const own = chain.status().chainwork
    if (shown < claim.chainwork && own < claim.chainwork) {
      throw networkError('SYNC_WORK_CLAIM', { peer: peer.id })
    }
  }

  return {
    run: async (peer, signal) => {
      const asked = clock.now()
      const claim = await peer.status(signal)
      const own = chain.status()
      if (!equalBytes(claim.params, own.params)) {
        throw networkError('SYNC_OTHER_NETWORK', { peer: peer.id })
      }
      const clockDifference = Math.round(claim.time - (asked + clock.now()) / 2)
      const taken = { headers: 0, blocks: 0 }
      let failure: CairnError | undefined
      if (mayBeBetter(claim)) {
        const job = async (progress: () => void): Promise<void> => {
          // Another peer may have brought these blocks while this one waited for its turn.
          if (mayBeBetter(claim)) await syncBlocks(peer, claim, signal, progress, taken)
        }
        try {
          await turn.take(job, signal)
        } catch (error) {
          if (!(error instanceof CairnError) || error.verdict !== 'ignore') throw error
          logger.debug('A peer did not bring its blocks.', { peer: peer.id, code: error.code })
          failure = error
        }
      }
      const same = equalBytes(claim.heads, headsDigest(chain.heads()))
      const records = same ? 0 : await syncRecords(peer, chain, signal)
      if (failure !== undefined) throw failure
      return { peer: peer.id, ...taken, records, clockDifference }
    },
  }
}

// [REJECT] the first header must follow on a block of the locator that was sent
function checkFirst(peer: SyncPeer, first: Uint8Array, locator: readonly BlockId[]): void {
  const { parent } = headerShape.read(decode(first, MAX_HEADER_BYTES), 'header')
  if (parent === null || !locator.includes(parent)) {
    throw networkError('SYNC_NOT_LINKED', { peer: peer.id })
  }
}
