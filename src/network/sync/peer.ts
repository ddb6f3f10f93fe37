/**
 * One peer as the client sees it: typed questions over any transport that carries bytes there and frames
 * back. What it sends is checked for shape, and against what was asked, before the client sees it.
 */
import type { BlockId, DeviceId, RecordId } from '../../chain/ids.ts'
import { deviceKeyOf } from '../../chain/ids.ts'
import { codeOf } from '../../common/errors.ts'
import { networkError } from '../errors.ts'
import type { DeviceHead } from './chain.ts'
import {
  decodeAnswer,
  encodeRequest,
  fromEncodedHead,
  MAX_RECORDS,
  MAX_RECORDS_ANSWER_BYTES,
  type SyncAnswer,
  type SyncRequest,
  type Want,
} from './messages.ts'

export interface PeerStatus {
  readonly params: Uint8Array
  readonly tip: BlockId
  readonly height: number
  readonly chainwork: bigint
  /** The peer's clock, milliseconds UTC. */
  readonly time: number
  /** Digest over its device heads (`headsDigest`). */
  readonly heads: Uint8Array
}

export interface HeadsPage {
  readonly heads: readonly DeviceHead[]
  readonly more: boolean
}

/** Every question throws `SYNC_REFUSED`, `SYNC_MALFORMED`, or what the transport throws. */
export interface SyncPeer {
  readonly id: DeviceId
  status(signal: AbortSignal): Promise<PeerStatus>
  headers(
    locator: readonly BlockId[],
    limit: number,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]>
  /** Bodies in the order of `ids`, undefined for one that it has not; may end before all were given. */
  bodies(ids: readonly BlockId[], signal: AbortSignal): AsyncIterable<Uint8Array | undefined>
  heads(after: DeviceHead | undefined, signal: AbortSignal): Promise<HeadsPage>
  records(wants: readonly Want[], signal: AbortSignal): Promise<readonly Uint8Array[]>
}

/** Carries a request to the peer; gives the frames of its answer as they come. */
export type Exchange = (request: Uint8Array, signal: AbortSignal) => AsyncIterable<Uint8Array>

export function createSyncPeer(id: DeviceId, exchange: Exchange): SyncPeer {
  const malformed = (cause?: unknown) => networkError('SYNC_MALFORMED', { peer: id }, cause)

  async function* ask<T extends SyncAnswer['type']>(
    type: T,
    request: SyncRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Extract<SyncAnswer, { type: T }>> {
    for await (const frame of exchange(encodeRequest(request), signal)) {
      let answer: SyncAnswer
      try {
        answer = decodeAnswer(frame)
      } catch (error) {
        throw codeOf(error) === 'ENCODING' ? malformed(error) : error
      }
      if (answer.type === 'refused') {
        throw networkError('SYNC_REFUSED', { peer: id, why: answer.why })
      }
      if (answer.type !== type) throw malformed()
      yield answer as Extract<SyncAnswer, { type: T }>
    }
  }

  async function one<T extends SyncAnswer['type']>(
    type: T,
    request: SyncRequest,
    signal: AbortSignal,
  ): Promise<Extract<SyncAnswer, { type: T }>> {
    for await (const answer of ask(type, request, signal)) return answer
    throw networkError('SYNC_STREAM', { peer: id })
  }

  return {
    id,
    status: (signal) => one('status', { type: 'status' }, signal),
    headers: async (locator, limit, signal) => {
      const { headers } = await one('headers', { type: 'headers', locator, limit }, signal)
      if (headers.length > limit) throw malformed()
      return headers
    },
    async *bodies(ids, signal) {
      let given = 0
      for await (const { bodies, last } of ask('bodies', { type: 'bodies', ids }, signal)) {
        given += bodies.length
        if (given > ids.length || (bodies.length === 0 && !last)) throw malformed()
        for (const body of bodies) yield body ?? undefined
        if (last) return
      }
      throw networkError('SYNC_STREAM', { peer: id })
    },
    heads: async (after, signal) => {
      const place = after === undefined ? undefined : placeOf(after)
      const request = place === undefined ? {} : { after: place }
      const { heads, more } = await one('heads', { type: 'heads', ...request }, signal)
      if (more && heads.length === 0) throw malformed()
      return { heads: heads.map(fromEncodedHead), more }
    },
    records: async (wants, signal) => {
      const request: SyncRequest = { type: 'records', wants, limit: MAX_RECORDS }
      const all: Uint8Array[] = []
      let bytes = 0
      for await (const { records, last } of ask('records', request, signal)) {
        for (const record of records) bytes += record.length
        all.push(...records)
        if (all.length > MAX_RECORDS || bytes > MAX_RECORDS_ANSWER_BYTES) throw malformed()
        if (last) return all
        if (records.length === 0) throw malformed()
      }
      throw networkError('SYNC_STREAM', { peer: id })
    },
  }
}

function placeOf(head: DeviceHead): { device: Uint8Array; id: RecordId } | undefined {
  const device = deviceKeyOf(head.device)
  return device === undefined ? undefined : { device, id: head.id }
}
