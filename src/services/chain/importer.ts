/**
 * The only writer of the tip: stores blocks and keeps the best valid chain connected.
 *
 * owns: fork choice over what is stored, connect, disconnect, what is told of it
 * does not own: where blocks come from, signatures of records (checked before they reach this), the queue
 *   (the caller runs one import at a time)
 */

import type { Block, BlockBody, BlockHeader } from '../../chain/block.ts'
import { CHAIN_ERRORS, chainError } from '../../chain/errors.ts'
import { isBetter } from '../../chain/fork-choice.ts'
import { type BlockId, type DeviceId, deviceIdOf, type NetworkId } from '../../chain/ids.ts'
import { type BlockEffect, checkBlock } from '../../chain/outcome.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { readDevice } from '../../chain/state/devices.ts'
import { codeOf } from '../../common/errors.ts'
import type { Events } from '../../common/events.ts'
import type { Logger } from '../../common/logger.ts'
import { count } from '../../common/plural.ts'
import type { ChainStore, StoredBlock } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'
import { createDissent } from './dissent.ts'

/** Blocks; a deeper reorg raises an alarm: somebody with most of the work was away, or rewrites. */
const DEEP_REORG_BLOCKS = 100
/** Bound of the set of blocks that this software cannot judge. */
const MAX_UNKNOWN_RULES = 1024
/** Blocks on top of one with another outcome that are looked at for who sealed them. */
const MAX_DISSENT_BLOCKS = 1024

export interface ImporterComponents {
  readonly store: ChainStore
  readonly events: Events<NodeEvents>
  readonly logger: Logger
}

export interface ImporterInit {
  readonly params: NetworkParams
  readonly network: NetworkId
  /** This device: what it mines itself is no sign that others agree. */
  readonly device: DeviceId
}

export interface Importer {
  /**
   * Stores `blocks` (parents first, every parent stored or among them; headers checked, signatures of the
   * records verified) and makes the best valid chain the connected one, in one transaction where all is well.
   * A block that proves invalid is marked, with what stands on it; the others count as usual.
   *
   * @throws `BLOCK_PARENT_UNKNOWN`, storage errors (`STORAGE_FULL` …); nothing has changed then
   */
  import(blocks: readonly Block[]): void
  /** Why this node must not mine now, if so. */
  readonly halted: Halt | undefined
}

export interface Halt {
  readonly code: 'RULES_UNKNOWN' | 'OUTCOME_DIFFERS' | 'CLOCK_WRONG'
  readonly message: string
}

/** What one switch did, told after its transaction. */
interface SwitchLog {
  readonly from: StoredBlock
  readonly disconnected: StoredBlock[]
  readonly connected: { block: StoredBlock; records: readonly SignedRecord[] }[]
}

