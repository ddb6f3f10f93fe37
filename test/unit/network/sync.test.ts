import assert from 'node:assert/strict'
import { encode } from '../../../src/common/dag-cbor.ts'
import { codeOf } from '../../../src/common/errors.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createSyncClient, type SyncResult } from '../../../src/network/sync/client.ts'
import {
  decodeAnswer,
  encodeAnswer,
  encodeRequest,
  MAX_REQUEST_BYTES,
  type SyncAnswer,
  type SyncRequest,
} from '../../../src/network/sync/messages.ts'
import { createSyncPeer, type SyncPeer } from '../../../src/network/sync/peer.ts'
import { createSyncServer } from '../../../src/network/sync/server.ts'
import { createFakeChain, type FakeChain, fakeDevice } from './fake-chain.ts'

const PEER = fakeDevice(77)
const clock = {
  now: () => 0,
  after: () => () => {},
  randomBytes: (length: number) => new Uint8Array(length),
  random: () => 0.5,
}

/** A peer that serves `chain`; `lie` may change or withhold an answer's frame. */
function peerOf(
  chain: FakeChain,
  lie: (answer: SyncAnswer) => SyncAnswer | undefined = (answer) => answer,
): SyncPeer {
  const server = createSyncServer({ chain, clock, logger: silentLogger }, { capacity: 1e9 })
  return createSyncPeer(PEER, async function* (request) {
    for (const frame of server.answer(request, 'me')) {
      const told = lie(decodeAnswer(frame))
      if (told !== undefined) yield encodeAnswer(told)
    }
  })
}

function sync(chain: FakeChain, peer: SyncPeer, init = {}): Promise<SyncResult> {
  const client = createSyncClient({ chain, clock, logger: silentLogger }, init)
  return client.run(peer, AbortSignal.timeout(5000))
}

async function codeFrom(run: Promise<unknown>): Promise<string> {
  try {
    await run
    return 'none'
  } catch (error) {
    return codeOf(error)
  }
}

function grown(blocks: number, prefix = 'block'): FakeChain {
  const chain = createFakeChain()
  for (let index = 0; index < blocks; index += 1) chain.mine(`${prefix} ${index}`)
  return chain
}

describe('sync', () => {
  it('brings a new node every block, over many batches and windows', async () => {
    const there = grown(1200)
    const here = createFakeChain()
    const result = await sync(here, peerOf(there), { headers: 100 })
    assert.equal(here.tip().id, there.tip().id)
    assert.deepEqual([result.headers, result.blocks], [1200, 1200])
  })

  it('takes over a branch with more work from the fork point on', async () => {
    const there = grown(5)
    const here = createFakeChain()
    await sync(here, peerOf(there))
    for (let index = 0; index < 30; index += 1) there.mine(`there ${index}`)
    for (let index = 0; index < 20; index += 1) here.mine(`here ${index}`)
    const result = await sync(here, peerOf(there), { headers: 7 })
    assert.equal(here.tip().id, there.tip().id)
    assert.equal(result.blocks, 30)
  })

  it('asks for no body of a branch with less work, and none when both are the same', async () => {
    const there = grown(3)
    const here = grown(5, 'other')
    const noBodies = (answer: SyncAnswer): SyncAnswer => {
      assert.equal(['bodies', 'headers'].includes(answer.type), false)
      return answer
    }
    await sync(here, peerOf(there, noBodies))
    const asked: string[] = []
    const same = createFakeChain()
    await sync(same, peerOf(here))
    await sync(
      same,
      peerOf(here, (answer) => {
        asked.push(answer.type)
        return answer
      }),
    )
    assert.deepEqual(asked, ['status'])
  })

  it('settles a tie the same way on both sides', async () => {
    const one = grown(4, 'one')
    const two = grown(4, 'two')
    await sync(one, peerOf(two))
    await sync(two, peerOf(one))
    assert.equal(one.tip().id, two.tip().id)
  })

  it('gives each side the records that it lacks, contiguously, also of a device that wrote twice', async () => {
    const one = createFakeChain()
    const two = createFakeChain()
    one.write(1, 30)
    await sync(two, peerOf(one))
    one.write(1, 2500, 'one')
    one.write(2, 3)
    two.write(1, 40, 'two')
    two.write(3, 1)
    const first = await sync(one, peerOf(two))
    const second = await sync(two, peerOf(one))
    assert.deepEqual([first.records, second.records], [41, 2503])
    assert.deepEqual([...one.records.keys()].sort(), [...two.records.keys()].sort())
    assert.equal((await sync(one, peerOf(two))).records, 0)
  })

  it('walks through more device heads than one page or request names', async () => {
    const there = createFakeChain()
    for (let device = 0; device < 250; device += 1) there.write(device, 2)
    const here = createFakeChain()
    assert.equal((await sync(here, peerOf(there))).records, 500)
  })

  it('measures the difference of the clocks', async () => {
    const there = createFakeChain(() => 5000)
    assert.equal((await sync(createFakeChain(), peerOf(there))).clockDifference, 5000)
  })
})

