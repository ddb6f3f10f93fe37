/**
 * The rules: a pure function of the state before a block and its records to the changes of the state and what
 * became of each record.
 *
 * owns: order of evaluation, who may seal, the digest that the header carries
 * does not own: what each type does (apply.ts), records that wait (late-records.ts), signatures of records (checked before), the header (validate.ts)
 */
import { equalBytes } from '../common/bytes.ts'
import { sha256 } from '../common/crypto.ts'
import { type CborValue, encode, linkTo } from '../common/dag-cbor.ts'
import { apply } from './apply.ts'
import type { BlockHeader } from './block.ts'
import { chainError } from './errors.ts'
import { type DeviceId, deviceIdOf, type NetworkId } from './ids.ts'
import { enter, fitOf } from './inclusion.ts'
import { createLateRecords } from './late-records.ts'
import type { NetworkParams } from './params.ts'
import type { SignedRecord } from './record.ts'
import { isBackup, readDevice } from './state/devices.ts'
import { isKnown, noteIncluded } from './state/records.ts'
import { type Evaluation, outcomeOf, type RecordOutcome, rejected } from './state/result.ts'
import { RULE_VERSION, readRules } from './state/rules.ts'
import { settleVotes } from './state/settlement.ts'
import { type Change, createOverlay, type Overlay, type StateView } from './view.ts'

export interface BlockContext {
  readonly params: NetworkParams
  readonly network: NetworkId
  readonly height: number
  /** Milliseconds UTC. */
  readonly time: number
  readonly miner: DeviceId
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

/** Whether a device may seal a block: it is active after the parent, or admitted by a record of the block. */
function maySeal(before: StateView, after: StateView, miner: DeviceId): boolean {
  const device = readDevice(before, miner) ?? readDevice(after, miner)
  return device?.active === true && !isBackup(after, miner, device)
}

function checkMiner(before: StateView, after: StateView, miner: DeviceId): void {
  // [REJECT] the miner is active after the parent, or admitted by a record of this block, and no backup device
  if (!maySeal(before, after, miner)) throw chainError('MINER_NOT_ACTIVE', { device: miner })
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
