/**
 * How many records there are: in the chain, waiting, stranded. Where few are pending they are counted when somebody
 * asks; where a flood of them is, in the background, a slice in each turn of the event loop, and until that is done
 * the figures are those from before.
 */
import { inclusionOf } from '../../chain/mempool.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { SignedRecord } from '../../chain/record.ts'
import type { Clock } from '../../common/clock.ts'
import type { Events } from '../../common/events.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { PendingPlace } from '../../storage/pending-devices.ts'
import type { NodeEvents } from '../events.ts'

/** Pending records that one turn classifies: some ten milliseconds. */
const SLICE = 256
/** Counts that a new tip made void, after which whoever waits takes what there is. */
const MAX_TRIES = 3

export interface RecordFigures {
  /** In the chain. */
  readonly records: number
  readonly waiting: number
  readonly stranded: number
}

export interface RecordCounts {
  /** What is known; where it is out of date a count begins, and few are counted at once. */
  get(): RecordFigures
  /** Resolves when `get` gives figures of now; under a flood of records and blocks, of a moment ago. */
  ready(): Promise<void>
}

export function createRecordCounts(
  components: {
    readonly store: Pick<
      ChainStore,
      'state' | 'record' | 'recordCount' | 'pendingCount' | 'pendingPlaces'
    >
    readonly events: Events<NodeEvents>
    readonly clock: Pick<Clock, 'after'>
  },
  init: { readonly params: NetworkParams },
): RecordCounts {
  const { store, events, clock } = components
  let figures: RecordFigures | undefined
  let stale = true
  /** What the walk under way has counted, and how far it is. */
  let walk: { waiting: number; stranded: number; cursor: PendingPlace | undefined } | undefined

  // What another record stands for by now is neither.
  const add = (to: { waiting: number; stranded: number }, record: SignedRecord): void => {
    const inclusion = inclusionOf(store.state, record, init.params)
    if (inclusion === 'stranded') to.stranded += 1
    else if (inclusion !== 'confirmed') to.waiting += 1
  }
  /** Counts a slice; true: it was the last one. */
  const step = (at: NonNullable<typeof walk>): boolean => {
    const page = store.pendingPlaces(SLICE, at.cursor)
    for (const { id } of page) {
      const stored = store.record(id)
      if (stored !== undefined) add(at, stored.record)
    }
    at.cursor = page.at(-1) ?? at.cursor
    if (page.length === SLICE) return false
    const { waiting, stranded } = at
    figures = { records: store.recordCount() - store.pendingCount(), waiting, stranded }
    stale = false
    walk = undefined
    return true
  }
  const waiters = new Set<() => void>()
  const goOn = (at: NonNullable<typeof walk>): void => {
    clock.after(0, () => {
      if (walk === at && !step(at)) {
        goOn(at)
        return
      }
      for (const wake of waiters) wake()
      waiters.clear()
    })
  }

  events.on('chain:tip', () => {
    stale = true
    walk = undefined
  })
  events.on('record:pending', ({ record }) => {
    const cursor = walk?.cursor
    if (walk !== undefined) {
      // The walk comes by it, unless it has passed the place.
      const passed =
        cursor !== undefined &&
        (record.device < cursor.device ||
          (record.device === cursor.device && record.sequence < cursor.sequence))
      if (passed) add(walk, record)
    } else if (!stale && figures !== undefined) {
      const counts = { ...figures }
      add(counts, record)
      figures = counts
    }
  })

  const get = (): RecordFigures => {
    if (!stale && figures !== undefined) return figures
    if (walk === undefined) {
      walk = { waiting: 0, stranded: 0, cursor: undefined }
      const begun = walk
      if (!step(begun)) goOn(begun)
    }
    return (
      figures ?? { records: store.recordCount() - store.pendingCount(), waiting: 0, stranded: 0 }
    )
  }
  return {
    get,
    ready: async () => {
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        get()
        if (!stale) return
        await new Promise<void>((resolve) => void waiters.add(resolve))
      }
    },
  }
}