describe('sync with a peer that lies', () => {
  const lies: Record<string, [string, (answer: SyncAnswer) => SyncAnswer | undefined]> = {
    'claims more work than its headers show': [
      'SYNC_WORK_CLAIM',
      (answer) =>
        answer.type === 'status' ? { ...answer, chainwork: answer.chainwork + 100n } : answer,
    ],
    'claims work and sends no headers': [
      'SYNC_WORK_CLAIM',
      (answer) => (answer.type === 'headers' ? { ...answer, headers: [] } : answer),
    ],
    'sends headers that do not follow on the locator': [
      'SYNC_NOT_LINKED',
      (answer) =>
        answer.type === 'headers' ? { ...answer, headers: answer.headers.slice(1) } : answer,
    ],
    'leaves a header out': [
      'FAKE_PARENT',
      (answer) =>
        answer.type === 'headers'
          ? { ...answer, headers: answer.headers.filter((_, index) => index !== 4) }
          : answer,
    ],
    'sends bytes that are no header': [
      'ENCODING',
      (answer) => (answer.type === 'headers' ? { ...answer, headers: [Uint8Array.of(1)] } : answer),
    ],
    'sends another body': [
      'FAKE_BODY',
      (answer) =>
        answer.type === 'bodies'
          ? { ...answer, bodies: answer.bodies.map(() => Uint8Array.of(0x80)) }
          : answer,
    ],
    'withholds every body': [
      'SYNC_BODY_WITHHELD',
      (answer) =>
        answer.type === 'bodies' ? { ...answer, bodies: answer.bodies.map(() => null) } : answer,
    ],
    'ends the stream before the bodies': [
      'SYNC_STREAM',
      (answer) => (answer.type === 'bodies' ? undefined : answer),
    ],
    'answers something else than was asked': [
      'SYNC_MALFORMED',
      (answer) => (answer.type === 'headers' ? { type: 'heads', heads: [], more: false } : answer),
    ],
    'sends more headers than were asked for': [
      'SYNC_MALFORMED',
      (answer) =>
        answer.type === 'headers'
          ? { ...answer, headers: Array.from({ length: 2000 }, () => new Uint8Array(300)) }
          : answer,
    ],
    'sends more bodies than were asked for': [
      'SYNC_MALFORMED',
      (answer) =>
        answer.type === 'bodies'
          ? { ...answer, bodies: [...answer.bodies, Uint8Array.of(1)], last: false }
          : answer,
    ],
    'sends empty frames of bodies without end': [
      'SYNC_MALFORMED',
      (answer) => (answer.type === 'bodies' ? { ...answer, bodies: [], last: false } : answer),
    ],
    'has more heads, and never names one': [
      'SYNC_MALFORMED',
      (answer) => (answer.type === 'heads' ? { ...answer, heads: [], more: true } : answer),
    ],
    'sends empty frames of records without end': [
      'SYNC_MALFORMED',
      (answer) => (answer.type === 'records' ? { ...answer, records: [], last: false } : answer),
    ],
    'names records that it does not give': [
      'SYNC_RECORDS_WITHHELD',
      (answer) => (answer.type === 'records' ? { ...answer, records: [] } : answer),
    ],
    'is of another network': [
      'SYNC_OTHER_NETWORK',
      (answer) => (answer.type === 'status' ? { ...answer, params: Uint8Array.of(1) } : answer),
    ],
  }
  for (const [name, [code, lie]] of Object.entries(lies)) {
    it(`${code}: ${name}`, async () => {
      const there = grown(10)
      there.write(1, 5)
      const here = createFakeChain()
      const before = here.tip().id
      assert.equal(await codeFrom(sync(here, peerOf(there, lie), { headers: 1000 })), code)
      assert.equal(
        here.tip().id === before || here.tip().id === there.tip().id,
        true,
        'the tip is the own one or the honest one',
      )
      const result = await sync(here, peerOf(there))
      assert.equal(here.tip().id, there.tip().id)
      assert.equal(here.records.size, 5)
      assert.equal(result.peer, PEER)
    })
  }

  it('headers without work and with a wrong difficulty are found before any body is asked for', async () => {
    const there = grown(3)
    const parent = there.tip()
    const good = there.seal(parent, encode({ records: ['a'] }))
    const body = encode({ records: ['b'] })
    for (const [code, bytes] of [
      ['FAKE_DIFFICULTY', there.seal(parent, body, { difficulty: 5000 }).bytes],
      ['FAKE_WORK', there.seal(parent, body, {}, false).bytes],
    ] as const) {
      const lie = (answer: SyncAnswer): SyncAnswer => {
        assert.notEqual(answer.type, 'bodies')
        if (answer.type === 'status') {
          return { ...answer, tip: good.id, chainwork: answer.chainwork + 10_000n }
        }
        return answer.type === 'headers'
          ? { ...answer, headers: [...answer.headers, bytes] }
          : answer
      }
      assert.equal(await codeFrom(sync(createFakeChain(), peerOf(there, lie))), code)
    }
  })

  it('keeps what came before a body that is withheld, and another peer brings the rest', async () => {
    const there = grown(10)
    let given = 0
    const lie = (answer: SyncAnswer): SyncAnswer =>
      answer.type === 'bodies'
        ? { ...answer, bodies: answer.bodies.map((body) => (given++ < 6 ? body : null)) }
        : answer
    const here = createFakeChain()
    assert.equal(await codeFrom(sync(here, peerOf(there, lie))), 'SYNC_BODY_WITHHELD')
    assert.equal(here.tip().header.height, 6)
    assert.equal((await sync(here, peerOf(there))).blocks, 4)
  })

  it('takes the records of a peer that withholds bodies', async () => {
    const there = grown(3)
    there.write(1, 4)
    const here = createFakeChain()
    const lie = (answer: SyncAnswer): SyncAnswer =>
      answer.type === 'bodies' ? { ...answer, bodies: [null] } : answer
    assert.equal(await codeFrom(sync(here, peerOf(there, lie))), 'SYNC_BODY_WITHHELD')
    assert.equal(here.records.size, 4)
  })

  it('SYNC_LOOP: the same headers again and again', async () => {
    let first: SyncAnswer | undefined
    let asked = 0
    const looping = peerOf(grown(20), (answer) => {
      if (answer.type !== 'headers') return answer
      asked += 1
      first ??= answer
      return first
    })
    assert.equal(await codeFrom(sync(createFakeChain(), looping, { headers: 5 })), 'SYNC_LOOP')
    assert.ok(asked < 10)
  })

  it('SYNC_TOO_MANY_HEADERS: a long branch that never gets better', async () => {
    const there = grown(40)
    const here = grown(60, 'other')
    const lie = (answer: SyncAnswer): SyncAnswer =>
      answer.type === 'status' ? { ...answer, chainwork: answer.chainwork * 10n } : answer
    const run = sync(here, peerOf(there, lie), { headers: 5, maxHeaders: 20 })
    assert.equal(await codeFrom(run), 'SYNC_TOO_MANY_HEADERS')
  })
})

