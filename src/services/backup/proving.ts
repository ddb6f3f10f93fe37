/** The proof of one destination's backups, on request and by itself: verified daily, restored for practice weekly. */
import { deviceKeyOf } from '../../chain/ids.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Verifier } from '../chain/intake.ts'
import type { Signer } from '../chain/own-records.ts'
import type { PlaceContents } from './contents/contents.ts'
import type { Destination } from './destination.ts'
import type { DestinationQueue } from './destination-queue.ts'
import { type Drilled, drillDestination } from './drill.ts'
import { othersDrill, tellDrill } from './drill-notice.ts'
import { backupError } from './errors.ts'
import type { ProofKind, Proofs } from './proofs.ts'
import type { Owner } from './standing.ts'
import { type Verified, verifyDestination } from './verify.ts'

const VERIFY_MS = 86_400_000
const DRILL_MS = 604_800_000
/** Milliseconds between two looks at what other devices have practised. */
const LEARN_MS = 3_600_000

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
    /** Contents of files there; undefined: none are known of. */
    readonly contents?: Pick<PlaceContents, 'verify' | 'drill'> | undefined
    /** Whether something was backed up there from here. */
    readonly isUsed: () => boolean
    readonly store: ChainStore
    readonly signer: Signer
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
  const { destination, queue, owner, proofs, contents, store, signer, verifier, clock } = components
  const logger = components.logger.child('backup')

  /** @param all - of contents of files, all packs are read, and not those of the day alone */
  const verify = async (signal: AbortSignal, all: boolean, object?: string): Promise<Verified> => {
    const user = owner.user()
    if (user === undefined) throw backupError('BACKUP_NOT_READY')
    const recipient = owner.key?.recipient ?? (await owner.vouched?.())?.recipient
    const { network, key } = owner
    const about = { network, user, key, recipient, chain: store, object }
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
    if (problem !== undefined) {
      logger.error('A backup is damaged; a full one is written', { ...problem })
      await queue.save({ full: true }, signal)
    }
    const found = object === undefined ? await contents?.verify(all, signal) : undefined
    const wrong = found?.problems[0]
    if (wrong !== undefined) {
      logger.error('Contents of files in a backup are damaged; they are written anew', { ...wrong })
    }
    const code = problem?.code ?? wrong?.code ?? null
    if (code === null) {
      const { name, height, objects, bytes, opened } = verified
      const fields = { destination: destination.name, name, height, objects, bytes, opened }
      logger.info('A backup was read and compared', fields)
    }
    proofs.set(destination, 'verified', { time: clock.now(), code, object: verified.object })
    if (found === undefined) return verified
    const { problems, ...figures } = found
    return { ...verified, problems: [...verified.problems, ...problems], contents: figures }
  }

  /** Says it at the destination, for devices that cannot; what was practised stays so when that fails. */
  const tell = async (code: string | null, signal: AbortSignal): Promise<void> => {
    const user = owner.user()
    const device = deviceKeyOf(signer.device)
    if (user === undefined || device === undefined) return
    const about = { network: owner.network, user, device, time: clock.now(), code }
    await tellDrill(destination, about, signer.sign, signal).catch((error: unknown) => {
      logger.debug('A restore for practice was not told of', { code: codeOf(error) })
    })
  }

  const drill = async (signal: AbortSignal): Promise<Drilled> => {
    if (owner.key === undefined) {
      throw backupError('BACKUP_DRILL_KEY', { destination: destination.name })
    }
    const { path, remove } = init.scratchPath?.() ?? { path: ':memory:', remove: () => {} }
    try {
      const chain = await drillDestination(
        { store, verifier, clock, logger: components.logger },
        { destination, params: init.params, opener: { key: owner.key }, path },
        signal,
      ).catch((error: unknown) => {
        if (codeOf(error) !== 'BACKUP_NONE' || !components.isUsed()) throw error
        throw backupError('DESTINATION_EMPTIED', { destination: destination.name }, error)
      })
      const files = await contents?.drill(signal)
      const drilled = files === undefined ? chain : { ...chain, contents: files }
      proofs.set(destination, 'drilled', { time: clock.now(), code: null })
      await tell(null, signal)
      logger.info('A backup was restored for practice', { ...drilled })
      return drilled
    } catch (error) {
      if (!signal.aborted) {
        proofs.set(destination, 'drilled', { time: clock.now(), code: codeOf(error) })
        await tell(codeOf(error), signal)
      }
      throw error
    } finally {
      remove()
    }
  }

  let learntAt = Number.NEGATIVE_INFINITY
  const isDue = (kind: ProofKind, every: number): boolean =>
    clock.now() - (proofs.get(destination, kind)?.time ?? 0) >= every

  /** What other devices of the user say that they practised. */
  const learn = async (signal: AbortSignal): Promise<void> => {
    const user = owner.user()
    if (user === undefined || clock.now() - learntAt < LEARN_MS) return
    learntAt = clock.now()
    const found = await othersDrill(
      { destination, store },
      { network: owner.network, user, device: signer.device, now: clock.now() },
      signal,
    )
    const known = proofs.get(destination, 'drilled')
    if (found === undefined || found.time <= (known?.time ?? 0)) return
    // What failed elsewhere is tried here, where that is possible.
    if (found.code !== null && owner.key !== undefined) return
    proofs.set(destination, 'drilled', found)
  }

  return {
    verify: (signal, object) => verify(signal, true, object),
    drill,
    prove: async (signal) => {
      // Nothing was saved because nothing was new: the backup of before is there.
      const { lastSaved, behind } = queue.state()
      if (lastSaved === undefined && behind) return
      if (isDue('verified', VERIFY_MS)) await verify(signal, false)
      if (owner.key === undefined || isDue('drilled', DRILL_MS)) await learn(signal)
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
