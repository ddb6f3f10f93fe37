import assert from 'node:assert/strict'
import type { CID } from 'multiformats/cid'
import { codeOf } from '../../../src/common/errors.ts'
import { KIB, MIB } from '../../../src/common/limits.ts'
import { createFrameReader } from '../../../src/network/transfer/frame-reader.ts'
import {
  createBudget,
  createSemaphore,
  createTokenBucket,
} from '../../../src/network/transfer/limits.ts'
import {
  decodeMessage,
  encodeBlockHeader,
  encodeMessage,
  FRAME,
  MAX_WANTS_OPEN,
} from '../../../src/network/transfer/messages.ts'
import { serveStream, UNREAD_MS } from '../../../src/network/transfer/server.ts'
import { createVirtualClock, type VirtualClock } from '../network/virtual-clock.ts'
import { type Block, blockOf, memoryStore, noise } from './content.ts'
import { FakeStream } from './fake-net.ts'

interface Scene {
  readonly near: FakeStream
  readonly far: FakeStream
  readonly clock: VirtualClock
  readonly store: ReturnType<typeof memoryStore>
  /** Answers in the order in which they came. */
  readonly answers: string[]
  /** How the serving ended: `done`, or the code of its error. */
  readonly end: Promise<string>
}

function scene(blocks: readonly Block[], perSecond = Number.POSITIVE_INFINITY): Scene {
  const clock = createVirtualClock()
  const store = memoryStore(blocks)
  const [far, near] = FakeStream.pair()
  const answers: string[] = []
  const reader = createFrameReader([FRAME.block, FRAME.none, FRAME.holds], {
    blockBegins: (_, length) => new Uint8Array(length),
    blockGrows: () => {},
    blockEnds: (id, block) => {
      const known = blocks.findIndex(({ bytes }) => Buffer.compare(bytes, block) === 0)
      answers.push(`${id} is block ${known}`)
    },
    control: (kind, payload) => {
      if (kind === FRAME.none) {
        const { ids, why } = decodeMessage(kind, payload)
        answers.push(`${ids} ${why}`)
      } else answers.push(`${decodeMessage(FRAME.holds, payload).held}`)
    },
    tooLarge: () => assert.fail('too large'),
    invalid: (why) => assert.fail(why),
  })
  near.addEventListener('message', ({ data }: { data: Uint8Array }) => reader.push(data))
  const read = async (cid: CID): Promise<Uint8Array | undefined> => {
    for await (const bytes of store.has(cid) ? store.get(cid) : []) return bytes
    return undefined
  }
  const end = serveStream(
    far,
    {
      read,
      holds: async (cid) => (store.has(cid) ? 'complete' : 'none'),
      clock,
      reads: createSemaphore(4),
      ready: createBudget(64 * MIB),
      upload: createTokenBucket(clock, Number.POSITIVE_INFINITY, 0),
      questions: createTokenBucket(clock, perSecond, 10),
      onSent: () => {},
    },
    { peer: 'near' },
  ).then(() => 'done', codeOf)
  return { near, far, clock, store, answers, end }
}

async function settled({ clock }: Scene): Promise<void> {
  for (let turn = 0; turn < 40; turn += 1) await clock.advance(1)
}

function want(blocks: readonly Block[], first = 0): Uint8Array {
  return encodeMessage(FRAME.want, {
    wants: blocks.map(({ cid }, index) => ({
      id: first + index,
      codec: cid.code,
      digest: cid.multihash.digest,
    })),
  })
}

const blocks = Array.from({ length: 64 }, (_, seed) => blockOf(noise(64 * KIB, seed)))

