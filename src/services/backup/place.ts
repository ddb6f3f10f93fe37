/**
 * One destination of a node, with all that is done there: saves by its own queue, clean-up, proofs.
 *
 * owns: what belongs to one destination
 * does not own: when it happens (backups.ts)
 */
import type { NetworkParams } from '../../chain/params.ts'
import { readDevice } from '../../chain/state/devices.ts'
import type { Clock } from '../../common/clock.ts'
import type { Logger } from '../../common/logger.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Verifier } from '../chain/intake.ts'
import type { Signer } from '../chain/own-records.ts'
import { type ContentsState, createPlaceContents, type PlaceContents } from './contents/contents.ts'
import type { ContentsHere } from './contents/of-node.ts'
import type { Destination } from './destination.ts'
import { boundedCalls } from './destination-calls.ts'
import {
  createDestinationQueue,
  type DestinationQueue,
  type DestinationState,
} from './destination-queue.ts'
import { backupError } from './errors.ts'
import type { PendingRecord } from './lineage.ts'
import { manifestNumber } from './manifest.ts'
import { createProofs, type Proof } from './proofs.ts'
import { createProver, type Prover } from './proving.ts'
import {
  type Cleaned,
  createCleaner,
  DEFAULT_RETENTION,
  type RetentionPolicy,
} from './retention.ts'
import { createSlotKeeper, type SlotKeeper } from './slot-keeper.ts'
import type { Owner } from './standing.ts'
import { createWriter } from './writer.ts'

/** Milliseconds between two clean-ups that nobody asked for. */
const CLEAN_MS = 600_000

export interface DestinationView extends DestinationState {
  readonly verified: Proof | undefined
  readonly drilled: Proof | undefined
  /** Whether a passphrase opens the backups there, and what kept the one that is given from being set. */
  readonly passphrase: boolean
  readonly passphraseProblem: SlotKeeper['problem']
  /** Undefined: contents of files are not sent there. */
  readonly contents: ContentsState | undefined
}

export interface PlaceComponents {
  readonly owner: Owner
  readonly store: ChainStore
  readonly signer: Signer
  readonly verifier: Verifier
  /** Undefined: there are none, or nothing is to know of them. */
  readonly contents?: ContentsHere | undefined
  readonly clock: Clock
  readonly logger: Logger
}

export interface PlaceInit {
  /** Whether contents of files are sent to a destination; default: to none. */
  readonly hasContents?: (destination: Pick<Destination, 'kind' | 'name'>) => boolean
  /** The passphrase of the configuration, which is to open the backups everywhere. */
  readonly passphrase?: string | undefined
  readonly params: NetworkParams
  /** By a destination's name; default: by its kind. */
  readonly retention?: Readonly<Record<string, RetentionPolicy>>
  /** Makes the path of a database for a drill, and takes it away; default: in memory. */
  readonly scratchPath?: () => { readonly path: string; remove(): void }
}

export interface Place {
  /** Each call to it is bounded in time. */
  readonly destination: Destination
  readonly queue: DestinationQueue
  readonly prover: Prover
  readonly slot: SlotKeeper
  /** Whether something was backed up there from here. */
  readonly isUsed: boolean
  /** Undefined: nothing is known of contents here. */
  readonly contents: PlaceContents | undefined
  /** A record became pending. */
  note(record: PendingRecord): void
  /** The chain took blocks back. */
  unsure(): void
  /** Removes what retention does not want. @throws DESTINATION_EMPTIED, the errors of destinations */
  clean(signal: AbortSignal): Promise<Cleaned>
  /** As `clean`, when the last time is long enough ago. */
  cleanIfDue(signal: AbortSignal): Promise<void>
  view(): DestinationView
}

/** @param onSaved - something was written there */
export function createPlace(
  components: PlaceComponents,
  given: Destination,
  init: PlaceInit & {
    readonly onSaved: () => void
    /** Makes the slot of a passphrase. */
    readonly slotMaker: (passphrase: string) => Promise<Uint8Array>
  },
): Place {
  const { owner, clock, store } = components
  const logger = components.logger.child('backup')
  const destination = boundedCalls(given, clock)
  const proofs = createProofs(store)
  const writer = createWriter(components, { destination, owner })
  const policy = init.retention?.[destination.name] ?? DEFAULT_RETENTION[destination.kind]
  const cleaner = createCleaner(
    { destination, clock },
    {
      network: owner.network,
      user: owner.user,
      policy,
      userOf: (device) => readDevice(store.state, device)?.user,
    },
  )
  const { onSaved } = init
  const { key } = owner
  const slot = createSlotKeeper(
    { destination, store, make: init.slotMaker, logger },
    { key, passphrase: init.passphrase },
  )
  const queue = createDestinationQueue({
    destination,
    writer: {
      ...writer,
      save: async (options) => {
        // No backup stands anywhere that the passphrase does not open, as far as the destination allows it.
        await slot.ensure(options.signal)
        let recipient: string | undefined
        const saved = await writer.save({
          ...options,
          slotOf: (to) => {
            recipient = to
            return slot.ref(to, options.signal)
          },
        })
        if (recipient !== undefined) contents?.saved(recipient)
        return saved
      },
    },
    clock,
    logger: components.logger,
    onSaved,
  })
  const contents =
    components.contents === undefined
      ? undefined
      : createPlaceContents(
          { ...components, ...components.contents, local: components.contents },
          given,
          {
            network: owner.network,
            user: owner.user,
            key,
            isOn: init.hasContents?.(given) === true,
            isChainWaiting: () => queue.state().behind,
          },
        )
  const isUsed = (): boolean =>
    queue.state().lastSaved !== undefined || proofs.get(destination, 'verified')?.code === null
  let cleanedAt = Number.NEGATIVE_INFINITY

  /** @param byHand - contents too, whenever that was done last */
  const clean = async (signal: AbortSignal, byHand: boolean): Promise<Cleaned> => {
    cleanedAt = clock.now()
    const verified = proofs.get(destination, 'verified')
    const object = verified?.code === null ? verified.object : undefined
    const cleaned = { ...(await cleaner.clean(object, signal)) }
    if (byHand && policy.permanent === true) {
      const objects = await destination.list(`${owner.network}/`, signal)
      cleaned.kept = objects.filter(({ name }) => manifestNumber(name) !== undefined).length
    }
    if (byHand && cleaned.kept === 0 && isUsed()) {
      throw backupError('DESTINATION_EMPTIED', { destination: destination.name })
    }
    const { kept } = cleaner
    if (kept !== undefined && contents !== undefined) {
      const more = await contents[byHand ? 'clean' : 'cleanIfDue'](kept, signal)
      cleaned.objects += more.packs
    }
    if (cleaned.backups + cleaned.objects > 0) {
      logger.info('Old backups were removed', { destination: destination.name, ...cleaned })
    }
    return cleaned
  }

  return {
    destination,
    queue,
    prover: createProver(
      { ...components, destination, queue, proofs, contents, isUsed },
      { params: init.params, scratchPath: init.scratchPath },
    ),
    slot,
    get isUsed() {
      return isUsed()
    },
    contents,
    note: writer.note,
    unsure: writer.unsure,
    clean: (signal) => clean(signal, true),
    cleanIfDue: async (signal) => {
      if (clock.now() - cleanedAt >= CLEAN_MS) await clean(signal, false)
    },
    view: () => ({
      ...queue.state(),
      verified: proofs.get(destination, 'verified'),
      drilled: proofs.get(destination, 'drilled'),
      passphrase: slot.isSet,
      passphraseProblem: slot.problem,
      contents: contents?.state(),
    }),
  }
}
