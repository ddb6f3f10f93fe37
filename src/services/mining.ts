/**
 * When this device mines. On demand only: an idle network burns nothing.
 *
 * A device mines for its own pending records after a short gathering, and takes care of others' after a
 * longer, random wait, so that usually the author does the work and forks stay rare.
 *
 * owns: the decision when to start and stop a search
 * does not own: what stands in a block (chain/template.ts) and the search itself (`Solver`)
 */
import { type Clock, sleep } from '../common/clock.ts'
import { codeOf, messageOf } from '../common/errors.ts'
import type { Events } from '../common/events.ts'
import type { Startable } from '../common/lifecycle.ts'
import type { Logger } from '../common/logger.ts'
import type { BlockTemplate } from './chain/template.ts'
import type { NodeEvents } from './events.ts'

/** Milliseconds during which own records gather before a search begins. */
export const GATHER_MS = 200
/** Milliseconds after which others' records are taken care of: their author had two block intervals. */
const OTHERS_WAIT_MS = 4_000
/** Milliseconds of random extra wait for others' records, so that not everybody begins at once. */
const OTHERS_JITTER_MS = 4_000
/** Milliseconds after which a device that could not mine looks again (its clock may have been mended). */
export const RETRY_MS = 30_000

/** The search for a nonce. */
export interface Solver {
  /**
   * A nonce (8 bytes) under which the header's digest meets `difficulty`.
   *
   * @param header - an encoded header; its last 8 bytes are the nonce
   * @throws the signal's reason, within milliseconds of its abort
   */
  solve(header: Uint8Array, difficulty: number, signal: AbortSignal): Promise<Uint8Array>
}

/** What mining asks of the chain. */
export interface MinableChain {
  /** Whose records could enter the next block; undefined when none or when this device must not mine. */
  demand(): 'own' | 'others' | undefined
  template(): BlockTemplate | undefined
  /** Connects the solved block and makes it known. */
  submitBlock(template: BlockTemplate, nonce: Uint8Array): Promise<void>
}

export interface MiningComponents {
  readonly chain: MinableChain
  readonly solver: Solver
  readonly clock: Clock
  readonly events: Events<NodeEvents>
  readonly logger: Logger
}

export interface Mining extends Startable {
  /** Whether a search is under way. */
  readonly active: boolean
}

export function createMining(components: MiningComponents): Mining {
  const { chain, solver, clock, events } = components
  const logger = components.logger.child('mining')
  let running: AbortController | undefined
  let loop: Promise<void> = Promise.resolve()
  let search: AbortController | undefined
  let wake: (() => void) | undefined

  /** Waits until something changed, at most `ms`. */
  const changed = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        cancel()
        signal.removeEventListener('abort', end)
        wake = undefined
        resolve()
      }
      const cancel = clock.after(ms, end)
      signal.addEventListener('abort', end)
      wake = end
    })

  const waitFor = (demand: 'own' | 'others'): number =>
    demand === 'own' ? GATHER_MS : OTHERS_WAIT_MS + Math.floor(clock.random() * OTHERS_JITTER_MS)

  /** Waits for the others' sake; an own record cuts that short. */
  const gather = async (demand: 'own' | 'others', signal: AbortSignal): Promise<void> => {
    const until = clock.now() + waitFor(demand)
    while (demand === 'others' && !signal.aborted && clock.now() < until) {
      await changed(until - clock.now(), signal)
      const now = chain.demand()
      if (now === undefined) return
      if (now === 'own') return gather('own', signal)
    }
    if (demand === 'own')
      await sleep(clock, Math.max(0, until - clock.now()), signal).catch(() => {})
  }

  const mineOne = async (signal: AbortSignal): Promise<void> => {
    const template = chain.template()
    if (template === undefined) return changed(RETRY_MS, signal)
    search = new AbortController()
    const stop = AbortSignal.any([signal, search.signal])
    try {
      const nonce = await solver.solve(template.header, template.difficulty, stop)
      await chain.submitBlock(template, nonce)
    } catch (error) {
      if (stop.aborted) return
      logger.warn('A block could not be mined', { code: codeOf(error), why: messageOf(error) })
      await changed(RETRY_MS, signal)
    } finally {
      search = undefined
    }
  }

  const run = async (signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      const demand = chain.demand()
      if (demand === undefined) {
        await changed(RETRY_MS, signal)
        continue
      }
      await gather(demand, signal)
      if (!signal.aborted && chain.demand() !== undefined) await mineOne(signal)
    }
  }

  const off: (() => void)[] = []
  return {
    get active() {
      return search !== undefined
    },
    start: async () => {
      if (running !== undefined) return
      running = new AbortController()
      off.push(
        events.on('record:pending', () => wake?.()),
        events.on('chain:tip', () => {
          search?.abort(new Error('a new tip'))
          wake?.()
        }),
      )
      loop = run(running.signal)
    },
    stop: async () => {
      for (const end of off.splice(0)) end()
      running?.abort(new Error('mining stops'))
      running = undefined
      await loop
    },
  }
}
