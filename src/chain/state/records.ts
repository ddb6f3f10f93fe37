/**
 * What became of each included record: `record/<id>`.
 *
 * A stranded record that was signed again counts once, under the id of the first: its entry names the record
 * that carries it (`by`), and references to it find that one's outcome.
 */
import { DAG_CBOR } from '../../common/dag-cbor.ts'
import { link, nullable, oneOf, text, tuple, uint } from '../../common/schema.ts'
import type { RecordId } from '../ids.ts'
import type { ReasonCode } from '../reasons.ts'
import type { SignedRecord } from '../record.ts'
import { type Overlay, readValue, type StateView } from '../view.ts'
import type { Place, Result } from './result.ts'
import { valueCodec } from './value.ts'

export type Outcome = Result['outcome']

export interface RecordState extends Place {
  readonly outcome: Outcome
  readonly code?: ReasonCode
  /** The record that stands in the chain for this one. */
  readonly by?: RecordId
}

const MAX_CODE_BYTES = 64

const codec = valueCodec(
  tuple(
    /** Null when the record itself is not in the chain, only one that replaces it. */
    ['outcome', nullable(oneOf('applied', 'rejected', 'waiting'))],
    ['code', nullable(text(MAX_CODE_BYTES))],
    ['height', uint()],
    ['index', uint()],
    ['by', nullable(link<RecordId>(DAG_CBOR))],
  ),
)

/** First part of the keys. */
export const RECORD_FAMILY = 'record'

const keyOf = (id: RecordId): string => `${RECORD_FAMILY}/${id}`

/** The value of a record that stands in the chain for itself: a store need not keep what it can make. */
export function ownRecordState(place: Place, outcome: Outcome, code: string | null): Uint8Array {
  return codec.encode({ outcome, code, height: place.height, index: place.index, by: null })
}

/** Whether a value under a key of `RECORD_FAMILY` says nothing of another record: `ownRecordState` makes it. */
export function isOwnRecordState(value: Uint8Array): boolean {
  return codec.decode(value).by === null
}

/**
 * What became of the statement that `id` names, in this chain: of the record itself, or of the one that
 * replaces it. Undefined when neither is included.
 */
export function readRecordState(view: StateView, id: RecordId): RecordState | undefined {
  const entry = readValue(view, keyOf(id), codec)
  if (entry === undefined) return undefined
  if (entry.by !== null) {
    const carrier = readValue(view, keyOf(entry.by), codec)
    return carrier === undefined ? undefined : { ...stateOf(carrier), by: entry.by }
  }
  return stateOf(entry)
}

/** Whether this very record stands in the chain. */
export function isIncluded(view: StateView, id: RecordId): boolean {
  const entry = readValue(view, keyOf(id), codec)
  return entry !== undefined && entry.outcome !== null
}

/** Whether the statement of `record` stands in the chain already, in this or another record. */
export function isKnown(view: StateView, record: SignedRecord): boolean {
  return readValue(view, keyOf(record.identity), codec) !== undefined
}

/** Notes the outcome of a record at its inclusion. */
export function noteIncluded(
  overlay: Overlay,
  record: SignedRecord,
  place: Place,
  result: Result,
): void {
  const entry = { ...entryOf(place, result), by: null }
  const known = readValue(overlay, keyOf(record.id), codec)
  if (known === undefined) overlay.create(keyOf(record.id), codec, entry)
  else overlay.write(keyOf(record.id), codec, { ...entry, by: known.by })
  if (record.identity === record.id || isKnown(overlay, record)) return
  const origin = { outcome: null, code: null, ...place, by: record.id }
  overlay.create(keyOf(record.identity), codec, origin)
}

/** Notes the outcome of a record that waited. */
export function noteLate(overlay: Overlay, id: RecordId, place: Place, result: Result): void {
  overlay.write(keyOf(id), codec, { ...entryOf(place, result), by: null })
}

/**
 * The first of `ids` that stands in the way: one that is not included or waits itself, or one that was
 * rejected. Undefined when all of them were applied.
 */
export function checkReferences(
  view: StateView,
  ids: readonly RecordId[],
): Exclude<Result, { outcome: 'applied' }> | undefined {
  for (const id of ids) {
    const outcome = readRecordState(view, id)?.outcome ?? 'waiting'
    if (outcome === 'waiting') return { outcome, missing: id }
    if (outcome === 'rejected') return { outcome, code: 'REFERENCE_REJECTED' }
  }
  return undefined
}

function entryOf({ height, index }: Place, result: Result): Omit<Entry, 'by'> {
  const code = result.outcome === 'rejected' ? result.code : null
  return { outcome: result.outcome, code, height, index }
}

interface Entry {
  readonly outcome: Outcome | null
  readonly code: string | null
  readonly height: number
  readonly index: number
  readonly by: RecordId | null
}

function stateOf({ outcome, code, height, index }: Entry): RecordState {
  return {
    outcome: outcome ?? 'waiting',
    ...(code === null ? {} : { code: code as ReasonCode }),
    height,
    index,
  }
}
