/**
 * The blocks of a history in the format of the forerunner.
 *
 * A block's hash is the SHA-256 of `json.dumps({data, index, nonce, previous_hash, timestamp}, sort_keys=True)`
 * and begins with two zeros. What the forerunner itself hashed is not known.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { BlockId } from '../../chain/ids.ts'
import { utf8 } from '../../common/bytes.ts'
import { sha256Hex } from '../../common/crypto.ts'
import type { StoredRecord } from '../../storage/chain-store.ts'
import { dict, float, type PythonValue, pythonJson } from './python-json.ts'

/** Zeros in front of a hash, as the forerunner's constructor has it. */
export const DIFFICULTY = 2
/** Blocks between two looks at the signal and at other work. */
const BLOCKS_AT_ONCE = 8

/** What one block tells, and where the record of it stands in the real chain. */
export interface Happened {
  readonly place: NonNullable<StoredRecord['place']>
  readonly data: PythonValue
}

export interface ChainTimes {
  /** Of the network, milliseconds UTC. */
  readonly founded: number
  timeOf(block: BlockId): number | undefined
}

/** The chain: in the order of the real one, times never falling. */
export async function chainOf(
  happened: readonly Happened[],
  { founded, timeOf }: ChainTimes,
  signal: AbortSignal,
): Promise<PythonValue[]> {
  const ordered = [...happened].sort(
    (a, b) => a.place.height - b.place.height || a.place.index - b.place.index,
  )
  const blocks: PythonValue[] = []
  let previous = '0'
  let time = founded
  const add = (data: PythonValue): void => {
    const fields = { index: blocks.length, timestamp: float(time / 1000), data }
    const { nonce, hash } = work({ ...fields, previous_hash: previous })
    blocks.push(dict({ ...fields, previous_hash: previous, nonce, hash }))
    previous = hash
  }
  add(dict({ type: 'genesis' }))
  for (const { place, data } of ordered) {
    time = Math.max(time, timeOf(place.block) ?? time)
    add(data)
    if (blocks.length % BLOCKS_AT_ONCE === 0) {
      await nextTurn()
      signal.throwIfAborted()
    }
  }
  return blocks
}

/** The first nonce whose hash begins with the zeros. The text around the nonce stays the same: made once. */
function work(fields: {
  readonly data: PythonValue
  readonly index: number
  readonly previous_hash: string
  readonly timestamp: PythonValue
}): { nonce: number; hash: string } {
  const one = (key: keyof typeof fields): string => `"${key}": ${pythonJson(fields[key], false)}`
  const before = `{${one('data')}, ${one('index')}, "nonce": `
  const after = `, ${one('previous_hash')}, ${one('timestamp')}}`
  const zeros = '0'.repeat(DIFFICULTY)
  for (let nonce = 0; ; nonce += 1) {
    const hash = sha256Hex(utf8(`${before}${nonce}${after}`))
    if (hash.startsWith(zeros)) return { nonce, hash }
  }
}
