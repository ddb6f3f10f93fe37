/**
 * The rules: a pure function of the state before a block and its records to the changes of the state and what
 * became of each record.
 *
 * owns: order of evaluation, late references, the digest that the header carries
 * does not own: what each type does (state/), signatures of records (checked before), the header (validate.ts)
 */
import { equalBytes } from '../common/bytes.ts'
import { sha256 } from '../common/crypto.ts'
import { type CborValue, encode, linkTo } from '../common/dag-cbor.ts'
import { assert } from '../common/errors.ts'
import type { BlockHeader } from './block.ts'
import { decodeRecord } from './codec.ts'
import { chainError } from './errors.ts'
import { type DeviceId, deviceIdOf, type NetworkId, type RecordId } from './ids.ts'
import { enter, fitOf } from './inclusion.ts'
import type { NetworkParams } from './params.ts'
import type { ReasonCode } from './reasons.ts'
import type { SignedRecord } from './record.ts'
import { applyDeviceName, applyDeviceRevoke, isBackup, readDevice } from './state/devices.ts'
import { applyFileAdd, applyFileRemove, applyFileUpdate } from './state/files.ts'
import {
  applyAccess,
  applyGrant,
  applyHolderAdd,
  applyHolderRemove,
  applyRelease,
  applyRevoke,
} from './state/grants.ts'
import { applyInvite, applyInviteCancel } from './state/invites.ts'
import { applyKeyCopy, applyLegacyImport } from './state/key-copies.ts'
import { isKnown, noteIncluded, noteLate, type Outcome } from './state/records.ts'
import {
  APPLIED,
  type Evaluation,
  isBefore,
  type Place,
  type Result,
  rejected,
} from './state/result.ts'
import { applyUpgrade, RULE_VERSION, readRules } from './state/rules.ts'
import { settleVotes } from './state/settlement.ts'
import { applyUserKey } from './state/users.ts'
import { applyVote } from './state/votes.ts'
import {
  addWaiter,
  hasWaiting,
  markDue,
  removeWaiter,
  takeDue,
  type Waiter,
  waitersOf,
} from './state/waiting.ts'
import { type Change, createOverlay, type Overlay, type StateView } from './view.ts'

/** Waiting records that one block evaluates: as many as a body can hold. The next block goes on. */
export const MAX_LATE_PER_BLOCK = 4096

export interface BlockContext {
  readonly params: NetworkParams
  readonly network: NetworkId
  readonly height: number
  /** Milliseconds UTC. */
  readonly time: number
  readonly miner: DeviceId
}

export interface RecordOutcome {
  readonly record: RecordId
  readonly outcome: Outcome
  /** Why it was rejected. */
  readonly code?: ReasonCode
}

export interface BlockEffect {
  /** One net change for each key, in byte order of keys. */
  readonly changes: readonly Change[]
  /** In the order of the body. */
  readonly outcomes: readonly RecordOutcome[]
  /** Records of earlier blocks that waited, and were evaluated by this one, in that order. */
  readonly late: readonly RecordOutcome[]
  /** 32 bytes: what the header's `outcome` has to be. */
  readonly digest: Uint8Array
}

/**
 * What a block does to the state in `view`, which is not changed. The signatures of `records` are taken as
 * verified.
 *
 * @throws `RULES_UNKNOWN`, `RECORD_NETWORK`, `RECORD_NOT_INCLUDABLE`, `MINER_NOT_ACTIVE`
 */
export function evaluateBlock(
  view: StateView,
  context: BlockContext,
  records: readonly SignedRecord[],
): BlockEffect {
  return evaluate(view, context, records, false).effect
}

/**
 * The block that `candidates` give, in their order: those that cannot stand where they would come are left out.
 * A revocation in the body, or one that waited and is evaluated by this very block, shuts out what comes after.
 *
 * @throws `RULES_UNKNOWN`, `RECORD_NETWORK`, `MINER_NOT_ACTIVE`
 */
export function composeBlock(
  view: StateView,
  context: BlockContext,
  candidates: readonly SignedRecord[],
): { effect: BlockEffect; records: readonly SignedRecord[] } {
  return evaluate(view, context, candidates, true)
}

