/**
 * Opens a store with 100,000 blocks, in a process of its own, against opening an empty one: lock, database, its
 * checks, the tip and what the next block needs of its ancestors.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HEADER_ANCESTORS } from '../src/chain/validate.ts'
import { silentLogger } from '../src/common/logger.ts'
import { createChainStore } from '../src/storage/chain-store.ts'
import { openDataDirectory } from '../src/storage/data-directory.ts'
import { openDatabase } from '../src/storage/database.ts'
import { makeChain } from './support/make-chain.ts'
import { bench, MIB, residentBytes } from './support/measure.ts'

const LONG_CHAIN_BLOCKS = 100_000
const OPEN = 'open'

interface Opened {
  readonly ms: number
  readonly grownBytes: number
}

async function open(path: string): Promise<Opened> {
  const before = await residentBytes()
  const started = performance.now()
  const directory = openDataDirectory(path)
  const { db } = openDatabase({
    path: directory.database,
    now: () => Date.now(),
    logger: silentLogger,
  })
  const store = createChainStore(db)
  store.ancestors(store.tip().id, HEADER_ANCESTORS)
  store.pending()
  const ms = performance.now() - started
  const grownBytes = (await residentBytes()) - before
  db.close()
  directory.release()
  return { ms, grownBytes }
}

async function openApart(path: string): Promise<Opened> {
  const child = fork(fileURLToPath(import.meta.url), [OPEN, path])
  const [answer] = await once(child, 'message')
  return answer as Opened
}

if (process.argv[2] === OPEN) {
  process.send?.(await open(process.argv[3] ?? ''))
  process.disconnect()
} else {
  await bench('open', async ({ quick, directory }) => {
    const plan = { recordsPerBlock: 1, users: 5, now: Date.now() }
    const long = join(directory, 'long')
    const empty = join(directory, 'empty')
    const blocks = quick ? LONG_CHAIN_BLOCKS / 20 : LONG_CHAIN_BLOCKS
    makeChain({ ...plan, path: long, blocks })
    makeChain({ ...plan, path: empty, blocks: 1 })
    await openApart(empty)
    const baseline = await openApart(empty)
    const figure = await openApart(long)
    return [
      {
        name: `open ${blocks.toLocaleString('en')} blocks`,
        value: figure.ms,
        unit: 'ms',
        baseline: { name: 'one block', value: baseline.ms, unit: 'ms' },
        goal: { of: 'value', is: 'at most', limit: 1000 },
      },
      {
        name: 'resident memory grows by',
        value: figure.grownBytes / MIB,
        unit: 'MiB',
        baseline: { name: 'one block', value: baseline.grownBytes / MIB, unit: 'MiB' },
        goal: { of: 'value', is: 'at most', limit: 50 },
      },
    ]
  })
}
