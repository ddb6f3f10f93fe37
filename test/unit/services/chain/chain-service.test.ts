import assert from 'node:assert/strict'
import type { ContentId } from '../../../../src/chain/ids.ts'
import type { SignedRecord, Statement } from '../../../../src/chain/record.ts'
import { readRecordState } from '../../../../src/chain/state/records.ts'
import { cidText, RAW } from '../../../../src/common/dag-cbor.ts'
import { codeOf } from '../../../../src/common/errors.ts'
import { type ChainNode, createChainNode, handClock, seedOf } from '../../../helpers/chain-node.ts'

const START = 1_700_000_001_000

function fileStatement(name: string): Statement {
  const sha256 = seedOf(name)
  const root = cidText(RAW, sha256) as ContentId
  return {
    type: 'file.add',
    body: {
      root,
      storedSize: 5,
      visibility: 'public',
      name,
      folder: [],
      mediaType: 'text/plain',
      size: 5,
      sha256,
    },
  }
}

/** Everything that `from` has and `to` lacks, by the calls that sync makes. */
async function pull(to: ChainNode, from: ChainNode): Promise<void> {
  const headers = from.chain.headersAfter(to.chain.locator(), 2000)
  const plan = await to.chain.planHeaders(headers, from.device)
  if (plan.more) {
    const blocks = plan.wanted.map((id) => ({ id, body: from.store.body(id) ?? new Uint8Array() }))
    await to.chain.acceptBodies(blocks, from.device)
  }
  for (const head of from.chain.heads()) {
    const have = to.chain.recordLocator(head.device)
    await to.chain.acceptRecords(from.chain.recordsBack(head.id, have, 2000), from.device)
  }
}

async function pair(): Promise<{
  ada: ChainNode
  bob: ChainNode
  clock: ReturnType<typeof handClock>
}> {
  const clock = handClock(START)
  const ada = createChainNode('ada', { clock })
  const bob = createChainNode('bob', { clock })
  await ada.join()
  await bob.join()
  await ada.mine()
  await pull(bob, ada)
  await pull(ada, bob)
  clock.time += 2000
  await ada.mine()
  await pull(bob, ada)
  return { ada, bob, clock }
}

const stateOf = (node: ChainNode): string => Buffer.from(node.store.stateDigest()).toString('hex')

