/**
 * The side that answers, without streams: bytes of a request in, bytes of the answer out, so that a simulated
 * network can carry it.
 *
 * owns: bounds per peer and in all
 * does not own: whether a key may leave (the service behind `KeyHolder`)
 */
import type { DeviceId, RecordId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import { createTokenBuckets } from '../token-bucket.ts'
import { decodeKeyRequest, encodeKeyAnswer, type KeyAnswer } from './messages.ts'

/** Who decides whether a key leaves this device. */
export interface KeyHolder {
  /** @param from - the device at the other end of the encrypted connection */
  release(access: RecordId, from: DeviceId, signal: AbortSignal): Promise<KeyAnswer>
}

export interface KeyServer {
  /** Never throws for what a peer sent: it is told why it gets no key. */
  answer(request: Uint8Array, from: DeviceId, signal: AbortSignal): Promise<Uint8Array>
}

export interface KeyServerComponents {
  readonly holder: KeyHolder
  readonly clock: Pick<Clock, 'now'>
  readonly logger: Logger
}

export interface KeyServerInit {
  /** Requests of one peer at once. */
  readonly capacity?: number
  /** Requests of one peer that come back per second. */
  readonly perSecond?: number
}

/** A folder of files that is read in one go. */
const DEFAULT_CAPACITY = 64
/** Each release signs and flushes a record: so many a second hinder nobody. */
const DEFAULT_PER_SECOND = 4
/** Peers whose buckets are kept; several times the connections that a node allows. */
const BUCKETS = 1024

export function createKeyServer(
  { holder, clock, logger }: KeyServerComponents,
  init: KeyServerInit = {},
): KeyServer {
  const buckets = createTokenBuckets(
    { clock },
    {
      capacity: init.capacity ?? DEFAULT_CAPACITY,
      perSecond: init.perSecond ?? DEFAULT_PER_SECOND,
      peers: BUCKETS,
    },
  )
  const decide = async (
    bytes: Uint8Array,
    from: DeviceId,
    signal: AbortSignal,
  ): Promise<KeyAnswer> => {
    // Before the request is looked at: what cannot be read costs the same.
    if (!buckets.take(from)) return { type: 'refused', code: 'BUSY' }
    let access: RecordId
    try {
      access = decodeKeyRequest(bytes).access
    } catch {
      return { type: 'refused', code: 'MALFORMED' }
    }
    try {
      return await holder.release(access, from, signal)
    } catch (error) {
      if (!signal.aborted) {
        logger.warn('A key could not be given.', { peer: from, access, code: codeOf(error) })
      }
      return { type: 'refused', code: 'BUSY' }
    }
  }
  return {
    answer: async (bytes, from, signal) => encodeKeyAnswer(await decide(bytes, from, signal)),
  }
}