describe('sync server', () => {
  const ask = (bytes: Uint8Array, capacity = 100): SyncAnswer[] => {
    const server = createSyncServer(
      { chain: grown(3), clock, logger: silentLogger },
      { capacity, perSecond: 0 },
    )
    return [...server.answer(bytes, 'peer')].map(decodeAnswer)
  }

  it('refuses malformed and oversized requests and those over their limits, and never throws', () => {
    const refused = [{ type: 'refused', why: 'malformed' }]
    assert.deepEqual(ask(Uint8Array.of(0xff, 1, 2)), refused)
    assert.deepEqual(ask(new Uint8Array(MAX_REQUEST_BYTES + 1)), refused)
    assert.deepEqual(ask(encode({ type: 'headers', locator: [], limit: 10 })), refused)
    assert.deepEqual(ask(encodeRequest({ type: 'status' }).subarray(1)), refused)
    assert.deepEqual(ask(encode({ type: 'headers', locator: [], limit: 1e9 })), refused)
    assert.deepEqual(ask(encode({ type: 'unknown' })), refused)
    assert.deepEqual(ask(encode({ type: 'status', more: 1 })), refused)
  })

  it('refuses a peer whose bucket is empty, and no other', () => {
    const server = createSyncServer(
      { chain: grown(3), clock, logger: silentLogger },
      { capacity: 3, perSecond: 0 },
    )
    const types = (from: string): string[] =>
      [...server.answer(encodeRequest({ type: 'status' }), from)].map((f) => decodeAnswer(f).type)
    assert.deepEqual(
      [1, 2, 3, 4].flatMap(() => types('a')),
      ['status', 'status', 'status', 'refused'],
    )
    assert.deepEqual(types('b'), ['status'])
  })

  it('tells a peer that an answer failed, and goes on', () => {
    const chain = grown(1)
    chain.headersAfter = () => {
      throw new Error('disk')
    }
    const server = createSyncServer({ chain, clock, logger: silentLogger })
    const request: SyncRequest = { type: 'headers', locator: [chain.tip().id], limit: 5 }
    const answers = [...server.answer(encodeRequest(request), 'a')].map(decodeAnswer)
    assert.deepEqual(answers, [{ type: 'refused', why: 'failed' }])
  })
})
