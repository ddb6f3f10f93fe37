/**
 * Headers that peers showed and whose bodies are not here yet.
 *
 * owns: the check of a run of headers on top of what is stored or planned, and the chainwork that it shows
 * does not own: the transfer of headers and bodies (network/sync)
 */
import type { BlockHeader, SealedHeader } from '../../chain/block.ts'
import { decodeHeader } from '../../chain/codec.ts'
import { chainError } from '../../chain/errors.ts'
import { type ChainEnd, isBetter } from '../../chain/fork-choice.ts'
import type { BlockId } from '../../chain/ids.ts'
import { checkWork } from '../../chain/pow.ts'
import { codeOf } from '../../common/errors.ts'
import type { HeaderPlan } from '../../network/sync/chain.ts'
import type { ChainStore } from '../../storage/chain-store.ts'
import type { Intake } from './intake.ts'
import { ANCESTORS } from './template.ts'

/** Headers planned at a time: some 60 MB, more blocks than a busy network makes in four days. */
const MAX_PLANNED_HEADERS = 200_000

interface Planned {
  readonly header: SealedHeader
  readonly chainwork: bigint
}

export interface HeaderPlans {
  /**
   * Checks a run of headers, each the parent of the next: link, work, difficulty, time, seal; and plans them.
   * A header of the future ends the run without an error; it comes again.
   *
   * @param now - milliseconds UTC
   * @throws chain errors with verdict `reject`
   */
  extend(encoded: readonly Uint8Array[], now: number): Promise<HeaderPlan>
  /** How many are planned or being checked. */
  readonly size: number
  /** A planned header. */
  get(id: BlockId): SealedHeader | undefined
  /** Forgets a header whose block is stored; whether it was planned. */
  done(id: BlockId): boolean
}

/** Headers that passed every check but their seals'. */
interface Run {
  readonly added: Map<BlockId, Planned>
  readonly wanted: BlockId[]
  readonly end: ChainEnd | undefined
  readonly ahead: boolean
}

export function createHeaderPlans(store: ChainStore, intake: Intake): HeaderPlans {
  const planned = new Map<BlockId, Planned>()
  let checking = 0

  /** Newest first; from the plan as far as it goes, then from the store. */
  const ancestorsOf = (parent: BlockId): BlockHeader[] => {
    const ancestors: BlockHeader[] = []
    let cursor: BlockId | null = parent
    while (cursor !== null && ancestors.length < ANCESTORS) {
      const entry: Planned | undefined = planned.get(cursor)
      if (entry === undefined) {
        const stored = store.ancestors(cursor, ANCESTORS - ancestors.length)
        return [...ancestors, ...stored.map(({ header }) => header)]
      }
      ancestors.push(entry.header.header)
      cursor = entry.header.header.parent
    }
    return ancestors
  }

  const chainworkOf = (id: BlockId): bigint | undefined =>
    planned.get(id)?.chainwork ?? store.block(id)?.chainwork

  const check = (encoded: readonly Uint8Array[], now: number): Run => {
    const added = new Map<BlockId, Planned>()
    const wanted: BlockId[] = []
    let end: ChainEnd | undefined
    let ancestors: BlockHeader[] | undefined
    for (const bytes of encoded) {
      const header = decodeHeader(bytes)
      const { parent } = header.header
      const before = end?.chainwork ?? (parent === null ? undefined : chainworkOf(parent))
      const linked = parent !== null && (end === undefined || end.id === parent)
      // [REJECT] headers of a run stand on each other, and the first on one that is known
      if (!linked || before === undefined) {
        throw chainError('BLOCK_PARENT_UNKNOWN', { block: header.id })
      }
      const stored = store.block(header.id)
      // [REJECT] nothing stands on an invalid block
      if (stored?.status === 'invalid') {
        throw chainError('BLOCK_PARENT_INVALID', { block: header.id })
      }
      const known = stored?.chainwork ?? planned.get(header.id)?.chainwork
      if (known === undefined) {
        ancestors ??= ancestorsOf(parent)
        try {
          checkWork(header)
          intake.header(header, ancestors, now)
        } catch (error) {
          if (codeOf(error) !== 'TIME_AHEAD') throw error
          return { added, wanted, end, ahead: true }
        }
      }
      const chainwork = known ?? before + BigInt(header.header.difficulty)
      if (known === undefined) added.set(header.id, { header, chainwork })
      if (ancestors !== undefined) ancestors = [header.header, ...ancestors].slice(0, ANCESTORS)
      if (stored === undefined) wanted.push(header.id)
      end = { id: header.id, chainwork }
    }
    return { added, wanted, end, ahead: false }
  }

  return {
    extend: async (encoded, now) => {
      const { added, wanted, end, ahead } = check(encoded, now)
      checking += added.size
      try {
        await intake.seals([...added.values()].map(({ header }) => header))
      } finally {
        checking -= added.size
      }
      for (const [id, entry] of added) {
        planned.set(id, entry)
        const oldest = planned.keys().next().value
        if (planned.size > MAX_PLANNED_HEADERS && oldest !== undefined) planned.delete(oldest)
      }
      const more = end !== undefined && isBetter(end, store.tip())
      return { wanted, more, chainwork: end?.chainwork ?? 0n, ahead }
    },
    get size() {
      return planned.size + checking
    },
    get: (id) => planned.get(id)?.header,
    done: (id) => planned.delete(id),
  }
}
