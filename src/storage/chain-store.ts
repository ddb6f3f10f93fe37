/**
 * The chain on the local disk: blocks, records, state, undo and read models in one SQLite database.
 *
 * owns: that a connect or disconnect changes all of them in one transaction
 * does not own: any rule (chain/), which chain is the best (services/chain-service.ts)
 *
 * Everything is synchronous. What is given to `put…` must have passed its own checks: shape, proof of work, seal,
 * and each record's signature.
 */
import type { Block, BlockBody, SealedHeader } from '../chain/block.ts'
import type { BlockId, BodyId, DeviceId, RecordId } from '../chain/ids.ts'
import type { BlockEffect } from '../chain/outcome.ts'
import type { SignedRecord, VersionDetails } from '../chain/record.ts'
import type { StateView } from '../chain/view.ts'
import { assert } from '../common/errors.ts'
import { type BlockTable, createBlockTable, type StoredBlock } from './block-table.ts'
import { checksumOf } from './checksum.ts'
import { createDetailsTable, type VersionRecord } from './details.ts'
import { storageError } from './errors.ts'
import { createEviction } from './eviction.ts'
import { createFileProjection } from './file-projection.ts'
import type { DeviceHead } from './head-list.ts'
import type { PendingPlace } from './pending-devices.ts'
import { createProjections, type Projections } from './projections.ts'
import { createRecordTable, type Outcome, type StoredRecord } from './record-table.ts'
import { createRecordWalk } from './record-walk.ts'
import type { Database } from './sqlite.ts'
import { createStateTable } from './state-table.ts'
import { createStoredState } from './stored-state.ts'
import { readStored } from './stored-value.ts'
import { decodeUndo, encodeUndo } from './undo.ts'

export type { BlockStatus, StoredBlock } from './block-table.ts'
export type { DeviceHead } from './head-list.ts'
export type { StoredRecord } from './record-table.ts'

export interface ChainStore {
  /**
   * Runs `run` in one transaction: on the disk when this returns, undone when `run` throws. Nests. Wrap many
   * connects in one: a commit costs a flush of the disk.
   */
  transaction<T>(run: () => T): T
  meta(key: string): Uint8Array | undefined
  setMeta(key: string, value: Uint8Array): void

  /**
   * Begins the chain with its genesis block, or does nothing when it has begun with the same.
   *
   * @throws STORE_OF_OTHER_NETWORK
   */
  begin(genesis: Block, effect: BlockEffect, chainwork: bigint): void
  /** @throws CHAIN_EMPTY before `begin` */
  tip(): StoredBlock
  block(id: BlockId): StoredBlock | undefined
  headerBytes(id: BlockId): Uint8Array | undefined
  body(id: BlockId): Uint8Array | undefined
  /** A block's records, decoded; undefined: its body is not here. */
  bodyRecords(id: BlockId): SignedRecord[] | undefined
  bodyById(id: BodyId): Uint8Array | undefined
  /** The block and those before it, newest first, at most `count`. */
  ancestors(id: BlockId, count: number): StoredBlock[]
  children(id: BlockId): BlockId[]
  /** The best chain's block at a height. */
  idAt(height: number): BlockId | undefined
  /** Headers of the best chain, ascending. */
  mainHeaders(fromHeight: number, count: number): Uint8Array[]
  /** Whether the block is on the best chain. */
  onMain(block: StoredBlock): boolean
  /** Stores a checked header, with its body if it is here; adds the body to a header that is known. Idempotent. */
  putBlock(sealed: SealedHeader, chainwork: bigint, body?: BlockBody): StoredBlock
  /** The block and all that is known to follow it will not be tried again. */
  markInvalid(id: BlockId, code: string): void
  /** Blocks with a body, not invalid, with at least this work; most work first, then lower id. */
  betterThan(chainwork: bigint): StoredBlock[]

  readonly state: StateView
  /** Makes a stored block, child of the tip, the tip. */
  connect(block: StoredBlock, effect: BlockEffect): void
  /** Takes the tip off: everything is as before its `connect`; its records are pending. */
  disconnect(block: StoredBlock): void
  /** SHA-256 over the whole state. Reads all of it. */
  stateDigest(): Uint8Array

