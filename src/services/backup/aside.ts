/**
 * What stands on a branch that a backup brought and that is not the best: its records are pending here, and nobody was
 * told of them, since their blocks came whole. Told of, they get a block of their own and show their names.
 */
import type { BlockId } from '../../chain/ids.ts'
import type { Events } from '../../common/events.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { NodeEvents } from '../events.ts'

/** Blocks of such a branch that are walked: more than a node makes while a destination is silent for a week. */
const MAX_ASIDE_BLOCKS = 100_000

export function tellAside(
  { store, events }: { readonly store: ChainStore; readonly events: Events<NodeEvents> },
  tip: BlockId,
): void {
  const branch: BlockId[] = []
  for (let block = store.block(tip); block !== undefined; ) {
    if (store.onMain(block) || branch.length >= MAX_ASIDE_BLOCKS) break
    branch.push(block.id)
    const { parent } = block.header
    block = parent === null ? undefined : store.block(parent)
  }
  for (const id of branch.reverse()) {
    for (const { id: record } of store.bodyRecords(id) ?? []) {
      const stored = store.record(record)
      if (stored === undefined || stored.place !== undefined) continue
      events.emit('record:pending', { record: stored.record, own: stored.own })
    }
  }
}
