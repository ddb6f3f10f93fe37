/**
 * What the chain store costs: connecting records, opening a long chain, reading lists.
 *
 *   node bench/store.ts [--blocks 10000] [--records 5] [--json]
 *
 * Baseline: one plain INSERT of the same bytes by SQLite, keyed by id.
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { SealedHeader } from '../src/chain/block.ts'
import { decodeBody, decodeHeader, genesisOf } from '../src/chain/codec.ts'
import { deviceIdOf } from '../src/chain/ids.ts'
import { evaluateBlock } from '../src/chain/outcome.ts'
import { assert } from '../src/common/errors.ts'
import { silentLogger } from '../src/common/logger.ts'
import { type ChainStore, createChainStore } from '../src/storage/chain-store.ts'
import { openDatabase } from '../src/storage/database.ts'
import { type Database, openSqlite } from '../src/storage/sqlite.ts'
import { makeChain } from './support/make-chain.ts'

const { values } = parseArgs({
  options: {
    blocks: { type: 'string', default: '10000' },
    records: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
})
const blocks = Number(values.blocks)
const recordsPerBlock = Number(values.records)
/** Blocks in one transaction: what a sync brings at a time. */
const BATCH = 100

const directory = mkdtempSync(join(tmpdir(), 'cairn-bench-store-'))
try {
  const figures = run()
  if (values.json) console.log(JSON.stringify(figures))
  else for (const [name, value] of Object.entries(figures)) console.log(name.padEnd(40), value)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

function run(): Record<string, number> {
  const made = makeChain({
    path: join(directory, 'source'),
    blocks,
    recordsPerBlock,
    users: 5,
    now: 1_800_000_000_000,
  })
  const source = open(join(directory, 'source', 'cairn.sqlite'))
  const target = open(join(directory, 'target.sqlite'))
  const genesis = genesisOf(made.params)
  const digest = new Uint8Array(32)
  target.store.begin(genesis, { changes: [], outcomes: [], late: [], digest }, 1n)

  let storing = 0
  let evaluating = 0
  for (let from = 1; from <= blocks; from += BATCH) {
    const batch = source.store.mainHeaders(from, BATCH).map((bytes) => {
      const sealed: SealedHeader = decodeHeader(bytes)
      const body = source.store.body(sealed.id)
      assert(body !== undefined, 'the source is whole')
      return { sealed, body: decodeBody(body) }
    })
    const start = cpu()
    let pure = 0
    target.store.transaction(() => {
      for (const { sealed, body } of batch) {
        const tip = target.store.tip()
        const block = target.store.putBlock(sealed, tip.chainwork + 1n, body)
        const { height, time, miner } = sealed.header
        const before = cpu()
        const effect = evaluateBlock(
          target.store.state,
          { params: made.params, network: made.network, height, time, miner: deviceIdOf(miner) },
          body.records,
        )
        pure += cpu() - before
        target.store.connect(block, effect)
      }
    })
    storing += cpu() - start - pure
    evaluating += pure
  }

  const plain = baseline(target.db)
  const rebuild = timed(() => target.store.rebuildProjections())
  const first = timed(() => target.store.projections.listFiles({ limit: 100 }))
  const search = timed(() =>
    target.store.projections.listFiles({ search: 'report 77', limit: 100 }),
  )
  const state = timed(() => target.store.stateDigest())
  const undoing = timed(() =>
    target.store.transaction(() => {
      for (let n = 0; n < Math.min(100, blocks); n += 1) target.store.disconnect(target.store.tip())
    }),
  )
  target.db.close()
  source.db.close()

  globalThis.gc?.()
  const before = process.memoryUsage().rss
  let opened: Database | undefined
  const opening = timed(() => {
    const { db, store } = open(join(directory, 'source', 'cairn.sqlite'))
    opened = db
    store.tip()
    store.pendingCount()
  })
  const grown = process.memoryUsage().rss - before
  opened?.close()

  return {
    records: made.records,
    'store, µs per record': us(storing / made.records),
    'evaluate, µs per record': us(evaluating / made.records),
    'baseline: plain insert, µs per record': us(plain / made.records),
    'disconnect 100 blocks, ms': ms(undoing),
    'open, ms': ms(opening),
    'memory grown by opening, MiB': ms(grown / 2 ** 20),
    'list 100 files, ms': ms(first),
    'search all files, ms': ms(search),
    'rebuild projections, ms': ms(rebuild),
    'digest of the state, ms': ms(state),
    'database, bytes per record': Math.round(
      statSync(join(directory, 'source', 'cairn.sqlite')).size / made.records,
    ),
  }
}

function open(path: string): { db: Database; store: ChainStore } {
  const { db } = openDatabase({ path, now: Date.now, logger: silentLogger })
  return { db, store: createChainStore(db) }
}

/** The same bytes into one table, in transactions of the same size. */
function baseline(from: Database): number {
  const rows = from
    .prepare<{ id: string; bytes: Uint8Array }>('SELECT id, bytes FROM records')
    .all()
  const db = openSqlite(join(directory, 'plain.sqlite'))
  db.exec('CREATE TABLE t (number INTEGER PRIMARY KEY, id TEXT UNIQUE, bytes BLOB)')
  const insert = db.prepare('INSERT INTO t (id, bytes) VALUES (?, ?)')
  const took = timed(() => {
    for (let at = 0; at < rows.length; at += BATCH * recordsPerBlock) {
      db.transaction(() => {
        for (const row of rows.slice(at, at + BATCH * recordsPerBlock))
          insert.run(row.id, row.bytes)
      })
    }
  })
  db.close()
  return took
}

function timed(work: () => unknown): number {
  const start = cpu()
  work()
  return cpu() - start
}

function us(value: number): number {
  return Math.round(value * 10_000) / 10
}

function ms(value: number): number {
  return Math.round(value * 10) / 10
}

/** Milliseconds of processor time of this process: other programs on the machine do not count. */
function cpu(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
