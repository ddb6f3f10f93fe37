/** Compares this node's clock with its peers': a wrong one must not seal blocks. */
import type { DeviceId } from '../../chain/ids.ts'
import type { Events } from '../../common/events.ts'
import type { Logger } from '../../common/logger.ts'
import { count } from '../../common/plural.ts'
import type { NodeEvents } from '../events.ts'
import type { Halt } from './importer.ts'

/** Milliseconds of difference that a person is told of: beyond any honest time server. */
const CLOCK_WARNING_MS = 30_000
/** Milliseconds of difference at which this node does not mine: half of what others accept ahead of theirs. */
export const CLOCK_LIMIT_MS = 60_000
/** Peers that must agree that this clock is wrong; a single one may be wrong itself. */
const WITNESSES = 2
const MAX_PEERS = 256

export interface ClockCheck {
  note(peer: DeviceId, offset: number): void
  readonly wrong: boolean
  readonly halt: Halt | undefined
}

export function createClockCheck(components: {
  readonly events: Events<NodeEvents>
  readonly logger: Logger
}): ClockCheck {
  const offsets = new Map<DeviceId, number>()
  let warned = false
  let halt: Halt | undefined

  /**
   * How far this clock is from the middle of all, its own among them; of two middles the nearer one. So the
   * clock in the middle is never wrong, and among any clocks somebody goes on mining.
   */
  const fromMiddle = (): number => {
    const sorted = [0, ...offsets.values()].sort((a, b) => a - b)
    const low = sorted[Math.floor((sorted.length - 1) / 2)] ?? 0
    const high = sorted[Math.floor(sorted.length / 2)] ?? 0
    return Math.abs(low) < Math.abs(high) ? low : high
  }

  return {
    get wrong() {
      return halt !== undefined
    },
    get halt() {
      return halt
    },
    note: (peer, offset) => {
      offsets.delete(peer)
      offsets.set(peer, offset)
      const oldest = offsets.keys().next().value
      if (offsets.size > MAX_PEERS && oldest !== undefined) offsets.delete(oldest)
      const difference = fromMiddle()
      const seconds = Math.round(difference / 1000)
      const message = `This device's clock differs from its peers' by ${count(seconds, 'second')}. Set it (turn on network time); until then this device may not seal blocks.`
      const off = Math.abs(difference)
      halt =
        off > CLOCK_LIMIT_MS && offsets.size >= WITNESSES
          ? { code: 'CLOCK_WRONG', message }
          : undefined
      if (off > CLOCK_WARNING_MS && !warned) {
        components.logger.warn('This clock differs from the peers', { seconds })
        components.events.emit('chain:alarm', { code: 'CLOCK_WRONG', message })
      }
      warned = off > CLOCK_WARNING_MS
    },
  }
}
