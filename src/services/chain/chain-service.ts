/**
 * The chain of this node: one queue, the only writer of the tip. What a person states, what peers send and
 * what the miner finds meet here.
 *
 * owns: the order of all writes, events about them
 * does not own: rules (chain/), disk (storage/), sockets (network/)
 */
import { decodeBody, decodeHeader } from '../../chain/codec.ts'
import { chainError } from '../../chain/errors.ts'
import type { DeviceId, NetworkId, UserId } from '../../chain/ids.ts'
import { inclusionOf } from '../../chain/mempool.ts'
import { type NetworkParams, networkIdOf } from '../../chain/params.ts'
import { checkWork } from '../../chain/pow.ts'
import type { SignedRecord, Statement } from '../../chain/record.ts'
import { readDevice } from '../../chain/state/devices.ts'
import { MAX_AHEAD_MS } from '../../chain/validate.ts'
import type { Clock } from '../../common/clock.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import { createSerialQueue } from '../../common/queue.ts'
import type { GossipChain } from '../../network/gossip.ts'
import type { SyncChain } from '../../network/sync/chain.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Journal } from '../../storage/journal.ts'
import { serviceError } from '../errors.ts'
import type { NodeEvents } from '../events.ts'
import type { MinableChain } from '../mining.ts'
import { createArrivals } from './arrivals.ts'
import { createCandidates } from './candidates.ts'
import { createClockCheck } from './clock-check.ts'
import { createHeaderPlans } from './header-plan.ts'
import { createImporter, type Halt } from './importer.ts'
import { createIntake, type Verifier } from './intake.ts'
import { createOwnRecords, type Signer } from './own-records.ts'
import { type Added, createPendingPool } from './pending-pool.ts'
import type { AdmissionRecord, Vouched } from './speaker.ts'
import { createSyncSource } from './sync-source.ts'
import { ANCESTORS, type BlockTemplate, buildTemplate } from './template.ts'
import { createWaitingRoom, MAX_ORPHAN_BLOCKS } from './waiting-room.ts'

/** Jobs that may wait for the writer: a burst of gossip from fifty peers. */
const MAX_QUEUED_JOBS = 4096
/**
 * Milliseconds without progress after which mining goes on although a better chain was announced: a peer that
 * shows headers and withholds bodies must not stop it.
 */
const CATCH_UP_MS = 10_000
/** Milliseconds that a block of the future waits here; one of a later time comes again by sync. */
const MAX_ASIDE_MS = 600_000

export interface ChainComponents {
  readonly store: ChainStore
  readonly journal: Journal
  readonly verifier: Verifier
  readonly signer: Signer
  readonly clock: Clock
  readonly events: Events<NodeEvents>
  readonly logger: Logger
  /** Default: no `device.add` counts before it is in the chain. */
  readonly vouched?: Vouched
  /** Whether a foreign admission is kept that is in no block; default: each. */
  readonly admits?: (admission: AdmissionRecord) => boolean
}

export interface ChainService extends SyncChain, GossipChain, MinableChain, Startable {
  readonly network: NetworkId
  readonly params: NetworkParams
  /** The user that this device belongs to. */
  readonly user: UserId | undefined
  /** Why this node does not mine, in a code and in words. */
  readonly halted: Halt | undefined
  /**
   * Signs and stores a statement; flushed in journal and database when it resolves.
   *
   * @throws `NOT_ADMITTED`, `ALREADY_ADMITTED`, `QUEUE_FULL`, `NODE_STOPPING`, storage errors
   */
  publish(statement: Statement, signal?: AbortSignal): Promise<SignedRecord>
  /** Nothing is signed before `ready` settles: peers may know newer records of this device. */
  holdSigning(ready: Promise<unknown>): void
  /** A peer's clock minus this node's, milliseconds. */
  noteClock(peer: DeviceId, offset: number): void
}