describe('transfer: server', () => {
  it('answers in the order of the wants and says what is missing', async () => {
    const here = blocks.slice(0, 3)
    const at = scene(here)
    at.near.send(want(blocks.slice(0, 4)))
    await settled(at)
    assert.deepEqual(at.answers.toSorted(), [
      '0 is block 0',
      '1 is block 1',
      '2 is block 2',
      '3 missing',
    ])
    const sent = at.answers.filter((answer) => answer.includes('block'))
    assert.deepEqual(sent, ['0 is block 0', '1 is block 1', '2 is block 2'])
    await at.near.close()
    await settled(at)
    assert.equal(await at.end, 'done')
  })

  it('a want that is repeated is answered again', async () => {
    const at = scene(blocks)
    at.near.send(want([blocks[5] as Block], 1))
    at.near.send(want([blocks[5] as Block], 2))
    await settled(at)
    at.near.send(want([blocks[5] as Block], 1))
    await settled(at)
    assert.deepEqual(at.answers, ['1 is block 5', '2 is block 5', '1 is block 5'])
  })

  it('a block that comes later is sent when it is asked for again', async () => {
    const at = scene([])
    const [block = blockOf(noise(1, 1))] = blocks
    at.near.send(want([block]))
    await settled(at)
    await at.store.put(block.cid, block.bytes)
    at.near.send(want([block], 1))
    await settled(at)
    assert.deepEqual(at.answers, ['0 missing', '1 is block -1'])
  })

  it('what is cancelled is not sent, and said to be cancelled', async () => {
    const at = scene(blocks)
    at.far.held = true
    at.near.send(want(blocks))
    await settled(at)
    at.near.send(encodeMessage(FRAME.cancel, { ids: [40, 41, 2] }))
    await settled(at)
    at.far.release()
    await settled(at)
    assert.ok(at.answers.includes('40,41 cancelled'), at.answers.join())
    assert.equal(at.answers.filter((answer) => answer.startsWith('40')).length, 1)
    assert.ok(at.answers.includes('2 cancelled') || at.answers.includes('2 is block 2'))
    assert.ok(at.answers.includes('63 is block 63'))
  })

  it('READER_STALLED: nothing is read ahead for a reader that does not read, and it is cut off', async () => {
    const at = scene(blocks)
    at.far.held = true
    at.near.send(want(blocks))
    await settled(at)
    const held = at.far.queued
    assert.ok(at.store.gets.length <= 16, `${at.store.gets.length} blocks were read`)
    assert.ok(held < MIB, `${held} bytes wait in the stream`)
    await at.clock.advance(UNREAD_MS)
    assert.equal(await at.end, 'READER_STALLED')
    assert.equal(at.far.status, 'aborted')
  })

  it('TOO_MANY_WANTS: more open wants than the protocol allows', async () => {
    const at = scene(blocks)
    at.far.held = true
    for (let first = 0; first <= MAX_WANTS_OPEN; first += 64) {
      if (at.near.status === 'open') at.near.send(want(blocks, first))
    }
    await settled(at)
    assert.equal(await at.end, 'TOO_MANY_WANTS')
  })

  it('TOO_MANY_WANTS: answers that nobody reads count as open, also those without a block', async () => {
    for (const codec of [0x01, 0x55]) {
      const at = scene(blocks)
      at.far.held = true
      const digest = new Uint8Array(32)
      for (let first = 0; first < 1024 * 256; first += 256) {
        const wants = Array.from({ length: 256 }, (_, id) => ({ id: first + id, codec, digest }))
        if (at.near.status !== 'open') break
        at.near.send(encodeMessage(FRAME.want, { wants }))
        await at.clock.advance(1)
      }
      assert.equal(at.far.status, 'aborted')
      assert.equal(await at.end, 'TOO_MANY_WANTS')
    }
  })

  it('FRAME_INVALID, ENCODING: what is no question ends the stream', async () => {
    for (const bytes of [encodeBlockHeader(1, 5), Uint8Array.of(FRAME.want, 0, 0, 0, 1, 0xff)]) {
      const at = scene(blocks)
      at.near.send(bytes)
      await settled(at)
      assert.ok(['FRAME_INVALID', 'ENCODING'].includes(await at.end))
      assert.equal(at.far.status, 'aborted')
    }
  })

  it('says what it holds', async () => {
    const at = scene(blocks.slice(0, 1))
    const roots = blocks
      .slice(0, 2)
      .map(({ cid }) => ({ codec: cid.code, digest: cid.multihash.digest }))
    at.near.send(encodeMessage(FRAME.have, { id: 9, roots }))
    await settled(at)
    assert.deepEqual(at.answers, ['complete,none'])
  })

  it('questions beyond the rate wait', async () => {
    const at = scene(blocks, 10)
    at.near.send(want(blocks.slice(0, 30)))
    await settled(at)
    const early = at.answers.length
    assert.ok(early >= 8 && early <= 12, `${early} answers at once`)
    await at.clock.advance(3000)
    assert.equal(at.answers.length, 30)
  })
})