describe('services/chain', () => {
  it('takes a statement to the chain of another node', async () => {
    const { ada, bob, clock } = await pair()
    const record = await ada.publish(fileStatement('a.txt'))
    assert.equal(ada.store.record(record.id)?.place, undefined)
    clock.time += 2000
    await ada.mine()
    await pull(bob, ada)
    assert.equal(readRecordState(bob.store.state, record.id)?.outcome, 'applied')
    assert.equal(stateOf(ada), stateOf(bob))
  })

  it('stands in the journal and in the database before it is acknowledged', async () => {
    const { ada } = await pair()
    const record = await ada.publish(fileStatement('a.txt'))
    assert.deepEqual(ada.journal.at(-1), record.bytes)
    assert.equal(ada.store.record(record.id)?.own, true)
  })

  it('puts back from the journal what a new database lacks, and goes on in sequence', async () => {
    const { ada, clock } = await pair()
    const record = await ada.publish(fileStatement('a.txt'))
    const again = createChainNode('ada', { clock, journal: ada.journal })
    await again.chain.start()
    assert.equal(again.store.hasRecord(record.id), true)
    const next = await again.publish(fileStatement('b.txt'))
    assert.equal(next.sequence, record.sequence + 1)
    assert.equal(next.previous, record.id)
  })

  it('merges two halves: most work wins, every record of the losing half is in it', async () => {
    const { ada, bob, clock } = await pair()
    const lost: SignedRecord[] = []
    for (let round = 0; round < 3; round += 1) {
      clock.time += 2000
      await ada.publish(fileStatement(`ada ${round}`))
      await ada.mine()
      if (round > 1) continue
      lost.push(await bob.publish(fileStatement(`bob ${round}`)))
      await bob.mine()
    }
    const best = ada.store.tip().chainwork > bob.store.tip().chainwork ? ada : bob
    assert.equal(best, ada)
    await pull(bob, ada)
    await pull(ada, bob)
    assert.equal(bob.store.tip().id, ada.store.tip().id)
    for (const record of lost) assert.equal(bob.store.record(record.id)?.place, undefined)
    clock.time += 2000
    await bob.mine()
    await pull(ada, bob)
    for (const record of lost) {
      assert.equal(readRecordState(ada.store.state, record.id)?.outcome, 'applied')
    }
    assert.equal(stateOf(ada), stateOf(bob))
  })

  it('signs again what a copy of its directory made impossible, and counts it once', async () => {
    const { ada, bob, clock } = await pair()
    const copy = createChainNode('ada', { clock, journal: [...ada.journal] })
    await copy.chain.start()
    await pull(copy, bob)
    const first = await ada.publish(fileStatement('first.txt'))
    const second = await copy.publish(fileStatement('second.txt'))
    assert.equal(first.sequence, second.sequence)
    clock.time += 2000
    await ada.mine()
    await pull(copy, ada)
    const resigned = copy.store.ownNewest(copy.device)?.record
    assert.equal(resigned?.identity, second.id)
    assert.notEqual(resigned?.id, second.id)
    clock.time += 2000
    await copy.mine()
    await pull(bob, copy)
    assert.equal(readRecordState(bob.store.state, second.id)?.outcome, 'applied')
    assert.equal(readRecordState(bob.store.state, first.id)?.outcome, 'applied')
    assert.equal(bob.store.projections.listFiles({ limit: 10 }).length, 2)
  })

  it('signs again at once all that follows what became impossible', async () => {
    const { ada, bob, clock } = await pair()
    const copy = createChainNode('ada', { clock, journal: [...ada.journal] })
    await copy.chain.start()
    await pull(copy, bob)
    await ada.publish(fileStatement('other.txt'))
    const published: SignedRecord[] = []
    for (const name of ['1', '2', '3', '4']) published.push(await copy.publish(fileStatement(name)))
    clock.time += 2000
    await ada.mine()
    const before = copy.store.ownNewest(copy.device)?.record.sequence ?? 0
    await pull(copy, ada)
    const newest = copy.store.ownNewest(copy.device)?.record
    assert.equal(newest?.identity, published[3]?.id)
    assert.equal(newest?.sequence, before + 1)
    clock.time += 2000
    await copy.mine()
    for (const { id } of published) {
      assert.equal(readRecordState(copy.store.state, id)?.outcome, 'applied')
    }
  })

  it('NOT_ADMITTED: signs nothing before its own admission', async () => {
    const eve = createChainNode('eve', { clock: handClock(START) })
    await assert.rejects(
      eve.publish(fileStatement('a.txt')),
      (error) => codeOf(error) === 'NOT_ADMITTED',
    )
  })

  it('ALREADY_ADMITTED: is admitted once', async () => {
    const { ada } = await pair()
    await assert.rejects(ada.join(), (error) => codeOf(error) === 'ALREADY_ADMITTED')
  })

  it('NODE_STOPPING: takes no more work when it stops', async () => {
    const { ada } = await pair()
    await ada.chain.stop()
    await assert.rejects(
      ada.publish(fileStatement('a.txt')),
      (error) => codeOf(error) === 'NODE_STOPPING',
    )
  })

  it('keeps a block of the future aside and takes its records at once', async () => {
    const { ada, bob, clock } = await pair()
    const record = await ada.publish(fileStatement('a.txt'))
    const { time } = clock
    clock.time += 300_000
    const template = await ada.mine()
    clock.time = time
    assert.ok(template)
    const tip = ada.store.tip()
    const header = ada.store.headerBytes(tip.id) ?? new Uint8Array()
    const verdict = await bob.chain.acceptBlock(header, template.body.bytes, ada.device)
    assert.equal(verdict.verdict, 'ignore')
    assert.equal(bob.store.hasRecord(record.id), true)
    assert.notEqual(bob.store.tip().id, tip.id)
    const connected = bob.events.next('chain:tip', { signal: AbortSignal.timeout(5000) })
    clock.time += 200_000
    await connected
    assert.equal(bob.store.tip().id, tip.id)
  })

  it('holds a block whose parent is unknown until the parent comes', async () => {
    const { ada, bob, clock } = await pair()
    const blocks: { header: Uint8Array; body: Uint8Array }[] = []
    for (const name of ['a.txt', 'b.txt']) {
      clock.time += 2000
      await ada.publish(fileStatement(name))
      const template = await ada.mine()
      assert.ok(template)
      const header = ada.store.headerBytes(ada.store.tip().id) ?? new Uint8Array()
      blocks.push({ header, body: template.body.bytes })
    }
    const [parent, child] = blocks
    assert.ok(parent && child)
    const early = await bob.chain.acceptBlock(child.header, child.body, ada.device)
    assert.deepEqual(early, { verdict: 'ignore', sync: true })
    await bob.chain.acceptBlock(parent.header, parent.body, ada.device)
    assert.equal(bob.store.tip().id, ada.store.tip().id)
  })

  it('mines nothing while a better chain is on its way, and goes on when it does not come', async () => {
    const { ada, bob, clock } = await pair()
    for (const name of ['a.txt', 'b.txt']) {
      clock.time += 2000
      await ada.publish(fileStatement(name))
      await ada.mine()
    }
    await bob.publish(fileStatement('c.txt'))
    assert.equal(bob.chain.demand(), 'own')
    const headers = ada.chain.headersAfter(bob.chain.locator(), 2000)
    await bob.chain.planHeaders(headers, ada.device)
    assert.equal(bob.chain.demand(), undefined)
    clock.time += 11_000
    assert.equal(bob.chain.demand(), 'own')
    await pull(bob, ada)
    assert.equal(bob.store.tip().id, ada.store.tip().id)
    assert.equal(bob.chain.demand(), 'own')
  })
})