export function createChainService(
  components: ChainComponents,
  init: { readonly params: NetworkParams },
): ChainService {
  const { store, signer, clock, events, verifier } = components
  const logger = components.logger.child('chain')
  const network = networkIdOf(init.params)
  const rules = { params: init.params, network }

  const queue = createSerialQueue(MAX_QUEUED_JOBS)
  const importer = createImporter(components, { ...rules, device: signer.device })
  const own = createOwnRecords(components, network)
  const pool = createPendingPool({ ...components, own }, { device: signer.device })
  const intake = createIntake({ store, verifier }, rules)
  const plans = createHeaderPlans(store, intake)
  const source = createSyncSource(components, init.params)
  const clocks = createClockCheck({ events, logger })
  const orphans = createWaitingRoom<{ header: Uint8Array; body: Uint8Array; from: DeviceId }>(
    MAX_ORPHAN_BLOCKS,
  )

  let signing: Promise<unknown> = Promise.resolve()
  let stopping = false
  let gathered: { readonly records: SignedRecord[]; readonly added: Promise<Added> } | undefined
  let othersWait: boolean | undefined
  const candidates = createCandidates(store, signer.device)
  let behindUntil = 0
  let shownWork = 0n
  const aside = new Set<() => void>()

  const write = <T>(job: () => T, signal?: AbortSignal): Promise<T> => {
    if (stopping) return Promise.reject(serviceError('NODE_STOPPING'))
    return queue.run(job, signal)
  }

  /**
   * Records that gossip brings in one turn of the event loop are stored in one transaction: a flood of them must not
   * hold it with a flush of the disk for each.
   */
  const addSoon = (records: readonly SignedRecord[]): Promise<Added> => {
    if (gathered !== undefined && gathered.records.length >= MAX_QUEUED_JOBS) {
      return write(() => pool.add(records))
    }
    if (gathered === undefined) {
      const batch: SignedRecord[] = []
      const turn = new Promise<void>((resolve) => void clock.after(0, resolve))
      const added = turn.then(() => {
        gathered = undefined
        return write(() => pool.add(batch))
      })
      gathered = { records: batch, added }
    }
    gathered.records.push(...records)
    return gathered.added
  }

  const resign = (): void => {
    if (!stopping && own.user !== undefined) own.resign()
  }

  /** Imports verified blocks in the order of the calls, and takes what waited for them. */
  const importBlocks = async (
    blocks: readonly Parameters<typeof importer.import>[0][number][],
  ): Promise<void> => {
    await write(() => {
      // Before the import: whoever hears of the new tip has to find whether more is on its way.
      const planned = blocks.filter(({ id }) => plans.done(id)).length
      if (planned > 0 && clock.now() < behindUntil) behindUntil = clock.now() + CATCH_UP_MS
      importer.import(blocks)
      resign()
    })
    for (const { id } of blocks) {
      for (const { header, body, from } of orphans.take(id)) {
        // Whoever brought this block is not to blame for what another one sent to stand on it.
        await service.acceptBlock(header, body, from).catch((error: unknown) => {
          logger.debug('A block that waited was not taken', { peer: from, code: codeOf(error) })
        })
      }
    }
  }

  const arrivals = createArrivals({ importBlocks, announced: () => plans.size, clock })

  /** A block of the future: its records are taken at once, the block when its time has come. */
  const keepAside = async (
    header: Uint8Array,
    body: Uint8Array,
    from: DeviceId,
    wait: number,
  ): Promise<void> => {
    const cancel = clock.after(wait, () => {
      aside.delete(cancel)
      service.acceptBlock(header, body, from).catch(() => {})
    })
    aside.add(cancel)
    const oldest = aside.values().next().value
    if (aside.size > MAX_ORPHAN_BLOCKS && oldest !== undefined) {
      oldest()
      aside.delete(oldest)
    }
    const records = decodeBody(body).records.map(({ bytes }) => bytes)
    await service.acceptRecords(records, from)
  }

  const othersHaveWork = (): boolean => {
    if (othersWait === undefined) {
      let found = false
      for (const record of candidates.look()) {
        if (record.device === signer.device) continue
        if (inclusionOf(store.state, record, init.params) !== 'includable') continue
        found = true
        break
      }
      if (!found && candidates.more) return false
      othersWait = found
    }
    return othersWait
  }
  events.on('chain:tip', () => {
    othersWait = undefined
  })
  events.on('record:pending', () => {
    if (othersWait === false) othersWait = undefined
  })

  /** A chain with more work is on its way: what is mined on the old tip would be thrown away. */
  const catchingUp = (): boolean => clock.now() < behindUntil && store.tip().chainwork < shownWork
  const mayMine = (): boolean =>
    !stopping && importer.halted === undefined && !clocks.wrong && !catchingUp()

  const service: ChainService = {
    ...source,
    network,
    params: init.params,
    get user() {
      return own.user
    },
    get halted() {
      return importer.halted ?? clocks.halt
    },
    start: async () => {
      stopping = false
      const found = await write(() => own.recover())
      if (found > 0) logger.warn('Own records were put back from the journal', { found })
      await write(resign)
    },
    stop: async () => {
      stopping = true
      for (const cancel of aside) cancel()
      aside.clear()
      await arrivals.idle()
      await queue.idle()
    },
    publish: async (statement, signal) => {
      await signing
      return write(() => own.publish(statement), signal)
    },
    holdSigning: (ready) => {
      signing = ready.catch(() => {})
    },
    noteClock: (peer, offset) => {
      // Keys cost nothing: strangers must not be able to outvote the members' clocks.
      if (readDevice(store.state, peer)?.active === true) clocks.note(peer, offset)
    },

    acceptRecord: async (bytes) => {
      const records = await intake.records([bytes])
      const { stored } = await addSoon(records)
      if (records.some(({ device }) => device === signer.device)) await write(resign)
      const lacks = records.some(
        ({ id, previous }) =>
          previous !== null && !store.hasRecord(id) && !store.hasRecord(previous),
      )
      return {
        verdict: records.some(({ id }) => stored.has(id)) ? 'accept' : 'ignore',
        sync: lacks,
      }
    },
    acceptRecords: async (encoded) => {
      const records = await intake.records(encoded)
      const { accepted } = await write(() => pool.add(records))
      if (records.some(({ device }) => device === signer.device)) await write(resign)
      return { accepted }
    },
    acceptBlock: async (headerBytes, bodyBytes, from) => {
      const header = decodeHeader(headerBytes)
      if (store.block(header.id) !== undefined) return { verdict: 'ignore', sync: false }
      if (header.header.network !== network) throw chainError('BLOCK_NETWORK', { block: header.id })
      checkWork(header)
      const { parent } = header.header
      if (parent === null || store.block(parent) === undefined) {
        if (parent !== null && bodyBytes !== undefined) {
          orphans.add(parent, header.id, { header: headerBytes, body: bodyBytes, from })
        }
        return { verdict: 'ignore', sync: true }
      }
      try {
        const ancestors = store.ancestors(parent, ANCESTORS)
        intake.header(
          header,
          ancestors.map((block) => block.header),
          clock.now(),
        )
      } catch (error) {
        if (codeOf(error) !== 'TIME_AHEAD' || bodyBytes === undefined) throw error
        const wait = header.header.time - clock.now() - MAX_AHEAD_MS
        if (wait > MAX_ASIDE_MS) throw error
        await keepAside(headerBytes, bodyBytes, from, wait)
        return { verdict: 'ignore', sync: false }
      }
      await intake.seals([header])
      if (bodyBytes === undefined) return { verdict: 'accept', sync: true }
      const blocks = await intake.blocks([{ header, body: bodyBytes }])
      await importBlocks(blocks)
      return {
        verdict: store.block(header.id)?.status === 'invalid' ? 'reject' : 'accept',
        sync: false,
      }
    },

    planHeaders: async (headers) => {
      const plan = await plans.extend(headers, clock.now())
      // Once for each work shown: the same headers again and again, without bodies, must not hold the miner.
      if (plan.more && plan.wanted.length > 0 && plan.chainwork > shownWork) {
        shownWork = plan.chainwork
        behindUntil = clock.now() + CATCH_UP_MS
      }
      return plan
    },
    acceptBodies: async (blocks) => {
      const planned = blocks.flatMap(({ id, body }) => {
        const header = plans.get(id)
        return header === undefined || store.block(id) !== undefined ? [] : [{ header, body }]
      })
      // Verification of this window runs while those before are imported.
      await arrivals.take(planned.length, intake.blocks(planned))
    },

    demand: () => {
      if (!mayMine()) return undefined
      if (own.hasIncludable()) return 'own'
      return othersHaveWork() ? 'others' : undefined
    },
    template: () => {
      if (!mayMine()) return undefined
      const pending = candidates.look()
      return buildTemplate({ store, signer }, rules, pending, clock.now())
    },
    submitBlock: async (template: BlockTemplate, nonce) => {
      const bytes = Uint8Array.from(template.header)
      bytes.set(nonce, bytes.length - nonce.length)
      const header = decodeHeader(bytes)
      checkWork(header)
      await importBlocks([{ ...header, body: template.body }])
      if (store.block(header.id)?.status !== 'valid') return
      events.emit('block:mined', { block: header.id, height: header.header.height })
    },
  }
  return service
}
