/** What a manifest promises, compared with itself and with the chain that is here: as far as it goes without a key. */
import type { ChainStore } from '../../storage/chain-store.ts'
import { backupError } from './errors.ts'
import type { Manifest, SegmentEntry } from './manifest.ts'

/**
 * Whether the segments join, from the first block to the tip, and the tip has the work that is promised.
 *
 * @throws BACKUP_DAMAGED
 */
export function checkLine(
  manifest: Manifest,
  segments: readonly SegmentEntry[],
  chain: Pick<ChainStore, 'block'>,
): void {
  const damaged = (why: string): Error =>
    backupError('BACKUP_DAMAGED', { name: manifest.object, why })
  let next = 1
  for (const { from, to } of segments) {
    if (from !== next || to < from - 1) throw damaged(`block ${next} is in no segment of it`)
    next = to + 1
  }
  const end = segments.at(-1)
  if (next - 1 !== manifest.height || (end !== undefined && end.tip !== manifest.tip)) {
    throw damaged('its segments do not lead to the tip that it names')
  }
  const here = chain.block(manifest.tip)
  if (here !== undefined && here.chainwork !== manifest.work) {
    throw damaged('it promises another work than its tip has')
  }
}