  record(id: RecordId): StoredRecord | undefined
  hasRecord(id: RecordId): boolean
  /** The same for a whole record: cheaper when it is new. */
  knows(record: SignedRecord): boolean
  /** Stores a record as pending unless it is known. True: it is new here. */
  putRecord(record: SignedRecord, options: { own: boolean; received: number }): boolean
  /** Not on the best chain; by device, then sequence. */
  pending(limit?: number): StoredRecord[]
  /** All records ever known. Counts them one by one. */
  recordCount(): number
  /** Devices with pending records, in order, at most `limit`, from this one on. */
  pendingDevices(limit: number, from?: DeviceId): DeviceId[]
  /** Pending records in order, a page after the other. */
  pendingPlaces(limit: number, after?: PendingPlace): PendingPlace[]
  pendingCount(): number
  /** Pending records of a device; counts no further than `limit`. */
  pendingCountOf(device: DeviceId, limit: number): number
  /** Records without a known successor, by device, then sequence. The same list until something changed. */
  deviceHeads(): readonly DeviceHead[]
  headsOf(device: DeviceId): DeviceHead[]
  /**
   * Encoded records of the hash chain that ends with `head`, after the newest of `have`, oldest first; at most
   * `limit`, and then the oldest of them.
   */
  recordsBack(head: RecordId, have: readonly RecordId[], limit: number): Uint8Array[]
  /** Ids of a device's records with this sequence, at most `limit`. */
  recordIdsAt(device: DeviceId, sequence: number, limit: number): RecordId[]
  /** A device's records with this sequence; several: it equivocated. */
  recordsAt(device: DeviceId, sequence: number): StoredRecord[]
  /** The record of a device with the highest sequence. */
  newestOf(device: DeviceId): StoredRecord | undefined
  /** The newest record of this device: `newestOf`, by the name that callers who sign look for. */
  ownNewest(device: DeviceId): StoredRecord | undefined
  /** Foreign records that were never confirmed and are in no stored body. */
  foreignCount(): number
  /** Deletes of these until `keep` are left, in bounded work; how many were deleted. See eviction.ts. */
  evictForeign(keep: number): number

  readonly projections: Projections
  /** Private versions that are sealed to this device, after the record `after` or from the first. */
  sealedVersions(limit: number, after?: RecordId): VersionRecord[]
  /** Keeps what a private version says, once it was opened. */
  setDetails(id: RecordId, details: VersionDetails): void
  /** Makes the read models anew from the records. */
  rebuildProjections(): void
}

/** Pending records that `pending` gives unless told otherwise: what fills several bodies. */
const PENDING_LIMIT = 10_000

