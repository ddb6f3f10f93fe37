/**
 * Checks the best chain again from genesis, as if each block came from a stranger: work, seals, signatures,
 * headers, rules, outcomes; and compares the state that comes out with the one that is stored.
 */
import type { BlockHeader } from '../../chain/block.ts'
import { decodeHeader, genesisOf } from '../../chain/codec.ts'
import { checkBlock } from '../../chain/outcome.ts'
import { type NetworkParams, networkIdOf } from '../../chain/params.ts'
import { checkWork } from '../../chain/pow.ts'
import { equalBytes, toHex } from '../../common/bytes.ts'
import { CairnError, messageOf } from '../../common/errors.ts'
import { silentLogger } from '../../common/logger.ts'
import { type ChainStore, createChainStore } from '../../storage/chain-store.ts'
import { openDatabase } from '../../storage/database.ts'
import { beginChain } from '../chain/begin-chain.ts'
import { createIntake, type Verifier } from '../chain/intake.ts'
import { ANCESTORS } from '../chain/template.ts'

export interface ChainVerification {
  readonly ok: boolean
  readonly blocks: number
  readonly records: number
  /** SHA-256 over the state that was rebuilt from genesis, hexadecimal. */
  readonly stateDigest: string
  /** What is wrong, in words; null when `ok`. */
  readonly problem: string | null
}

export type VerifyChain = (
  signal: AbortSignal,
  onProgress?: (checked: number, of: number) => void,
) => Promise<ChainVerification>

/** Blocks that are checked between two looks at the signal. */
const BLOCKS_AT_ONCE = 256
/** Times that it begins anew because the best chain became another one: more of it is damage. */
const MAX_TRIES = 4

export function createVerifyChain(
  components: { readonly store: ChainStore; readonly verifier: Verifier },
  params: NetworkParams,
): VerifyChain {
  const { store, verifier } = components
  const network = networkIdOf(params)

  /** Undefined: the best chain became another one meanwhile. */
  const attempt = async (
    isLast: boolean,
    ...[signal, onProgress]: Parameters<VerifyChain>
  ): Promise<ChainVerification | undefined> => {
    const { db } = openDatabase({ path: ':memory:', now: () => params.time, logger: silentLogger })
    const rebuilt = createChainStore(db)
    const intake = createIntake({ store: rebuilt, verifier }, { params, network })
    let ancestors: BlockHeader[] = []
    let blocks = 0
    let records = 0

    const step = async (heights: readonly number[]): Promise<void> => {
      const run = heights.map((height) => {
        const id = store.idAt(height)
        const bytes = id === undefined ? undefined : store.headerBytes(id)
        const body = id === undefined ? undefined : store.body(id)
        if (bytes === undefined || body === undefined) throw missing(height)
        return { header: decodeHeader(bytes), body }
      })
      await intake.seals(run.map(({ header }) => header))
      const decoded = await intake.blocks(run)
      rebuilt.transaction(() => {
        for (const block of decoded) {
          checkWork(block)
          intake.header(block, ancestors, block.header.time)
          const chainwork = rebuilt.tip().chainwork + BigInt(block.header.difficulty)
          const stored = rebuilt.putBlock(block, chainwork, block.body)
          const effect = checkBlock(
            rebuilt.state,
            { params, network },
            block.header,
            block.body.records,
          )
          rebuilt.connect(stored, effect)
          ancestors = [block.header, ...ancestors].slice(0, ANCESTORS)
          blocks += 1
          records += block.body.records.length
        }
      })
    }

    const hasMoved = (): boolean => {
      const { height, id } = rebuilt.tip()
      return !isLast && store.idAt(height) !== id
    }

    try {
      beginChain(rebuilt, params)
      ancestors = [genesisOf(params).header]
      // The chain grows while it is checked: what is compared is the state at the height it has then.
      for (let from = 1; from <= store.tip().height; ) {
        signal.throwIfAborted()
        const end = Math.min(from + BLOCKS_AT_ONCE - 1, store.tip().height)
        await step(Array.from({ length: end - from + 1 }, (_, index) => from + index))
        onProgress?.(end, store.tip().height)
        from = end + 1
      }
      if (hasMoved()) return undefined
      const stateDigest = toHex(rebuilt.stateDigest())
      const same = equalBytes(rebuilt.stateDigest(), store.stateDigest())
      const problem = same
        ? null
        : 'The state that is stored is not the one that the chain gives. Stop the node, keep a copy of the data directory, and let a new one fetch the chain from the peers.'
      return { ok: same, blocks, records, stateDigest, problem }
    } catch (error) {
      if (!(error instanceof CairnError)) throw error
      if (hasMoved()) return undefined
      const problem = `Block ${blocks + 1}: ${messageOf(error)}`
      return { ok: false, blocks, records, stateDigest: toHex(rebuilt.stateDigest()), problem }
    } finally {
      db.close()
    }
  }

  return async (signal, onProgress) => {
    for (let tries = 1; ; tries += 1) {
      const result = await attempt(tries === MAX_TRIES, signal, onProgress)
      if (result !== undefined) return result
    }
  }
}

function missing(height: number): CairnError {
  return new CairnError('BLOCK_NOT_FOUND', `the block at height ${height} is not whole`)
}
