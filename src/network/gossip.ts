/**
 * Gossip: the fast path for new blocks and records. It is not delivery: what it loses, sync brings.
 *
 * A message of the topic `blocks` is a map `{body?, header}` of byte strings; the body is left out when both
 * together exceed MAX_GOSSIP_BYTES. A message of the topic `records` is the bytes of one record.
 * Messages carry no signature of the one who passes them on: blocks and records carry their own.
 *
 * owns: topics, sizes, the bound on messages that are being checked, what each sender may cost
 * does not own: whether a block or record is right (the chain says accept, ignore or reject)
 */
import { type GossipSub, TopicValidatorResult } from '@chainsafe/libp2p-gossipsub'
import type { PeerId } from '@libp2p/interface'
import type { DeviceId, NetworkId } from '../chain/ids.ts'
import type { Clock } from '../common/clock.ts'
import { decode, encode } from '../common/dag-cbor.ts'
import { CairnError, codeOf, messageOf } from '../common/errors.ts'
import type { Startable } from '../common/lifecycle.ts'
import { MAX_GOSSIP_BYTES, MAX_HEADER_BYTES, MAX_RECORD_BYTES } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import { bytes, optional, struct } from '../common/schema.ts'
import { networkError } from './errors.ts'
import { createTokenBuckets } from './token-bucket.ts'
import { topicsOf } from './topics.ts'

export interface GossipVerdict {
  /** `accept` passes it on, `ignore` does not, `reject` counts against the sender. */
  readonly verdict: 'accept' | 'ignore' | 'reject'
  /** Something that the sender has is missing here: sync with it. */
  readonly sync: boolean
}

/** What gossip asks of the chain. Both may throw instead: an error's own verdict counts, `ignore` without one. */
export interface GossipChain {
  acceptBlock(
    header: Uint8Array,
    body: Uint8Array | undefined,
    from: DeviceId,
  ): Promise<GossipVerdict>
  acceptRecord(record: Uint8Array, from: DeviceId): Promise<GossipVerdict>
}

export interface Gossip extends Startable {
  /** Tells the peers of a new block; without its body when both are too large together. */
  publishBlock(header: Uint8Array, body: Uint8Array): Promise<void>
  /** @throws `GOSSIP_TOO_LARGE` */
  publishRecord(record: Uint8Array): Promise<void>
}

export interface GossipComponents {
  readonly pubsub: GossipSub
  readonly chain: GossipChain
  readonly clock: Clock
  readonly logger: Logger
  /** Asks for a sync run with `device`. */
  readonly requestSync: (device: DeviceId) => void
  /** A peer sent something that it must have known to be wrong. */
  readonly onOffence?: (device: DeviceId, code: string) => void
}

export interface GossipInit {
  readonly network: NetworkId
  /** Bytes per second that one peer may send, for tests. */
  readonly bytesPerSecond?: number
}

/**
 * Messages that are being checked at a time; with 64 KiB each, 8 MiB. They are accepted together, and each is passed on
 * to some peers: twice as many kept one turn of the event loop for more than a tenth of a second.
 */
const MAX_CHECKING = 128
/** Bytes that one peer may send at once: a burst of 1,000 records. */
const BURST_BYTES = 4 * 1024 * 1024
/** Bytes per second after that. */
const BYTES_PER_SECOND = 1024 * 1024
/** Every message costs this besides its bytes, so that tiny ones are not free: 2,000 per second. */
const MESSAGE_COST_BYTES = 512
/** Peers whose budget is kept. */
const BUDGETS = 512

const blockShape = struct({
  header: bytes(1, MAX_HEADER_BYTES),
  body: optional(bytes(1, MAX_GOSSIP_BYTES)),
})

export function createGossip(
  { pubsub, chain, clock, logger, requestSync, onOffence }: GossipComponents,
  init: GossipInit,
): Gossip {
  const topics = topicsOf(init.network)
  const budgets = createTokenBuckets(
    { clock },
    { capacity: BURST_BYTES, perSecond: init.bytesPerSecond ?? BYTES_PER_SECOND, peers: BUDGETS },
  )
  let checking = 0
  let started = false

  async function validate(
    from: PeerId,
    message: Uint8Array,
    check: (from: DeviceId) => Promise<GossipVerdict>,
  ): Promise<TopicValidatorResult> {
    const device = from.toString() as DeviceId
    if (!started || checking >= MAX_CHECKING) return TopicValidatorResult.Ignore
    if (!budgets.take(device, message.length + MESSAGE_COST_BYTES))
      return TopicValidatorResult.Ignore
    checking += 1
    try {
      const { verdict, sync } = await check(device)
      if (sync) requestSync(device)
      if (verdict === 'reject') onOffence?.(device, 'GOSSIP_REJECTED')
      return RESULTS[verdict]
    } catch (error) {
      const rejected = error instanceof CairnError && error.verdict === 'reject'
      logger.debug('A gossip message was not taken.', { peer: device, code: codeOf(error) })
      if (rejected) onOffence?.(device, codeOf(error))
      return rejected ? TopicValidatorResult.Reject : TopicValidatorResult.Ignore
    } finally {
      checking -= 1
    }
  }

  async function publish(topic: string, message: Uint8Array): Promise<void> {
    if (message.length > MAX_GOSSIP_BYTES) {
      throw networkError('GOSSIP_TOO_LARGE', { size: message.length, limit: MAX_GOSSIP_BYTES })
    }
    if (!started) return
    try {
      await pubsub.publish(topic, message)
    } catch (error) {
      // Sync brings what gossip does not.
      logger.debug('A message could not be published.', { why: messageOf(error) })
    }
  }

  return {
    start: async () => {
      if (started) return
      started = true
      pubsub.topicValidators.set(topics.blocks, (from, { data }) =>
        validate(from, data, async (device) => {
          const { header, body } = blockShape.read(decode(data, MAX_GOSSIP_BYTES), 'message')
          return chain.acceptBlock(header, body, device)
        }),
      )
      pubsub.topicValidators.set(topics.records, (from, { data }) =>
        validate(from, data, async (device) => {
          if (data.length > MAX_RECORD_BYTES) return { verdict: 'reject', sync: false }
          return chain.acceptRecord(data, device)
        }),
      )
      pubsub.subscribe(topics.blocks)
      pubsub.subscribe(topics.records)
    },
    stop: async () => {
      if (!started) return
      started = false
      for (const topic of Object.values(topics)) {
        pubsub.unsubscribe(topic)
        pubsub.topicValidators.delete(topic)
      }
    },
    publishBlock: async (header, body) => {
      const whole = encode(blockShape.write({ header, body }) ?? null)
      const small = whole.length <= MAX_GOSSIP_BYTES
      await publish(topics.blocks, small ? whole : encode(blockShape.write({ header }) ?? null))
    },
    publishRecord: (record) => publish(topics.records, record),
  }
}

const RESULTS: Readonly<Record<GossipVerdict['verdict'], TopicValidatorResult>> = {
  accept: TopicValidatorResult.Accept,
  ignore: TopicValidatorResult.Ignore,
  reject: TopicValidatorResult.Reject,
}
