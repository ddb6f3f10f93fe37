/** What sync asks of the chain. The chain's service implements it; this layer only declares it. */
import type { BlockId, DeviceId, RecordId } from '../../chain/ids.ts'

/** The newest record known of a device; a device that equivocated has several. */
export interface DeviceHead {
  readonly device: DeviceId
  readonly sequence: number
  readonly id: RecordId
}

export interface ChainStatus {
  /** The encoded parameters of the network. */
  readonly params: Uint8Array
  readonly tip: BlockId
  readonly height: number
  readonly chainwork: bigint
  /** The node's own clock, milliseconds UTC: peers compare it with theirs. */
  readonly time: number
}

export interface HeaderPlan {
  /** Blocks of these headers whose bodies are not here, parents first. */
  readonly wanted: BlockId[]
  /** Whether the branch that ends with the last of these headers is better than the best chain here. */
  readonly more: boolean
  /** Chainwork of the last of these headers that counts. */
  readonly chainwork: bigint
  /** The rest of these headers is of the future by this node's clock, and was left for later. */
  readonly ahead: boolean
}

/** The side that answers: reads, all of them short. */
export interface SyncSource {
  status(): ChainStatus
  /** Ids of the best chain: tip, then exponentially back, genesis last; at most MAX_LOCATOR_IDS. */
  locator(): BlockId[]
  /** At most `limit` headers of the best chain after the first id of `locator` that is on it. */
  headersAfter(locator: readonly BlockId[], limit: number): Uint8Array[]
  /** Encoded bodies in the order of `ids`; undefined where one is not here. Lazy: read one by one. */
  bodies(ids: readonly BlockId[]): Iterable<Uint8Array | undefined>
  /** Pending, confirmed, on losing branches or kept aside. The same list until something changed. */
  heads(): readonly DeviceHead[]
  hasRecord(id: RecordId): boolean
  /**
   * Records of the hash chain that ends with `head`, after the newest of `have`, oldest first, each one
   * following on the one before; at most `limit`, and then the oldest of them.
   */
  recordsBack(head: RecordId, have: readonly RecordId[], limit: number): Uint8Array[]
  /** Ids of this device's records known here: newest, then exponentially back; at most MAX_LOCATOR_IDS. */
  recordLocator(device: DeviceId): RecordId[]
}

/** The side that asks: what it got is checked and stored by these. Errors with verdict `reject` blame the peer. */
export interface SyncChain extends SyncSource {
  /**
   * Checks link, proof of work, difficulty, time and seal of these headers, each the parent of the next.
   * Accepts headers that are known already.
   */
  planHeaders(headers: readonly Uint8Array[], from: DeviceId): Promise<HeaderPlan>
  /** Bodies of planned headers, parents first. Idempotent. */
  acceptBodies(
    blocks: readonly { readonly id: BlockId; readonly body: Uint8Array }[],
    from: DeviceId,
  ): Promise<void>
  /** Idempotent. `accepted` counts those that were not here before. */
  acceptRecords(records: readonly Uint8Array[], from: DeviceId): Promise<{ accepted: number }>
}
