/** The proof of one destination's backups, on request and by itself: verified daily, restored for practice weekly. */
import type { NetworkParams } from '../../chain/params.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Verifier } from '../chain/intake.ts'
import type { Destination } from './destination.ts'
import type { DestinationQueue } from './destination-queue.ts'
import { type Drilled, drillDestination } from './drill.ts'
import { backupError } from './errors.ts'
import type { ProofKind, Proofs } from './proofs.ts'
import type { Owner } from './standing.ts'
import { type Verified, verifyDestination } from './verify.ts'

const VERIFY_MS = 86_400_000
const DRILL_MS = 604_800_000

export interface Prover {
  /** @param object - one backup; default: the newest */
  verify(signal: AbortSignal, object?: string): Promise<Verified>
  drill(signal: AbortSignal): Promise<Drilled>
  /** Does what is due. */
  prove(signal: AbortSignal): Promise<void>
}

export function createProver(
  components: {
    readonly destination: Destination
    readonly queue: DestinationQueue
    readonly owner: Owner
    readonly proofs: Proofs
    readonly store: ChainStore
    readonly verifier: Verifier
    readonly clock: Clock
    readonly logger: Logger
  },
  init: {
    readonly params: NetworkParams
    /** Makes the path of a database for a drill, and takes it away; default: in memory. */
    readonly scratchPath?: (() => { readonly path: string; remove(): void }) | undefined
  },
): Prover {
  const { destination, queue, owner, proofs, store, verifier, clock } = components
  const logger = components.logger.child('backup')

  const verify = async (signal: AbortSignal, object?: string): Promise<Verified> => {
    const user = owner.user()
    if (user === undefined) throw backupError('BACKUP_NOT_READY')
    const about = { network: owner.network, user, key: owner.key, object }
    const verified = await verifyDestination(destination, about, signal).catch(
      async (error: unknown) => {
        const code = codeOf(error)
        if (code === 'BACKUP_NONE' && object === undefined) {
          proofs.set(destination, 'verified', { time: clock.now(), code })
          logger.error('The backup is gone or its manifest is damaged; a full one is written', {
            destination: destination.name,
            why: messageOf(error),
          })
          await queue.save({ full: true }, signal)
        }
        throw error
      },
    )
    const [problem] = verified.problems
    const code = problem?.code ?? null
    proofs.set(destination, 'verified', { time: clock.now(), code, object: verified.object })
    if (problem !== undefined) {
      logger.error('A backup is damaged; a full one is written', { ...problem })
      await queue.save({ full: true }, signal)
    }
    return verified
  }

  const drill = async (signal: AbortSignal): Promise<Drilled> => {
    const { path, remove } = init.scratchPath?.() ?? { path: ':memory:', remove: () => {} }
    try {
      const drilled = await drillDestination(
        { store, verifier, clock, logger: components.logger },
        { destination, params: init.params, opener: { key: owner.key }, path },
        signal,
      )
      proofs.set(destination, 'drilled', { time: clock.now(), code: null })
      logger.info('A backup was restored for practice', { ...drilled })
      return drilled
    } catch (error) {
      if (!signal.aborted) {
        proofs.set(destination, 'drilled', { time: clock.now(), code: codeOf(error) })
      }
      throw error
    } finally {
      remove()
    }
  }

  const isDue = (kind: ProofKind, every: number): boolean =>
    clock.now() - (proofs.get(destination, kind)?.time ?? 0) >= every

  return {
    verify,
    drill,
    prove: async (signal) => {
      if (queue.state().lastSaved === undefined) return
      if (isDue('verified', VERIFY_MS)) await verify(signal)
      if (owner.key === undefined || !isDue('drilled', DRILL_MS)) return
      await drill(signal).catch((error: unknown) => {
        signal.throwIfAborted()
        logger.error('A restore for practice failed', {
          destination: destination.name,
          code: codeOf(error),
          why: messageOf(error),
        })
      })
    },
  }
}
