/**
 * Windows of blocks on their way from a peer to the importer: several are verified at a time, and what is ready is
 * imported together, in the order in which it came.
 *
 * An import holds the event loop, so that nothing more arrives for the verifier meanwhile. While more blocks are
 * expected it waits until it is worth that and the verifier has work for as long; the last ones are imported in
 * smaller lots, so that little is left to do when the last signature is checked.
 *
 * owns: the order of imports, when one begins, how many windows go into it
 * does not own: the checks (intake), the import itself, how many windows are under way (whoever asks peers for them)
 */
import type { Block } from '../../chain/block.ts'
import type { Clock } from '../../common/clock.ts'

/** Blocks that are worth an import of their own while others are still being verified. */
const WORTH_BLOCKS = 512
/** Blocks in verification for which an import begins: it stops the flow of new ones, and the verifier would rest. */
const AHEAD_BLOCKS = 1024
/**
 * Windows, half of those that whoever asks for them keeps under way, that are worth an import however few blocks they
 * are: with more of them nothing would arrive.
 */
const WORTH_WINDOWS = 12
/** Blocks that are worth an import of their own when no more are expected than those in verification. */
const LAST_BLOCKS = 512
/** Milliseconds without an arrival after which what is ready is imported: the peer is slow, or gone. */
const PATIENCE_MS = 500

export interface Arrivals {
  /**
   * Imports blocks after those of the calls before.
   *
   * @param count - how many
   * @param verified - settles when they are checked
   * @throws what `verified` and the import throw
   */
  take(count: number, verified: Promise<readonly Block[]>): Promise<void>
  /** Resolves when everything taken so far is imported or has failed. */
  idle(): Promise<void>
}

type Outcome = { readonly blocks: readonly Block[] } | { readonly error: unknown }

interface Arrival {
  readonly count: number
  /** Missing: it is being verified. */
  outcome?: Outcome
  readonly imported: PromiseWithResolvers<void>
}

interface Ready {
  readonly arrival: Arrival
  readonly blocks: readonly Block[]
}

export interface ArrivalsComponents {
  /** Stores and connects blocks, in one transaction where all is well. */
  readonly importBlocks: (blocks: readonly Block[]) => Promise<void>
  /** How many blocks are not imported whose headers a peer has shown, those that are here among them. */
  readonly announced: () => number
  readonly clock: Pick<Clock, 'after'>
}

export function createArrivals({ importBlocks, announced, clock }: ArrivalsComponents): Arrivals {
  const queue: Arrival[] = []
  let running = false
  let last: Promise<void> = Promise.resolve()
  let impatient = false
  let cancel = (): void => {}

  /** What can be imported now, taken from the front of the queue. */
  const takeReady = (): Ready[] => {
    const ready: Ready[] = []
    let blocks = 0
    for (const arrival of queue) {
      const { outcome } = arrival
      if (outcome === undefined || 'error' in outcome) break
      ready.push({ arrival, blocks: outcome.blocks })
      blocks += arrival.count
    }
    const here = queue.reduce((sum, { count }) => sum + count, 0)
    const ahead = queue.reduce((sum, { count, outcome }) => sum + (outcome ? 0 : count), 0)
    const worth =
      impatient ||
      (announced() <= here && (ahead === 0 || (blocks >= LAST_BLOCKS && ahead < AHEAD_BLOCKS))) ||
      ready.length >= WORTH_WINDOWS ||
      (blocks >= WORTH_BLOCKS && ahead >= AHEAD_BLOCKS)
    if (!worth) return []
    queue.splice(0, ready.length)
    return ready
  }

  const importTogether = async (ready: readonly Ready[]): Promise<void> => {
    try {
      await importBlocks(ready.flatMap(({ blocks }) => blocks))
      for (const { arrival } of ready) arrival.imported.resolve()
    } catch (error) {
      if (ready.length === 1) ready[0]?.arrival.imported.reject(error)
      // Whose fault it is shows when each goes alone.
      else for (const one of ready) await importTogether([one])
    }
  }

  const begin = (): void => {
    if (!running) last = work()
  }

  const work = async (): Promise<void> => {
    running = true
    cancel()
    for (;;) {
      const ready = takeReady()
      const [first] = queue
      if (ready.length > 0) await importTogether(ready)
      else if (first?.outcome !== undefined && 'error' in first.outcome) {
        queue.shift()
        first.imported.reject(first.outcome.error)
      } else break
    }
    running = false
    if (queue[0]?.outcome === undefined) return
    cancel = clock.after(PATIENCE_MS, () => {
      impatient = true
      begin()
      impatient = false
    })
  }

  return {
    take: (count, verified) => {
      const arrival: Arrival = { count, imported: Promise.withResolvers() }
      queue.push(arrival)
      const settle = (outcome: Outcome): void => {
        arrival.outcome = outcome
        begin()
      }
      verified.then(
        (blocks) => settle({ blocks }),
        (error: unknown) => settle({ error }),
      )
      return arrival.imported.promise
    },
    idle: async () => {
      await Promise.allSettled(queue.map(({ imported }) => imported.promise))
      await last
    },
  }
}
