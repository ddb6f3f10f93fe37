/** The last part of a run: records that the peer knows and this node does not, pending ones before all. */
import { decodeRecord } from '../../chain/codec.ts'
import type { DeviceId, RecordId } from '../../chain/ids.ts'
import { networkError } from '../errors.ts'
import type { DeviceHead, SyncChain } from './chain.ts'
import { MAX_LOCATOR_IDS, MAX_WANTS } from './messages.ts'
import type { SyncPeer } from './peer.ts'

/** Device heads taken from one peer in one run: its own bound on what it can make this node remember. */
const MAX_HEADS_PER_RUN = 50_000
/** Requests per run: 400,000 full-size records; the next run goes on from there. */
const MAX_REQUESTS_PER_RUN = 500

/**
 * Gives the number of records that are new here.
 *
 * @throws `SYNC_RECORDS_WITHHELD` when the peer names heads and does not give what leads to them
 */
export async function syncRecords(
  peer: SyncPeer,
  chain: SyncChain,
  signal: AbortSignal,
): Promise<number> {
  let missing = await missingHeads(peer, chain, signal)
  let count = 0
  let withheld = 0
  for (let request = 0; missing.length > 0 && request < MAX_REQUESTS_PER_RUN; request += 1) {
    const batch = missing.slice(0, MAX_WANTS)
    // Once for each device: one that wrote thousands of records at one place has as many heads.
    const locators = new Map<DeviceId, readonly RecordId[]>()
    const haveOf = (device: DeviceId): readonly RecordId[] => {
      const known = locators.get(device) ?? chain.recordLocator(device).slice(0, MAX_LOCATOR_IDS)
      locators.set(device, known)
      return known
    }
    const wants = batch.map(({ id, device }) => ({ head: id, have: haveOf(device) }))
    const records = await peer.records(wants, signal)
    const { accepted } =
      records.length === 0 ? { accepted: 0 } : await chain.acceptRecords(records, peer.id)
    count += accepted
    const rest = batch.filter(({ id }) => !chain.hasRecord(id))
    const stuck = accepted === 0 && rest.length === batch.length
    if (stuck && records.length === 0) withheld += batch.length
    // Given and not taken, as when a device has too many that wait: what others wrote must not wait for it.
    const useless = stuck ? answered(batch, records) : 0
    missing = stuck ? missing.slice(useless) : [...rest, ...missing.slice(batch.length)]
  }
  if (withheld > 0) throw networkError('SYNC_RECORDS_WITHHELD', { peer: peer.id, count: withheld })
  return count
}

/** How many of these were looked at for the answer: records come in the order of the heads. */
function answered(batch: readonly DeviceHead[], records: readonly Uint8Array[]): number {
  const last = records.at(-1)
  const device = last === undefined ? undefined : decodeRecord(last).device
  const at = batch.findLastIndex((head) => head.device === device)
  return at === -1 ? batch.length : at + 1
}

async function missingHeads(
  peer: SyncPeer,
  chain: SyncChain,
  signal: AbortSignal,
): Promise<DeviceHead[]> {
  const missing: DeviceHead[] = []
  let seen = 0
  let after: DeviceHead | undefined
  for (;;) {
    const page = await peer.heads(after, signal)
    seen += page.heads.length
    for (const head of page.heads) if (!chain.hasRecord(head.id)) missing.push(head)
    after = page.heads.at(-1)
    if (!page.more || seen >= MAX_HEADS_PER_RUN) return missing
  }
}
