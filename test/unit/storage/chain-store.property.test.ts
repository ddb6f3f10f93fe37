import assert from 'node:assert/strict'
import { join } from 'node:path'
import * as fc from 'fast-check'
import type { VersionId } from '../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../src/chain/record.ts'
import type { RecordOutcome } from '../../../src/chain/state/result.ts'
import { utf8 } from '../../../src/common/bytes.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createChainStore } from '../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../src/storage/database.ts'
import type { Database } from '../../../src/storage/sqlite.ts'
import {
  access,
  blockOn,
  deviceAdd,
  fileAdd,
  fileRemove,
  fileUpdate,
  type Node,
  pathTo,
  replacedBy,
  switchTo,
  userCreate,
  vote,
  type Writer,
  write,
  writer,
} from './chain-model.ts'
import { dumpChain, dumpProjections } from './dump.ts'
import { temporaryDirectories } from './temporary.ts'

/** A step of a run: numbers that are taken modulo what there is to choose from. */
type Step = { readonly kind: 'write' | 'mine' | 'switch' | 'evict'; readonly pick: number[] }

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('write', 'write', 'write', 'mine', 'mine', 'switch', 'evict'),
  pick: fc.array(fc.nat(1000), { minLength: 12, maxLength: 12 }),
})

const OUTCOMES = ['applied', 'applied', 'rejected', 'waiting'] as const

/** A store beside a tree of blocks and all records that were ever written. */
class Run {
  readonly writers: Writer[] = [1, 2, 3].map(writer)
  readonly records: SignedRecord[] = []
  readonly nodes: Node[] = [blockOn(undefined, [], { 'rules/1': utf8('1') })]
  current: Node
  readonly db: Database
  readonly store

  constructor(db: Database) {
    this.db = db
    this.store = createChainStore(db)
    this.current = this.nodes[0] as Node
    switchTo(this.store, this.current)
  }

  write(pick: number[]): void {
    const [who = 0, what = 0, which = 0, other = 0, own = 0] = pick
    const by = choose(this.writers, who)
    const record = write(by, this.statement(by, what, which, other))
    this.records.push(record)
    // Some records arrive in a block first.
    if (own % 4 !== 0)
      this.store.putRecord(record, { own: own % 2 === 1, received: this.records.length })
  }

  statement(by: Writer, what: number, which: number, other: number) {
    if (by.last === undefined) {
      const first = this.writers[0]
      if (by === first || first === undefined || first.user === null) return userCreate('Ann')
      by.user = first.user
      return deviceAdd('phone', first.user)
    }
    const versions = this.records.filter(
      (record) => record.type === 'file.add' || record.type === 'file.update',
    )
    const one = choose(versions, which)
    const two = choose(versions, other)
    if (one === undefined || two === undefined || what % 6 === 0)
      return fileAdd(`file ${which % 5}`)
    const file = one.type === 'file.update' ? one.body.file : one.identity
    const parents: VersionId[] = [...new Set([one.identity, two.identity])].sort()
    if (what % 6 === 1) return fileRemove(file, parents)
    if (what % 6 === 2) return vote(one.identity)
    if (what % 6 === 3) return access(one.identity)
    return fileUpdate(file, parents, `file ${other % 5}`)
  }

  mine(pick: number[]): void {
    const [where = 0, from = 0, count = 0, ...rest] = pick
    const parent = choose(this.nodes.slice(-4), where) as Node
    const fresh = this.records.filter((record) => !parent.outcomes.has(record.id))
    const start = from % (fresh.length + 1)
    const records = fresh.slice(start, start + (count % 5))
    const outcomes = records.map((_, index): Partial<RecordOutcome> => {
      const outcome = choose([...OUTCOMES], rest[index] ?? 0)
      return outcome === 'applied' ? { outcome } : { outcome, code: 'SOME_CODE' as never }
    })
    const waiting = [...parent.outcomes.values()].filter(({ outcome }) => outcome === 'waiting')
    const late = waiting.slice(0, (rest[5] ?? 0) % 3).map(({ record }): RecordOutcome => {
      return { record, outcome: 'applied' }
    })
    const values = Object.fromEntries(
      rest.slice(0, 4).map((n) => [`k/${n % 7}`, n % 3 === 0 ? undefined : utf8(`${n}`)]),
    )
    // One that is not included, or was not before this block, stands in the chain by another one.
    const stranded = choose(fresh, where)
    const carrier = choose(this.records, from)
    if (stranded !== undefined && carrier !== undefined && count % 3 === 0) {
      values[`record/${stranded.id}`] = replacedBy(carrier.id)
    }
    const node = blockOn(parent, records, values, outcomes, late)
    this.nodes.push(node)
    // Sometimes it is only stored.
    if (count % 7 === 0) this.store.putBlock(node.block, node.chainwork, node.block.body)
    else this.switch(node)
  }

  switch(node: Node): void {
    switchTo(this.store, node)
    this.current = node
  }

  apply({ kind, pick }: Step): void {
    if (kind === 'write') this.write(pick)
    else if (kind === 'mine') this.mine(pick)
    else if (kind === 'switch') this.switch(choose(this.nodes, pick[0] ?? 0) as Node)
    else this.store.evictForeign((pick[0] ?? 0) % 6)
  }

  check(): void {
    const { store, current, db } = this
    assert.equal(store.tip().id, current.block.id)
    assert.deepEqual(new Map(store.state.list('')), new Map([...current.state].sort()))
    const projections = dumpProjections(db)
    store.rebuildProjections()
    assert.deepEqual(dumpProjections(db), projections, 'rebuilt projections are the same')
    for (const record of this.records) {
      const stored = store.record(record.id)
      const expected = current.outcomes.get(record.id)
      assert.equal(stored?.outcome, expected?.outcome)
      assert.equal(stored?.place === undefined, expected === undefined)
    }
    const pending = new Set(store.pending().map((entry) => entry.record.id))
    for (const record of this.records) {
      const isPending = store.hasRecord(record.id) && !current.outcomes.has(record.id)
      assert.equal(pending.has(record.id), isPending)
    }
  }

  /** A new store that saw nothing but the best chain. */
  checkAgainstGenesis(): void {
    const { db } = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger })
    const fresh = createChainStore(db)
    for (const node of pathTo(this.current)) switchTo(fresh, node)
    assert.deepEqual(fresh.stateDigest(), this.store.stateDigest())
    assert.deepEqual(dumpChain(db), dumpChain(this.db))
    db.close()
  }
}

function choose<T>(list: readonly T[], n: number): T {
  return list[n % Math.max(1, list.length)] as T
}

describe('storage/chain-store, any order of connects and disconnects', () => {
  const directory = temporaryDirectories()

  const holds = (path: () => string, runs: number): void =>
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const file = path()
        const open = (): Database =>
          openDatabase({ path: file, now: () => 0, logger: silentLogger }).db
        const db = open()
        const run = new Run(db)
        for (const [index, next] of steps.entries()) {
          run.apply(next)
          if (index % 10 === 9) run.check()
        }
        run.check()
        run.checkAgainstGenesis()
        const before = { ...dumpChain(db), ...dumpProjections(db) }
        db.close()
        if (file === ':memory:') return
        const again = open()
        assert.deepEqual({ ...dumpChain(again), ...dumpProjections(again) }, before)
        again.close()
      }),
      { numRuns: runs },
    )

  it('in memory', () => holds(() => ':memory:', 60))
  it('on the disk', () => holds(() => join(directory(), 'a.sqlite'), 6))
})
