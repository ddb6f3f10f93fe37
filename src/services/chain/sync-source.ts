/** What this node's chain answers to a peer that syncs: short reads of the store. */

import type { BlockId, RecordId } from '../../chain/ids.ts'
import { encodeParams, type NetworkParams } from '../../chain/params.ts'
import type { Clock } from '../../common/clock.ts'
import type { SyncSource } from '../../network/sync/chain.ts'
import { MAX_LOCATOR_IDS } from '../../network/sync/messages.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

/** Entries of a locator one by one, before the steps double (Bitcoin's getheaders does the same). */
const DENSE_LOCATOR = 10
/** Records of one sequence in a locator: a device that wrote twice has two. */
const MAX_TWINS = 2

export function createSyncSource(
  components: { readonly store: ChainStore; readonly clock: Clock },
  params: NetworkParams,
): SyncSource {
  const { store, clock } = components
  const encodedParams = encodeParams(params)

  return {
    status: () => {
      const { id, height, chainwork } = store.tip()
      return { params: encodedParams, tip: id, height, chainwork, time: clock.now() }
    },
    locator: () => {
      const ids: BlockId[] = []
      for (const height of locatorSteps(store.tip().height)) {
        const id = store.idAt(height)
        if (id !== undefined) ids.push(id)
      }
      return ids
    },
    headersAfter: (locator, limit) => {
      for (const id of locator) {
        const block = store.block(id)
        if (block !== undefined && store.idAt(block.height) === id) {
          return store.mainHeaders(block.height + 1, limit)
        }
      }
      return store.mainHeaders(1, limit)
    },
    bodies: function* (ids) {
      for (const id of ids) yield store.body(id)
    },
    heads: () => store.deviceHeads(),
    hasRecord: (id) => store.hasRecord(id),
    recordsBack: (head, have, limit) => store.recordsBack(head, have, limit),
    recordLocator: (device) => {
      const ids = new Set<RecordId>()
      for (const head of store.headsOf(device).reverse()) {
        if (ids.size + DENSE_LOCATOR > MAX_LOCATOR_IDS) break
        for (const sequence of locatorSteps(head.sequence)) {
          for (const id of store.recordIdsAt(device, sequence, MAX_TWINS)) {
            if (ids.size < MAX_LOCATOR_IDS) ids.add(id)
          }
        }
      }
      return [...ids]
    },
  }
}

/** `top`, then back one by one, then in doubling steps, 0 last. */
function locatorSteps(top: number): number[] {
  const steps: number[] = []
  let step = 1
  for (let at = top; at > 0; at -= step) {
    steps.push(at)
    if (steps.length >= DENSE_LOCATOR) step *= 2
  }
  return [...steps, 0]
}