function evaluate(
  view: StateView,
  context: BlockContext,
  candidates: readonly SignedRecord[],
  mayLeaveOut: boolean,
): { effect: BlockEffect; records: readonly SignedRecord[] } {
  const { height, network, params } = context
  const overlay = createOverlay(view)
  const { time } = context
  const evaluation: Evaluation = { params, network, height, time, votesChanged: new Map() }

  // [IGNORE] the rules that hold at this height are known
  const { current: version } = readRules(overlay, height)
  if (version > RULE_VERSION) throw chainError('RULES_UNKNOWN', { height, version })

  const late = createLateRecords(view, overlay, evaluation)
  late.continue()
  const records: SignedRecord[] = []
  const outcomes: RecordOutcome[] = []
  for (const record of candidates) {
    if (!include(overlay, context, record, mayLeaveOut)) continue
    const place = { height, index: records.length }
    const result = isKnown(overlay, record)
      ? rejected('ALREADY_INCLUDED')
      : apply(overlay, record, place, evaluation)
    noteIncluded(overlay, record, place, result)
    late.settle(record, place, result)
    records.push(record)
    outcomes.push(outcomeOf(record.id, result))
  }
  checkMiner(view, overlay, context.miner)
  settleVotes(view, overlay, evaluation)

  const changes = overlay.changes()
  const digest = digestOf(changes, outcomes, late.outcomes)
  return { effect: { changes, outcomes, late: late.outcomes, digest }, records }
}

/**
 * Evaluates a block and compares the outcome with its header's. The header itself was checked before.
 *
 * @throws what `evaluateBlock` throws, and `BLOCK_OUTCOME`
 */
export function checkBlock(
  view: StateView,
  context: { readonly params: NetworkParams; readonly network: NetworkId },
  header: BlockHeader,
  records: readonly SignedRecord[],
): BlockEffect {
  const { height, time } = header
  const miner = deviceIdOf(header.miner)
  const effect = evaluateBlock(view, { ...context, height, time, miner }, records)
  // [REJECT] the header's outcome is what the records do
  if (!equalBytes(effect.digest, header.outcome)) {
    throw chainError('BLOCK_OUTCOME', { block: `at height ${height}` })
  }
  return effect
}

/** Puts a record in its place in its device's chain. False when it has none, and may be left out. */
function include(
  overlay: Overlay,
  context: BlockContext,
  record: SignedRecord,
  mayLeaveOut: boolean,
): boolean {
  // [REJECT] every record belongs to this network
  if (record.network !== context.network) throw chainError('RECORD_NETWORK')
  // [REJECT] every record continues its device's chain, or is a proven admission
  const device = readDevice(overlay, record.device)
  const fit = fitOf(overlay, context.params, device, record)
  if (fit !== 'next') {
    if (mayLeaveOut) return false
    const why =
      fit === 'behind'
        ? 'it does not continue what the chain holds of its device'
        : 'a record before it, or the admission of its device, is missing'
    throw chainError('RECORD_NOT_INCLUDABLE', { record: record.id, why })
  }
  enter(overlay, device, record)
  return true
}

function apply(
  overlay: Overlay,
  record: SignedRecord,
  place: Place,
  evaluation: Evaluation,
): Result {
  // Their proofs were checked and their effect entered where they were included.
  if (record.type === 'user.create' || record.type === 'device.add') return APPLIED
  const { user } = record
  assert(user !== null, 'only user.create has no user')
  const device = readDevice(overlay, record.device)
  if (device !== undefined && isBackup(overlay, record.device, device)) {
    return rejected('BACKUP_ROLE')
  }
  switch (record.type) {
    case 'device.name':
      return applyDeviceName(overlay, record, user)
    case 'device.revoke':
      return applyDeviceRevoke(overlay, record, user, evaluation.time)
    case 'user.key':
      return applyUserKey(overlay, record, user, device?.active === true)
    case 'key.copy':
      return applyKeyCopy(overlay, record, user)
    case 'invite':
      return applyInvite(overlay, record, user)
    case 'invite.cancel':
      return applyInviteCancel(overlay, record, user)
    case 'file.add':
      return applyFileAdd(overlay, record, user)
    case 'file.update':
      return applyFileUpdate(overlay, record, user)
    case 'file.remove':
      return applyFileRemove(overlay, record, user)
    case 'vote':
      return applyVote(overlay, record, user, place, evaluation)
    case 'grant':
      return applyGrant(overlay, record, user)
    case 'revoke':
      return applyRevoke(overlay, record, user)
    case 'access':
      return applyAccess(overlay, record, user, evaluation.time)
    case 'release':
      return applyRelease(overlay, record)
    case 'holder.add':
      return applyHolderAdd(overlay, record, user)
    case 'holder.remove':
      return applyHolderRemove(overlay, record, user)
    case 'legacy.import':
      return applyLegacyImport(overlay, record, user)
    case 'upgrade':
      return applyUpgrade(overlay, record, user, evaluation)
  }
}

