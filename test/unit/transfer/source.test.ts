import assert from 'node:assert/strict'
import { codeOf } from '../../../src/common/errors.ts'
import { KIB, MIB } from '../../../src/common/limits.ts'
import { createBuffers } from '../../../src/network/transfer/buffers.ts'
import {
  decodeMessage,
  encodeBlockHeader,
  encodeMessage,
  FRAME,
  FRAME_HEADER_BYTES,
} from '../../../src/network/transfer/messages.ts'
import { createSource, type Source, STALL_MS } from '../../../src/network/transfer/source.ts'
import { createVirtualClock, type VirtualClock } from '../network/virtual-clock.ts'
import { blockOf, noise } from './content.ts'
import { FakeStream } from './fake-net.ts'

interface Scene {
  readonly source: Source
  readonly clock: VirtualClock
  /** The other ends of the streams that the source opened. */
  readonly far: FakeStream[]
  readonly faults: string[]
  /** Bytes that came at the other end. */
  readonly asked: Uint8Array[]
}

function scene(): Scene {
  const clock = createVirtualClock()
  const far: FakeStream[] = []
  const faults: string[] = []
  const asked: Uint8Array[] = []
  const source = createSource(
    {
      open: async () => {
        const [near, other] = FakeStream.pair()
        other.addEventListener('message', ({ data }: { data: Uint8Array }) => asked.push(data))
        far.push(other)
        return near
      },
      clock,
      buffers: createBuffers(),
      onAnswer: () => {},
      onFault: ({ code }) => faults.push(code),
    },
    { peer: 'far' },
  )
  return { source, clock, far, faults, asked }
}

async function settled(clock: VirtualClock): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await clock.advance(1)
}

function wantIds(frame: Uint8Array | undefined): number[] {
  assert.equal(frame?.[0], FRAME.want)
  const message = decodeMessage(FRAME.want, frame.subarray(FRAME_HEADER_BYTES))
  return message.wants.map(({ id }) => id)
}

const leaf = blockOf(noise(100, 1))
const other = blockOf(noise(100, 2))

