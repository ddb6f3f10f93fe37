/** Whether a start has to look for backups first. */
import { isOfNoNetwork } from './network-choice.ts'
import type { NodeOptions } from './options.ts'
import type { RestoredDirectory } from './restoring.ts'

/**
 * Where backups are configured, a directory of no network is made from them; else nothing of it is loaded.
 *
 * @throws as `restoreFirst`
 */
export async function restoreAtStart(
  { backups, dataDir, logger, clock, peersFile }: NodeOptions,
  signal: AbortSignal,
): Promise<RestoredDirectory | undefined> {
  if (backups === undefined) return undefined
  const { plans, sources = [], faults } = backups
  if (plans.length + sources.length + faults.length === 0) return undefined
  if (!isOfNoNetwork(dataDir)) return undefined
  const { restoreFirst } = await import('./restoring-first.ts')
  return restoreFirst(
    { dataDir, logger, backups, peersFile, inHaste: true, ...(clock && { clock }) },
    signal,
  )
}
