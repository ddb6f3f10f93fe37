/**
 * The side of sync that answers. No I/O: bytes of a request in, bytes of frames out, so that any transport,
 * a simulated one too, can carry it.
 *
 * owns: bounds of work per request and per peer, the cutting of answers into frames
 * does not own: streams and their time limits (protocol.ts), what the answers say (the chain)
 */
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { createTokenBuckets } from '../token-bucket.ts'
import type { SyncSource } from './chain.ts'
import {
  comparePlaces,
  decodeRequest,
  encodeAnswer,
  FRAME_BYTES,
  headsDigest,
  MAX_BODIES_ANSWER_BYTES,
  MAX_HEADS,
  MAX_LOCATOR_IDS,
  MAX_RECORDS,
  MAX_RECORDS_ANSWER_BYTES,
  type SyncAnswer,
  type SyncRequest,
  toEncodedHeads,
  type Want,
} from './messages.ts'

export interface SyncServer {
  /**
   * The frames that answer `request`. Never throws for what a peer sent: it is told `refused`.
   *
   * @param from - the peer that asks; its bucket pays
   */
  answer(request: Uint8Array, from: string): Generator<Uint8Array>
}

export interface SyncServerComponents {
  readonly chain: SyncSource
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

export interface SyncServerInit {
  /** Tokens of a full bucket. */
  readonly capacity?: number
  /** Tokens that come back per second. */
  readonly perSecond?: number
}

/** What a request costs. A first sync of 100,000 blocks takes 250 dear requests, one every half second. */
const COST: Readonly<Record<SyncRequest['type'], number>> = {
  status: 1,
  heads: 2,
  headers: 4,
  bodies: 4,
  records: 4,
}
/** Requests at once: a first sync on a fast link has 32 dear ones before it waits. */
const DEFAULT_CAPACITY = 128
/** Eight dear requests per second: up to 128 MiB/s of bodies, more than a peer can verify. */
const DEFAULT_PER_SECOND = 32
/** Peers whose buckets are kept; several times the connections that a node allows. */
const BUCKETS = 1024

export function createSyncServer(
  { chain, clock, logger }: SyncServerComponents,
  init: SyncServerInit = {},
): SyncServer {
  const buckets = createTokenBuckets(
    { clock },
    {
      capacity: init.capacity ?? DEFAULT_CAPACITY,
      perSecond: init.perSecond ?? DEFAULT_PER_SECOND,
      peers: BUCKETS,
    },
  )

  function* answers(request: SyncRequest): Generator<SyncAnswer> {
    switch (request.type) {
      case 'status':
        yield { type: 'status', ...chain.status(), heads: headsDigest(chain.heads()) }
        return
      case 'headers':
        yield { type: 'headers', headers: chain.headersAfter(request.locator, request.limit) }
        return
      case 'bodies':
        yield* bodyFrames(chain.bodies(request.ids))
        return
      case 'heads': {
        const { after } = request
        const all = toEncodedHeads(chain.heads())
        const rest = after === undefined ? all : all.filter((at) => comparePlaces(at, after) > 0)
        yield { type: 'heads', heads: rest.slice(0, MAX_HEADS), more: rest.length > MAX_HEADS }
        return
      }
      case 'records':
        yield* recordFrames(chain, request.wants, request.limit)
    }
  }

  return {
    *answer(bytes, from) {
      let request: SyncRequest
      try {
        request = decodeRequest(bytes)
      } catch {
        buckets.take(from)
        yield encodeAnswer({ type: 'refused', why: 'malformed' })
        return
      }
      if (!buckets.take(from, COST[request.type])) {
        yield encodeAnswer({ type: 'refused', why: 'busy' })
        return
      }
      try {
        for (const answer of answers(request)) yield encodeAnswer(answer)
      } catch (error) {
        logger.warn('A request of a peer could not be answered.', {
          request: request.type,
          code: codeOf(error),
        })
        yield encodeAnswer({ type: 'refused', why: 'failed' })
      }
    },
  }
}

function* bodyFrames(bodies: Iterable<Uint8Array | undefined>): Generator<SyncAnswer> {
  let frame: (Uint8Array | null)[] = []
  let frameBytes = 0
  let sent = 0
  for (const body of bodies) {
    frame.push(body ?? null)
    frameBytes += body?.length ?? 0
    if (frameBytes < FRAME_BYTES) continue
    sent += frameBytes
    if (sent >= MAX_BODIES_ANSWER_BYTES) break
    yield { type: 'bodies', bodies: frame, last: false }
    frame = []
    frameBytes = 0
  }
  yield { type: 'bodies', bodies: frame, last: true }
}

function* recordFrames(
  chain: SyncSource,
  wants: readonly Want[],
  limit: number,
): Generator<SyncAnswer> {
  let frame: Uint8Array[] = []
  let frameBytes = 0
  let bytes = 0
  let left = Math.min(limit, MAX_RECORDS)
  gather: for (const { head, have } of wants) {
    if (left === 0) break
    for (const record of chain.recordsBack(head, have.slice(0, MAX_LOCATOR_IDS), left)) {
      if (bytes + record.length > MAX_RECORDS_ANSWER_BYTES) break gather
      frame.push(record)
      frameBytes += record.length
      bytes += record.length
      left -= 1
      if (left === 0) break gather
      if (frameBytes < FRAME_BYTES) continue
      yield { type: 'records', records: frame, last: false }
      frame = []
      frameBytes = 0
    }
  }
  yield { type: 'records', records: frame, last: true }
}