describe('transfer: source', () => {
  /** What a source that answers one want with `frames` costs: the code of the want, and the fault. */
  async function outcomeOf(
    frames: (id: number) => Uint8Array[],
  ): Promise<[string, string | undefined]> {
    const { source, clock, far, faults, asked } = scene()
    const { block } = source.want(leaf.cid)
    const result = block.then(() => 'served', codeOf)
    await settled(clock)
    const [id = 0] = wantIds(asked[0])
    for (const frame of frames(id)) if (far[0]?.status === 'open') far[0].send(frame)
    await settled(clock)
    if (faults.length > 0) assert.equal(far[0]?.status, 'aborted')
    return [await result, faults[0]]
  }

  it('gives the bytes that have the hash', async () => {
    assert.deepEqual(await outcomeOf((id) => [encodeBlockHeader(id, 100), leaf.bytes]), [
      'served',
      undefined,
    ])
  })

  it('BLOCK_MISMATCH: other bytes are never seen by anybody', async () => {
    assert.deepEqual(await outcomeOf((id) => [encodeBlockHeader(id, 100), other.bytes]), [
      'BLOCK_MISMATCH',
      'BLOCK_MISMATCH',
    ])
  })

  it('FRAME_TOO_LARGE: a block above the limit', async () => {
    assert.deepEqual(await outcomeOf((id) => [encodeBlockHeader(id, 3 * MIB)]), [
      'FRAME_TOO_LARGE',
      'FRAME_TOO_LARGE',
    ])
  })

  it('FRAME_INVALID: garbage, and answers to no question', async () => {
    const wrong = ['FRAME_INVALID', 'FRAME_INVALID']
    assert.deepEqual(await outcomeOf(() => [noise(64, 5)]), wrong)
    assert.deepEqual(await outcomeOf((id) => [encodeBlockHeader(id + 1, 5)]), wrong)
    assert.deepEqual(
      await outcomeOf((id) => [encodeMessage(FRAME.none, { ids: [id + 1], why: 'missing' })]),
      wrong,
    )
    assert.deepEqual(
      await outcomeOf((id) => [encodeMessage(FRAME.holds, { id, held: ['none'] })]),
      wrong,
    )
    assert.deepEqual(await outcomeOf(() => [Uint8Array.of(FRAME.none, 0, 0, 0, 1, 0xff)]), wrong)
  })

  it('FRAME_INVALID: the same want answered twice', async () => {
    const [result, fault] = await outcomeOf((id) => [
      encodeBlockHeader(id, 100),
      leaf.bytes,
      encodeBlockHeader(id, 100),
    ])
    assert.deepEqual([result, fault], ['served', 'FRAME_INVALID'])
  })

  it('BLOCK_NOT_HELD: no fault of the source', async () => {
    assert.deepEqual(
      await outcomeOf((id) => [encodeMessage(FRAME.none, { ids: [id], why: 'missing' })]),
      ['BLOCK_NOT_HELD', undefined],
    )
  })

  it('SOURCE_GONE: the stream ends in the middle of a block, and the next want opens another', async () => {
    const { source, clock, far, faults, asked } = scene()
    const result = source.want(leaf.cid).block.catch(codeOf)
    await settled(clock)
    const [id = 0] = wantIds(asked[0])
    far[0]?.send(encodeBlockHeader(id, 100))
    far[0]?.send(leaf.bytes.subarray(0, 50))
    await settled(clock)
    far[0]?.abort(new Error('broken'))
    assert.equal(await result, 'SOURCE_GONE')
    assert.deepEqual(faults, ['SOURCE_GONE'])
    assert.equal(source.window.inFlight, 0)
    const again = source.want(leaf.cid).block
    await settled(clock)
    const [second = 0] = wantIds(asked[1])
    far[1]?.send(encodeBlockHeader(second, 100))
    far[1]?.send(leaf.bytes)
    assert.deepEqual(Buffer.from(await again), Buffer.from(leaf.bytes))
  })

  it('SOURCE_STALLED: silence, and a drip that only holds us', async () => {
    const silent = scene()
    const first = silent.source.want(leaf.cid).block.catch(codeOf)
    await silent.clock.advance(STALL_MS + 10)
    assert.equal(await first, 'SOURCE_STALLED')

    const big = blockOf(noise(MIB, 3))
    const slow = scene()
    const second = slow.source.want(big.cid).block.catch(codeOf)
    await settled(slow.clock)
    slow.far[0]?.send(encodeBlockHeader(wantIds(slow.asked[0])[0] ?? 0, MIB))
    for (let at = 0; at < 15; at += 1) {
      if (slow.far[0]?.status === 'open') slow.far[0].send(big.bytes.subarray(at, at + 1))
      await slow.clock.advance(STALL_MS / 10)
    }
    assert.equal(await second, 'SOURCE_STALLED')
  })

  it('a slow link has all the time it needs', async () => {
    const big = blockOf(noise(MIB, 3))
    const { source, clock, far, asked } = scene()
    const result = source.want(big.cid).block
    await settled(clock)
    far[0]?.send(encodeBlockHeader(wantIds(asked[0])[0] ?? 0, MIB))
    for (let at = 0; at < MIB; at += 32 * KIB) {
      far[0]?.send(big.bytes.subarray(at, at + 32 * KIB))
      await clock.advance(STALL_MS * 0.9)
    }
    assert.equal((await result).length, MIB)
  })

  it('a cancel goes to the source; the block that crosses it harms nothing', async () => {
    const { source, clock, far, faults, asked } = scene()
    const want = source.want(leaf.cid)
    const result = want.block.catch((error: Error) => error.message)
    await settled(clock)
    const [id = 0] = wantIds(asked[0])
    want.cancel(new Error('not needed'))
    assert.equal(await result, 'not needed')
    await settled(clock)
    const cancel = asked[1] ?? new Uint8Array(0)
    assert.deepEqual(decodeMessage(FRAME.cancel, cancel.subarray(FRAME_HEADER_BYTES)).ids, [id])
    far[0]?.send(encodeBlockHeader(id, 100))
    far[0]?.send(leaf.bytes)
    await settled(clock)
    assert.deepEqual([faults, source.window.inFlight], [[], 0])
  })

  it('a want that is cancelled before it went out is never sent', async () => {
    const { source, clock, asked } = scene()
    source.want(leaf.cid).cancel(new Error('not needed'))
    const kept = source.want(other.cid).block.catch(codeOf)
    await settled(clock)
    assert.equal(wantIds(asked[0]).length, 1)
    source.end('TRANSFER_STOPPED')
    assert.equal(await kept, 'TRANSFER_STOPPED')
  })

  it('what is asked in one turn goes out in one message', async () => {
    const { source, clock, asked } = scene()
    for (let seed = 0; seed < 20; seed += 1) source.want(blockOf(noise(10, seed)).cid)
    await settled(clock)
    assert.equal(asked.length, 1)
    assert.equal(wantIds(asked[0]).length, 20)
    source.end('TRANSFER_STOPPED')
  })
})
