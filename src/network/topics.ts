import type { NetworkId } from '../chain/ids.ts'

/** Names of a network's two gossip topics. */
export interface Topics {
  readonly blocks: string
  readonly records: string
}

export function topicsOf(network: NetworkId): Topics {
  return { blocks: `/cairn/${network}/blocks/1`, records: `/cairn/${network}/records/1` }
}
