/**
 * Where the metadata keys of versions were sealed again, in records `key.copy` of the versions' owners. Kept by
 * version: whoever opens a hundred versions must not read what was said of a thousand people for each.
 */
import type { RecordId, UserId } from '../../chain/ids.ts'
import type { RecordBody, SignedRecord } from '../../chain/record.ts'
import type { Events } from '../../common/events.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'

export type MetadataCopy = Extract<RecordBody<'key.copy'>['copies'][number], { type: 'metadata' }>

export interface KeyCopies {
  /** Copies of a version's metadata key by its owner, in no particular order; `refused`: by the rules. */
  of(
    owner: UserId,
    version: RecordId,
  ): readonly { readonly copy: MetadataCopy; readonly refused: boolean }[]
}

/** Copies kept, at some 200 bytes each; above it only those of the best chain. */
const MAX_COPIES = 100_000

export function createKeyCopies(components: {
  readonly store: Pick<ChainStore, 'record'> & {
    readonly projections: Pick<ChainStore['projections'], 'peopleRecords'>
  }
  readonly events: Events<NodeEvents>
}): KeyCopies {
  const { store, events } = components
  /** By owner and version: nobody fills another one's place. */
  const places = new Map<string, Set<RecordId>>()
  let count = 0
  /** Before the first question nothing is read. */
  let begun = false

  const add = (record: SignedRecord, isConfirmed: boolean): void => {
    if (record.type !== 'key.copy' || record.user === null) return
    for (const copy of record.body.copies) {
      if (copy.type !== 'metadata' || (!isConfirmed && count >= MAX_COPIES)) continue
      const place = placeOf(record.user, copy.version)
      const records = places.get(place) ?? new Set()
      if (records.has(record.id)) continue
      places.set(place, records.add(record.id))
      count += 1
    }
  }
  const begin = (): void => {
    if (begun) return
    begun = true
    for (const { record, place } of store.projections.peopleRecords()) {
      add(record, place !== undefined)
    }
  }
  events.on('record:pending', ({ record }) => {
    if (begun) add(record, false)
  })
  events.on('record:confirmed', ({ record, type }) => {
    const stored = begun && type === 'key.copy' ? store.record(record) : undefined
    if (stored !== undefined) add(stored.record, true)
  })

  return {
    of: (owner, version) => {
      begin()
      return [...(places.get(placeOf(owner, version)) ?? [])].flatMap((id) => {
        const stored = store.record(id)
        if (stored?.record.type !== 'key.copy') return []
        const refused = stored.outcome === 'rejected'
        return stored.record.body.copies.flatMap((copy) =>
          copy.type === 'metadata' && copy.version === version ? { copy, refused } : [],
        )
      })
    },
  }
}

function placeOf(owner: UserId, version: RecordId): string {
  return `${owner} ${version}`
}
