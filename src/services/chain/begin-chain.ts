import { genesisOf } from '../../chain/codec.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { ChainStore } from '../../storage/chain-store.ts'

/**
 * Begins the chain of a network in an empty store: its genesis block changes nothing, and its work counts
 * nothing.
 *
 * @throws `STORE_OF_OTHER_NETWORK`
 */
export function beginChain(store: ChainStore, params: NetworkParams): void {
  const genesis = genesisOf(params)
  const digest = genesis.header.outcome
  store.begin(genesis, { changes: [], outcomes: [], late: [], digest }, 0n)
}
