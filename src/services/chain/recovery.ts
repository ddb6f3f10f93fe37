/**
 * Takes over what a damaged database still holds: blocks and records, checked like a stranger's. What cannot be
 * read comes from the journal (own records) and from the peers.
 */

import { decodeHeader } from '../../chain/codec.ts'
import type { DeviceId } from '../../chain/ids.ts'
import { codeOf, messageOf } from '../../common/errors.ts'
import type { Startable } from '../../common/lifecycle.ts'
import type { Logger } from '../../common/logger.ts'
import type { SyncChain } from '../../network/sync/chain.ts'
import { openSalvage, type Salvage, type SalvagedBlock } from '../../storage/salvage.ts'

/** Blocks or records that are handed over at a time. */
const BATCH = 256

/**
 * @param device - this device, as whose gift the salvaged bytes are checked
 * @param damaged - where the damaged database was put aside; undefined: there is nothing to do
 */
export function createRecovery(
  components: {
    readonly chain: Pick<SyncChain, 'planHeaders' | 'acceptBodies' | 'acceptRecords'>
    readonly logger: Logger
  },
  init: { readonly device: DeviceId; readonly damaged: string | undefined },
): Startable {
  const { chain } = components
  const logger = components.logger.child('recovery')

  const takeBlocks = async (salvage: Salvage): Promise<number> => {
    let taken = 0
    for (const batch of batches<SalvagedBlock>(salvage.blocks())) {
      const headers = batch.map(({ header }) => header)
      await chain.planHeaders(headers, init.device)
      const blocks = batch.map(({ header, body }) => ({ id: decodeHeader(header).id, body }))
      await chain.acceptBodies(blocks, init.device)
      taken += batch.length
    }
    return taken
  }

  const takeRecords = async (salvage: Salvage): Promise<number> => {
    let taken = 0
    for (const batch of batches(salvage.records())) {
      const all = await chain.acceptRecords(batch, init.device).catch(() => undefined)
      taken += all?.accepted ?? 0
      if (all !== undefined) continue
      // One of them is broken: the others are taken one by one.
      for (const record of batch) {
        const one = await chain.acceptRecords([record], init.device).catch(() => undefined)
        taken += one?.accepted ?? 0
      }
    }
    return taken
  }

  return {
    start: async () => {
      if (init.damaged === undefined) return
      const salvage = openSalvage(init.damaged)
      try {
        const blocks = await takeBlocks(salvage).catch((error: unknown) => {
          logger.warn('Not all blocks of the damaged database could be taken over', {
            code: codeOf(error),
            why: messageOf(error),
          })
          return 0
        })
        const records = await takeRecords(salvage)
        logger.warn('Taken over from the damaged database', { blocks, records })
      } finally {
        salvage.close()
      }
    },
    stop: async () => {},
  }
}

function* batches<T>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = []
  for (const item of items) {
    batch.push(item)
    if (batch.length < BATCH) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
