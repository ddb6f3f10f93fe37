/** The next block that this device could seal. Signature first, work second: what is searched is final. */

import { type BlockBody, type BlockHeader, NONCE_BYTES } from '../../chain/block.ts'
import { encodeBody, encodeHeader, sealMessage } from '../../chain/codec.ts'
import { nextDifficulty } from '../../chain/difficulty.ts'
import { deviceKeyOf, type NetworkId } from '../../chain/ids.ts'
import { selectRecords } from '../../chain/mempool.ts'
import { type BlockContext, composeBlock } from '../../chain/outcome.ts'
import type { NetworkParams } from '../../chain/params.ts'
import type { SignedRecord } from '../../chain/record.ts'
import { earliestTime } from '../../chain/validate.ts'
import type { StateView } from '../../chain/view.ts'
import { HASH_BYTES, SIGNATURE_BYTES } from '../../common/crypto.ts'
import { assert, CairnError } from '../../common/errors.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Signer } from './own-records.ts'

/** Ancestors that difficulty and time look at: 16 intervals have 17 ends. */
export const ANCESTORS = 17

export interface BlockTemplate {
  /** Encoded header; its last 8 bytes are the nonce to find. */
  readonly header: Uint8Array
  readonly difficulty: number
  readonly body: BlockBody
}

export interface TemplateComponents {
  readonly store: ChainStore
  readonly signer: Signer
}

/**
 * A sealed header and its body on top of the tip, of the `pending` records that can enter it.
 *
 * @param now - milliseconds UTC
 * @returns undefined when no record can enter, or this device may not seal
 */
export function buildTemplate(
  components: TemplateComponents,
  init: { readonly params: NetworkParams; readonly network: NetworkId },
  pending: Iterable<SignedRecord>,
  now: number,
): BlockTemplate | undefined {
  const { store, signer } = components
  const selected = selectRecords(store.state, init.params, pending)
  if (selected.length === 0) return undefined
  const miner = deviceKeyOf(signer.device)
  assert(miner !== undefined, 'a signer is a device')

  const ancestors = store.ancestors(store.tip().id, ANCESTORS).map(({ header }) => header)
  const parent = ancestors[0]
  assert(parent !== undefined, 'there is a genesis block')
  const time = Math.max(now, earliestTime(ancestors))
  const height = parent.height + 1
  const context = { ...init, height, time, miner: signer.device }
  const composed = compose(store.state, context, selected)
  if (composed === undefined) return undefined
  const { effect, records } = composed
  const body = encodeBody(records)
  const unsealed: BlockHeader = {
    version: 1,
    network: init.network,
    parent: store.tip().id,
    height,
    time,
    difficulty: nextDifficulty(init.params.difficultyFloor, ancestors, time),
    records: body.id,
    outcome: effect.digest,
    miner,
    seal: new Uint8Array(SIGNATURE_BYTES),
    nonce: new Uint8Array(NONCE_BYTES),
  }
  assert(effect.digest.length === HASH_BYTES, 'an outcome is a hash')
  const header = { ...unsealed, seal: signer.sign(sealMessage(unsealed)) }
  return { header: encodeHeader(header).bytes, difficulty: header.difficulty, body }
}

/** @returns undefined when no record is left, or this device may not seal */
function compose(
  view: StateView,
  context: BlockContext,
  selected: readonly SignedRecord[],
): ReturnType<typeof composeBlock> | undefined {
  try {
    const composed = composeBlock(view, context, selected)
    return composed.records.length === 0 ? undefined : composed
  } catch (error) {
    if (error instanceof CairnError && error.code === 'MINER_NOT_ACTIVE') return undefined
    throw error
  }
}