export function createChainStore(db: Database): ChainStore {
  const records = createRecordTable(db)
  const blocks = createBlockTable(db, records)
  const state = createStoredState(createStateTable(db), records)
  const details = createDetailsTable(db)
  const files = createFileProjection(db, records, details)
  const projections = createProjections({ db, files, details, records })
  const eviction = createEviction(db, records)
  const walk = createRecordWalk(db, records)
  db.beforeCommit(records.settle)

  const getMeta = db.prepare<{ value: Uint8Array }>('SELECT value FROM meta WHERE key = ?')
  const setMeta = db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)')
  const putUndo = db.prepare('INSERT INTO undo (block, data, sum) VALUES (?, ?, ?)')
  const getUndo = db.prepare<{ data: Uint8Array; sum: number | null }>(
    'SELECT data, sum FROM undo WHERE block = ?',
  )
  const dropUndo = db.prepare('DELETE FROM undo WHERE block = ?')

  const placesOf = (block: StoredBlock): { number: number; numbers: number[] } => {
    const found = blocks.numbers(block.id)
    if (found === undefined) throw storageError('BLOCK_NOT_STORED', { block: block.id })
    return found
  }
  const changed = (number: number): void => {
    if (!records.isOf(number, 'file.')) return
    const record = records.record(number)
    if (record !== undefined) files.changed(record)
  }
  const numberOf = (id: RecordId): number => {
    const number = records.number(id)
    assert(number !== undefined, 'a record that waited is stored')
    return number
  }
  const setOutcome = (id: RecordId, outcome: Outcome | '', code: string): void => {
    const number = numberOf(id)
    records.setOutcome(number, outcome, code)
    changed(number)
  }

  const store: ChainStore = {
    transaction: (run) => db.transaction(run),
    meta: (key) => getMeta.get(key)?.value,
    setMeta: (key, value) => void setMeta.run(key, value),

    begin: (genesis, effect, chainwork) =>
      db.join(() => {
        const found = blocks.idAt(0)
        if (found === genesis.id) return
        if (found !== undefined) {
          throw storageError('STORE_OF_OTHER_NETWORK', { found, wanted: genesis.id })
        }
        store.connect(store.putBlock(genesis, chainwork, genesis.body), effect)
      }),
    tip: () => {
      const tip = blocks.tip()
      if (tip === undefined) throw storageError('CHAIN_EMPTY')
      return tip
    },
    block: blocks.get,
    headerBytes: blocks.headerBytes,
    body: blocks.body,
    bodyRecords: (id) =>
      blocks.numbers(id)?.numbers.map((number) => {
        const record = records.record(number)
        if (record === undefined) throw db.damaged(`the body of block ${id} is not whole`)
        return record
      }),
    bodyById: blocks.bodyById,
    ancestors: (id, count) => ancestorsOf(blocks, id, count),
    children: blocks.children,
    idAt: blocks.idAt,
    mainHeaders: blocks.mainHeaders,
    onMain: (block) => blocks.idAt(block.height) === block.id,
    putBlock: (sealed, chainwork, body) =>
      db.join(() => {
        const known = blocks.get(sealed.id)
        if (known === undefined || (!known.hasBody && body !== undefined)) {
          assert(
            body === undefined || body.id === sealed.header.records,
            'the body is the header’s',
          )
          const numbers = body?.records.map((record) => {
            const options = { own: false, received: sealed.header.time, inBody: true }
            const { number, added } = records.put(record, options)
            if (added) files.added(number, record)
            return number
          })
          blocks.put(sealed, chainwork, numbers)
        }
        const stored = blocks.get(sealed.id)
        assert(stored !== undefined, 'the block was stored')
        return stored
      }),
    markInvalid: (id, code) =>
      db.join(() => {
        const waiting = [id]
        for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
          blocks.setStatus(next, 'invalid', code)
          waiting.push(...blocks.children(next))
        }
      }),
    betterThan: blocks.betterThan,

    state,
    connect: (block, effect) =>
      db.join(() => {
        assert(
          (blocks.tip()?.id ?? null) === block.header.parent,
          'a block is connected to the tip',
        )
        const { number, numbers } = placesOf(block)
        assert(effect.outcomes.length === numbers.length, 'each record of a block has an outcome')
        const changes = state.apply(effect.changes)
        const late = effect.late.map(({ record }) => {
          return { record, ...records.outcome(numberOf(record)) }
        })
        const undo = encodeUndo({ changes, late })
        putUndo.run(number, undo, checksumOf(undo))
        blocks.extend(block)
        if (block.status !== 'valid') blocks.setStatus(block.id, 'valid')
        for (const [place, outcome] of effect.outcomes.entries()) {
          const record = numbers[place]
          assert(record !== undefined, 'each outcome is of a record')
          records.confirm(record, block.height, place, outcome)
          changed(record)
        }
        for (const { record, outcome, code } of effect.late) {
          setOutcome(record, outcome, code ?? '')
        }
      }),
    disconnect: (block) =>
      db.join(() => {
        assert(blocks.tip()?.id === block.id, 'only the tip is disconnected')
        const { number, numbers } = placesOf(block)
        const { data, sum } = getUndo.get(number) ?? {}
        if (data === undefined || (sum !== null && sum !== checksumOf(data)))
          throw db.damaged(`block ${block.id} cannot be disconnected`)
        const undo = readStored(db, `the undo data of block ${block.id}`, () => decodeUndo(data))
        state.revert(undo.changes)
        for (const { record, outcome, code } of [...undo.late].reverse()) {
          setOutcome(record, outcome, code)
        }
        for (const record of numbers) {
          records.unconfirm(record)
          changed(record)
        }
        dropUndo.run(number)
        blocks.shorten(block)
      }),
    stateDigest: state.digest,

    record: (id) => {
      const number = records.number(id)
      const stored = number === undefined ? undefined : records.get(number)
      if (stored !== undefined && stored.record.id !== id) {
        throw db.damaged(`record ${id} is another one`)
      }
      return stored
    },
    hasRecord: (id) => records.number(id) !== undefined,
    knows: (record) => records.numberOf(record) !== undefined,
    putRecord: (record, { own, received }) =>
      db.join(() => {
        const { number, added } = records.put(record, { own, received, inBody: false })
        if (added) files.added(number, record)
        return added
      }),
    pending: (limit = PENDING_LIMIT) => records.pending(limit),
    recordCount: records.count,
    pendingDevices: records.pendingDevices,
    pendingPlaces: records.pendingPlaces,
    pendingCount: records.pendingCount,
    pendingCountOf: records.pendingCountOf,
    deviceHeads: records.heads,
    headsOf: records.headsOf,
    recordsBack: walk.back,
    recordIdsAt: walk.idsAt,
    recordsAt: records.at,
    newestOf: records.newest,
    ownNewest: records.newest,
    foreignCount: eviction.count,
    evictForeign: (keep) => db.join(() => eviction.evict(keep, files.forgotten)),

    projections,
    sealedVersions: (limit, after) => {
      const from = after === undefined ? 0 : (records.number(after) ?? 0)
      return details.sealed(from, limit).flatMap((number) => {
        const record = records.record(number)
        return record?.type === 'file.add' || record?.type === 'file.update' ? record : []
      })
    },
    setDetails: (id, opened) =>
      db.join(() => {
        const number = records.number(id)
        const record = number === undefined ? undefined : records.record(number)
        if (number === undefined || record === undefined) return
        details.set(number, opened)
        files.changed(record)
      }),
    rebuildProjections: files.rebuild,
  }
  return store
}

function ancestorsOf(blocks: BlockTable, id: BlockId, count: number): StoredBlock[] {
  const found: StoredBlock[] = []
  let next: BlockId | null = id
  while (next !== null && found.length < count) {
    const block: StoredBlock | undefined = blocks.get(next)
    if (block === undefined) break
    found.push(block)
    next = block.header.parent
  }
  return found
}