export function createImporter(components: ImporterComponents, init: ImporterInit): Importer {
  const { store, events } = components
  const logger = components.logger.child('chain')
  const dissent = createDissent(init.device)
  const beyondRules = new Set<BlockId>()
  let halted: Halt | undefined
  let differs: Halt | undefined
  let stopped = false

  const insert = (blocks: readonly Block[]): Map<BlockId, BlockBody> => {
    const bodies = new Map<BlockId, BlockBody>()
    for (const block of blocks) {
      bodies.set(block.id, block.body)
      if (store.block(block.id) !== undefined) continue
      const parent = block.header.parent === null ? undefined : store.block(block.header.parent)
      // Its work cannot be known: what should have come before it failed (disk full), or was forgotten.
      if (parent === undefined) throw chainError('BLOCK_PARENT_UNKNOWN', { block: block.id })
      const chainwork = parent.chainwork + BigInt(block.header.difficulty)
      const linked = isLinked(block.body)
      store.putBlock(block, chainwork, linked ? block.body : undefined)
      if (parent.status === 'invalid') {
        store.markInvalid(block.id, parent.code ?? 'BLOCK_PARENT_INVALID')
        if (parent.code === 'BLOCK_OUTCOME') disagree(block.header, chainwork)
      } else if (!linked) {
        logger.warn('A block is invalid', { block: block.id, code: 'RECORD_NOT_INCLUDABLE' })
        store.markInvalid(block.id, 'RECORD_NOT_INCLUDABLE')
      }
    }
    return bodies
  }

  /**
   * Whether each record's predecessor is known. The bodies of all blocks below are, so that without it no chain
   * can take the record; and a stored record has to have everything that leads to it.
   */
  const isLinked = ({ records }: BlockBody): boolean => {
    const here = new Set(records.map(({ id }) => id))
    return records.every(
      ({ previous }) => previous === null || here.has(previous) || store.hasRecord(previous),
    )
  }

  const bestCandidate = (): StoredBlock | undefined => {
    const tip = store.tip()
    let best: StoredBlock | undefined
    for (const block of store.betterThan(tip.chainwork)) {
      if (beyondRules.has(block.id)) continue
      if (isBetter(block, best ?? tip)) best = block
    }
    return best
  }

  const parentOf = (block: StoredBlock): StoredBlock | undefined =>
    block.header.parent === null ? undefined : store.block(block.header.parent)

  /** Find the fork point, disconnect, connect. Throws the error of the block that does not connect. */
  const switchTo = (target: StoredBlock, bodies: Map<BlockId, BlockBody>): SwitchLog => {
    const log: SwitchLog = { from: store.tip(), disconnected: [], connected: [] }
    const path: StoredBlock[] = []
    let fork: StoredBlock | undefined = target
    while (fork !== undefined && store.idAt(fork.height) !== fork.id) {
      path.push(fork)
      fork = parentOf(fork)
    }
    let tip: StoredBlock | undefined = log.from
    while (tip !== undefined && tip.id !== fork?.id) {
      store.disconnect(tip)
      log.disconnected.push(tip)
      tip = parentOf(tip)
    }
    for (const block of path.reverse()) {
      const records = bodies.get(block.id)?.records ?? store.bodyRecords(block.id) ?? []
      const effect = connectable(block, records)
      store.connect(block, effect)
      log.connected.push({ block, records })
    }
    return log
  }

  /** The effect of a block on the connected state; errors carry the block, to be marked. */
  const connectable = (block: StoredBlock, records: readonly SignedRecord[]): BlockEffect => {
    try {
      return checkBlock(
        store.state,
        { params: init.params, network: init.network },
        block.header,
        records,
      )
    } catch (error) {
      throw new Unconnectable(block, error)
    }
  }

  const judge = ({ block, cause }: Unconnectable): void => {
    const code = codeOf(cause)
    if (!Object.hasOwn(CHAIN_ERRORS, code)) throw cause
    if (code === 'RULES_UNKNOWN') {
      if (beyondRules.size < MAX_UNKNOWN_RULES) beyondRules.add(block.id)
      halt('RULES_UNKNOWN', cause instanceof Error ? cause.message : code)
      for (const above of store.betterThan(store.tip().chainwork)) beyondRules.add(above.id)
      return
    }
    logger.warn('A block is invalid', { block: block.id, height: block.height, code })
    store.markInvalid(block.id, code)
    if (code !== 'BLOCK_OUTCOME') return
    const waiting = [block.id]
    for (let at = 0; at < waiting.length && at < MAX_DISSENT_BLOCKS; at += 1) {
      const above = store.block(waiting[at] ?? block.id)
      if (above === undefined) continue
      disagree(above.header, above.chainwork)
      waiting.push(...store.children(above.id))
    }
    const message = `Block ${block.id} claims another outcome than this node computes. Compare versions of the software; export the chain before anything else.`
    differs = { code: 'OUTCOME_DIFFERS', message }
    events.emit('chain:alarm', differs)
  }

  const disagree = (header: BlockHeader, chainwork: bigint): void => {
    const user = readDevice(store.state, deviceIdOf(header.miner))?.user
    if (user === undefined || user === readDevice(store.state, init.device)?.user) return
    dissent.disagrees(user, chainwork)
  }

  const halt = (code: Halt['code'], message: string): void => {
    if (halted?.code === code) return
    halted = { code, message }
    logger.error('This node stops mining', { code })
    events.emit('chain:alarm', { code, message })
  }

  const tell = (log: SwitchLog): void => {
    for (const block of log.disconnected) {
      events.emit('block:disconnect', { block: block.id, height: block.height })
    }
    for (const { block, records } of log.connected) {
      dissent.agrees(() => deviceIdOf(block.header.miner))
      events.emit('block:connect', {
        block: block.id,
        height: block.height,
        records: records.length,
      })
      for (const { id: record, type, body } of records) {
        const confirmed = { record, type, block: block.id, height: block.height }
        events.emit(
          'record:confirmed',
          'visibility' in body ? { ...confirmed, visibility: body.visibility } : confirmed,
        )
      }
    }
    const tip = store.tip()
    const depth = log.disconnected.length
    if (depth > 0) {
      events.emit('chain:reorg', { from: log.from.id, to: tip.id, depth })
      if (depth > DEEP_REORG_BLOCKS) {
        const message = `A chain with more work took the place of ${count(depth, 'block')}. Nothing is lost: their records are mined again. Look at who sealed the new ones.`
        events.emit('chain:alarm', { code: 'DEEP_REORG', message })
      }
    }
    events.emit('chain:tip', { block: tip.id, height: tip.height, chainwork: tip.chainwork })
  }

  const tellStop = (): void => {
    const stops = dissent.stops(store.tip().chainwork)
    if (stops === stopped || differs === undefined) return
    stopped = stops
    if (!stops) {
      logger.warn('This node mines again', { code: differs.code })
      return
    }
    logger.error('This node stops mining', { code: differs.code })
    events.emit('chain:alarm', differs)
  }

  /** Revocations that come with these blocks and are not known here. */
  const newRevocations = (blocks: readonly Block[]): SignedRecord[] =>
    blocks.flatMap(({ body }) =>
      body.records.filter(({ type, id }) => type === 'device.revoke' && !store.hasRecord(id)),
    )

  /** On a branch that is not the best they are pending; who is shut out is to be known all the same. */
  const tellAside = (records: readonly SignedRecord[]): void => {
    for (const { id } of records) {
      const stored = store.record(id)
      if (stored === undefined || stored.place !== undefined) continue
      events.emit('record:pending', { record: stored.record, own: stored.own })
    }
  }

  /** One attempt in one transaction; false when there is nothing better than the tip. */
  const attempt = (blocks: readonly Block[]): boolean => {
    let log: SwitchLog | undefined
    store.transaction(() => {
      const bodies = insert(blocks)
      const target = bestCandidate()
      if (target !== undefined) log = switchTo(target, bodies)
    })
    if (log === undefined) return false
    tell(log)
    return true
  }

  return {
    get halted() {
      return halted ?? (dissent.stops(store.tip().chainwork) ? differs : undefined)
    },
    import: (blocks) => {
      const revocations = newRevocations(blocks)
      let stored = false
      for (;;) {
        try {
          if (!attempt(blocks)) {
            tellAside(revocations)
            return tellStop()
          }
        } catch (error) {
          if (!(error instanceof Unconnectable)) throw error
          // The attempt was rolled back whole; what it brought is stored before the culprit can be marked.
          if (!stored) store.transaction(() => void insert(blocks))
          stored = true
          judge(error)
        }
      }
    },
  }
}

/** Carries the block that does not connect out of the transaction, which is rolled back by it. */
class Unconnectable extends Error {
  readonly block: StoredBlock
  constructor(block: StoredBlock, cause: unknown) {
    super('the block does not connect', { cause })
    this.block = block
  }
}
