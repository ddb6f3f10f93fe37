/** Tells the peers at once of what was made here. What gossip loses, sync brings. */
import { messageOf } from '../common/errors.ts'
import type { Events } from '../common/events.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import type { Gossip } from '../network/gossip.ts'
import type { ChainStore } from '../storage/chain-store.ts'
import type { NodeEvents } from './events.ts'

export function createAnnouncer(components: {
  readonly events: Events<NodeEvents>
  readonly gossip: Pick<Gossip, 'publishBlock' | 'publishRecord'>
  readonly store: Pick<ChainStore, 'headerBytes' | 'body'>
  readonly logger: Logger
}): Startable {
  const { events, gossip, store } = components
  const logger = components.logger.child('announcer')
  const failed = (error: unknown): void =>
    logger.debug('An announcement failed', { why: messageOf(error) })
  const ends: (() => void)[] = []
  return {
    start: async () => {
      if (ends.length > 0) return
      ends.push(
        events.on('record:pending', ({ record, own }) => {
          if (own) gossip.publishRecord(record.bytes).catch(failed)
        }),
        events.on('block:mined', ({ block }) => {
          const header = store.headerBytes(block)
          const body = store.body(block)
          if (header !== undefined && body !== undefined) {
            gossip.publishBlock(header, body).catch(failed)
          }
        }),
      )
    },
    stop: async () => {
      for (const end of ends.splice(0)) end()
    },
  }
}