interface LateRecords {
  readonly outcomes: RecordOutcome[]
  /** Goes on with what an earlier block left. */
  continue(): void
  /** Lets `record` wait if it has to; else evaluates those that waited for it. */
  settle(record: SignedRecord, place: Place, result: Result): void
}

function createLateRecords(view: StateView, overlay: Overlay, evaluation: Evaluation): LateRecords {
  const outcomes: RecordOutcome[] = []
  let queue: Waiter[] = []
  let anyWait = hasWaiting(view)

  const wait = (waiter: Waiter): void => {
    anyWait = true
    addWaiter(overlay, waiter)
  }

  const release = (id: RecordId): void => {
    if (!anyWait) return
    const waiters = waitersOf(overlay, id)
    if (waiters.length === 0) return
    // The next one is taken from the end.
    queue = [...queue, ...waiters].sort((a, b) => (isBefore(a.place, b.place) ? 1 : -1))
  }

  const resolved = (record: SignedRecord): void => {
    release(record.identity)
    if (record.identity !== record.id) release(record.id)
  }

  const drain = (): void => {
    while (outcomes.length < MAX_LATE_PER_BLOCK) {
      const waiter = queue.pop()
      if (waiter === undefined) return
      removeWaiter(overlay, waiter)
      const record = decodeRecord(waiter.bytes)
      const result = apply(overlay, record, waiter.place, evaluation)
      noteLate(overlay, record.id, waiter.place, result)
      outcomes.push(outcomeOf(record.id, result))
      if (result.outcome === 'waiting') wait({ ...waiter, missing: result.missing })
      else resolved(record)
    }
    for (const { missing } of queue) markDue(overlay, missing)
    queue = []
  }

  return {
    outcomes,
    continue: () => {
      if (!anyWait) return
      for (const id of takeDue(overlay)) release(id)
      drain()
    },
    settle: (record, place, result) => {
      if (result.outcome === 'waiting') {
        wait({ place, missing: result.missing, bytes: record.bytes })
        return
      }
      resolved(record)
      if (queue.length > 0) drain()
    },
  }
}

/** Whether a device may seal a block: it is active after the parent, or admitted by a record of the block. */
export function maySeal(before: StateView, after: StateView, miner: DeviceId): boolean {
  const device = readDevice(before, miner) ?? readDevice(after, miner)
  return device?.active === true && !isBackup(after, miner, device)
}

function checkMiner(before: StateView, after: StateView, miner: DeviceId): void {
  // [REJECT] the miner is active after the parent, or admitted by a record of this block, and no backup device
  if (!maySeal(before, after, miner)) throw chainError('MINER_NOT_ACTIVE', { device: miner })
}

function outcomeOf(record: RecordId, result: Result): RecordOutcome {
  const { outcome } = result
  return result.outcome === 'rejected'
    ? { record, outcome, code: result.code }
    : { record, outcome }
}

/** SHA-256 over the canonical encoding of [changes, outcomes, late]. */
function digestOf(
  changes: readonly Change[],
  outcomes: readonly RecordOutcome[],
  late: readonly RecordOutcome[],
): Uint8Array {
  const row = ({ record, outcome, code }: RecordOutcome): CborValue => [
    linkTo(record),
    outcome,
    code ?? null,
  ]
  const changed = changes.map(({ key, before, after }) => [key, before ?? null, after ?? null])
  return sha256(encode([changed, outcomes.map(row), late.map(row)]))
}
