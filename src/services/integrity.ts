/**
 * Looks through the database after each start, in the background, for bytes that changed on the disk without
 * anybody noticing. A damaged database is condemned: the next start puts it aside and makes it anew.
 */
import type { Clock } from '../common/clock.ts'
import { codeOf } from '../common/errors.ts'
import type { Events } from '../common/events.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import type { NodeEvents } from './events.ts'

/** Milliseconds after the start, which should not be slower for it. */
const BEGIN_MS = 2_000
/** Milliseconds between two pages: a tenth of one core at the most. */
const PAUSE_MS = 10

export interface IntegrityComponents {
  /** One page a step; gives the id of a damaged row. */
  readonly damagedRows: () => Iterator<string | undefined>
  /** Has the next start put the database aside. */
  readonly condemn: () => void
  readonly clock: Clock
  readonly events: Events<NodeEvents>
  readonly logger: Logger
}

export function createIntegrity(components: IntegrityComponents): Startable {
  const { clock, events } = components
  const logger = components.logger.child('integrity')
  let cancel: (() => void) | undefined

  const found = (id: string): void => {
    components.condemn()
    const message = `The database holds bytes that changed on the disk (${id}). Stop the node and start it again: it puts the database aside and makes it anew from what can be read, the journal and the peers. Then look after the disk.`
    logger.error('The database is damaged', { id })
    events.emit('chain:alarm', { code: 'DATABASE_DAMAGED', message })
  }

  const step = (rows: Iterator<string | undefined>): void => {
    try {
      const { done, value } = rows.next()
      if (done === true) return
      if (value === undefined) cancel = clock.after(PAUSE_MS, () => step(rows))
      else found(value)
    } catch (error) {
      logger.error('The database could not be looked through', { code: codeOf(error) })
    }
  }

  return {
    start: async () => {
      cancel ??= clock.after(BEGIN_MS, () => step(components.damagedRows()))
    },
    stop: async () => {
      cancel?.()
      cancel = undefined
    },
  }
}
