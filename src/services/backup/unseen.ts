/** Which destinations a restore did not hear of: kept in the restored database until what they hold is taken in. */
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Problem } from './catalog.ts'
import type { Destination } from './destination.ts'

export interface Unseen {
  has(destination: Pick<Destination, 'kind' | 'name'>): boolean
  add(destination: Pick<Destination, 'kind' | 'name'>): void
  remove(destination: Pick<Destination, 'kind' | 'name'>): void
}

/** What another time may not happen again. */
const PASSING: ReadonlySet<string> = new Set([
  'DESTINATION_UNREACHABLE',
  'DESTINATION_SLOW',
  'DESTINATION_BUSY',
  'DESTINATION_FAILED',
  'DESTINATION_REFUSED',
  'BACKUP_CLOCK',
])

/** Those of which something was not heard that may be heard another time. */
export function missedOf(
  destinations: readonly Destination[],
  unseen: readonly Destination[],
  problems: readonly Problem[],
): readonly Destination[] {
  const names = new Set(unseen.map(({ name }) => name))
  for (const { code, destination } of problems) if (PASSING.has(code)) names.add(destination)
  return destinations.filter(({ name }) => names.has(name))
}

const YES = Uint8Array.of(1)
const NO = new Uint8Array()

export function createUnseen(store: Pick<ChainStore, 'meta' | 'setMeta'>): Unseen {
  const key = ({ kind, name }: Pick<Destination, 'kind' | 'name'>): string =>
    `backup/unseen/${kind}/${name}`
  return {
    has: (destination) => (store.meta(key(destination))?.length ?? 0) > 0,
    add: (destination) => store.setMeta(key(destination), YES),
    remove: (destination) => store.setMeta(key(destination), NO),
  }
}
