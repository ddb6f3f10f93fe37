/**
 * What a save has to write: the blocks and pending records that a device's earlier segments at a destination do not
 * hold yet.
 *
 * Segments are put together like the digits of a counter: eight of one tier become one of the next. So their number
 * stays small, each record is written a few times at most however long the chain is, and a segment of a megabyte is
 * never written again. After a reorg the segments that led elsewhere are left out; what they held is pending now.
 */
import { decodeHeader } from '../../chain/codec.ts'
import type { BlockId, RecordId } from '../../chain/ids.ts'
import type { Clock } from '../../common/clock.ts'
import { sleep } from '../../common/clock.ts'
import { assert } from '../../common/errors.ts'
import { KIB, MIB } from '../../common/limits.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { SegmentEntry } from './manifest.ts'
import { SEGMENT_BYTES, type SegmentBlock, type SegmentContent, sizeOf } from './segment.ts'

/** Segments of one tier that become one of the next. */
export const MERGE = 8
/** Bytes of an archive from which on it is not put together with others any more. */
export const SEALED_BYTES: number = MIB
/** Bytes of an archive of the lowest tier, at most eight times as many. */
const TIER_BYTES: number = 4 * KIB
/** Pending records of one backup: as many as the pool holds of others. */
export const MAX_PENDING = 100_000
/** Blocks that are read at a time before others have their turn: some three milliseconds. */
const READ_AT_ONCE = 64

/** A segment that stands at the destination. */
export interface Kept {
  readonly entry: SegmentEntry
  /** Its pending records; undefined: it was written before this program started. */
  readonly carried: ReadonlySet<RecordId> | undefined
}

export interface PendingRecord {
  readonly id: RecordId
  readonly bytes: Uint8Array
}

/** A segment to write. */
export interface Part {
  readonly content: SegmentContent
  readonly carried: ReadonlySet<RecordId>
  readonly about: Omit<SegmentEntry, 'sha256' | 'size'>
}

export interface SavePlan {
  /** Segments that stay. */
  readonly kept: readonly Kept[]
  readonly tip: BlockId
  readonly height: number
  /** The height after which blocks are written. */
  readonly after: number
  readonly tier: number
  /** Pending records to write; undefined: all that there are have to be looked through. */
  readonly records: readonly PendingRecord[]
}

type PlanStore = Pick<ChainStore, 'tip' | 'idAt' | 'mainHeaders' | 'body' | 'pending'>

/**
 * Decides what to write; undefined: the destination has everything.
 *
 * @param fresh - records that became pending since the last save; undefined: unknown
 */
export function planSave(
  store: PlanStore,
  entries: readonly Kept[],
  fresh: readonly PendingRecord[] | undefined,
): SavePlan | undefined {
  const { id: tip, height } = store.tip()
  let good = entries.findIndex(({ entry }) => store.idAt(entry.to) !== entry.tip)
  if (good < 0) good = entries.length
  let scan = fresh === undefined || good < entries.length
  let kept = entries.slice(0, good)
  if (height === heightOf(kept) && !scan && fresh?.length === 0) return undefined

  const drop = (count: number): void => {
    const dropped = kept.slice(kept.length - count)
    kept = kept.slice(0, kept.length - count)
    if (dropped.some(({ entry }) => entry.records > 0)) scan = true
  }
  const open = (): readonly Kept[] => kept.slice(sealedCount(kept))
  // Tiers fall from the first open segment to the last, so what is put together is at the end.
  const some = (fresh ?? []).reduce((sum, { bytes }) => sum + bytes.length, 0)
  const size = some + sizeFrom(store, heightOf(kept) + 1, height)
  let tier = tierOf(size)
  if (size >= SEALED_BYTES) drop(open().length)
  drop(open().filter(({ entry }) => entry.tier < tier).length)
  for (;;) {
    const same = open().filter(({ entry }) => entry.tier === tier)
    if (same.length < MERGE - 1) break
    drop(same.length)
    tier += 1
  }

  const carried = kept.flatMap((each) => (each.carried === undefined ? [] : [each.carried]))
  const records = (scan ? scanned(store) : (fresh ?? [])).filter(
    ({ id }) => !carried.some((ids) => ids.has(id)),
  )
  const after = heightOf(kept)
  if (after === height && records.length === 0 && kept.length === entries.length) return undefined
  return { kept, tip, height, after, tier, records }
}

/** How many of these, from the first, are full. */
export function sealedCount(entries: readonly Kept[]): number {
  const open = entries.findIndex(({ entry }) => entry.plain < SEALED_BYTES)
  return open < 0 ? entries.length : open
}

/** The contents of the segments to write, one at a time; other work has its turn in between. */
export async function* partsOf(
  store: PlanStore,
  plan: SavePlan,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<Part> {
  let blocks: SegmentBlock[] = []
  let records: PendingRecord[] = []
  let size = 0
  let from = plan.after + 1
  let isFirst = true
  const part = (to: number): Part => {
    const tip = store.idAt(to)
    assert(tip !== undefined, 'a block that was read has a height')
    const content = { blocks, records: records.map(({ bytes }) => bytes) }
    const plain = sizeOf(content)
    const tier = Math.max(tierOf(plain), isFirst ? plan.tier : 0)
    isFirst = false
    const made: Part = {
      content,
      carried: new Set(records.map(({ id }) => id)),
      about: {
        plain,
        tier,
        from,
        to,
        tip,
        records: records.length,
      },
    }
    from = to + 1
    blocks = []
    records = []
    size = 0
    return made
  }
  let to = plan.after
  while (to < plan.height) {
    signal.throwIfAborted()
    for (const header of store.mainHeaders(to + 1, Math.min(READ_AT_ONCE, plan.height - to))) {
      const body = store.body(decodeHeader(header).id)
      if (body === undefined) break
      blocks.push({ header, body })
      size += header.length + body.length
      to += 1
      if (size < SEGMENT_BYTES) continue
      yield part(to)
    }
    await sleep(clock, 0, signal)
  }
  for (const record of plan.records) {
    records.push(record)
    size += record.bytes.length
    if (size >= SEGMENT_BYTES) yield part(to)
  }
  if (blocks.length > 0 || records.length > 0) yield part(to)
}

function heightOf(entries: readonly Kept[]): number {
  return entries.at(-1)?.entry.to ?? 0
}

/** Bytes of the bodies from `from` on, or enough of them to be a full segment. */
function sizeFrom(store: PlanStore, from: number, height: number): number {
  let size = 0
  for (let at = from; at <= height && size < SEALED_BYTES; at++) {
    const id = store.idAt(at)
    size += (id === undefined ? undefined : store.body(id))?.length ?? 0
  }
  return size
}

/** What is large is not written again each time that something small is put together. */
function tierOf(size: number): number {
  return Math.max(0, Math.floor(Math.log(size / TIER_BYTES) / Math.log(MERGE)))
}

function scanned(store: PlanStore): PendingRecord[] {
  return store.pending(MAX_PENDING).map(({ record }) => ({ id: record.id, bytes: record.bytes }))
}
