import assert from 'node:assert/strict'
import fc from 'fast-check'
import { toHex } from '../../../src/common/bytes.ts'
import { createFrameReader, type FrameSink } from '../../../src/network/transfer/frame-reader.ts'
import {
  decodeMessage,
  encodeBlockHeader,
  encodeMessage,
  FRAME,
  FRAME_HEADER_BYTES,
  MAX_BLOCK_PAYLOAD_BYTES,
  MAX_CONTROL_BYTES,
  MAX_WANTS_PER_MESSAGE,
} from '../../../src/network/transfer/messages.ts'

const ALL = Object.values(FRAME)

/** What a reader made of some bytes, as text. */
function read(chunks: readonly Uint8Array[], accepts: readonly number[] = ALL): string[] {
  const seen: string[] = []
  const sink: FrameSink = {
    control: (kind, payload) => void seen.push(`${kind}:${toHex(payload)}`),
    blockBegins: (_, length) => new Uint8Array(length),
    blockGrows: () => {},
    blockEnds: (id, block) => void seen.push(`block ${id}:${toHex(block)}`),
    tooLarge: (bytes, most) => {
      throw new Error(`too large ${bytes}/${most}`)
    },
    invalid: (why) => {
      throw new Error(why)
    },
  }
  const reader = createFrameReader(accepts, sink)
  for (const chunk of chunks) reader.push(chunk)
  return seen
}

const digest = new Uint8Array(32).fill(7)

describe('transfer: messages and frames', () => {
  it('the bytes of each message are as documented', () => {
    const frames = [
      encodeMessage(FRAME.want, { wants: [{ id: 1, codec: 0x55, digest }] }),
      encodeMessage(FRAME.cancel, { ids: [1] }),
      encodeMessage(FRAME.have, { id: 2, roots: [{ codec: 0x70, digest }] }),
      encodeMessage(FRAME.none, { ids: [1], why: 'missing' }),
      encodeMessage(FRAME.holds, { id: 2, held: ['complete'] }),
      encodeBlockHeader(1, 3),
    ].map(toHex)
    const sevens = '07'.repeat(32)
    assert.deepEqual(frames, [
      `010000002ea16577616e747381830118555820${sevens}`,
      '0200000007a1636964738101',
      `0300000031a26269640265726f6f7473818218705820${sevens}`,
      '1100000013a263696473810163776879676d697373696e67',
      '1200000014a2626964026468656c648168636f6d706c657465',
      '100000000700000001',
    ])
  })

  it('what is encoded is what is read', () => {
    const id = fc.integer({ min: 0, max: 0xffff_ffff })
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const wants = fc.array(
      fc.record(
        { id, codec: fc.integer({ min: 0, max: 0xffff }), digest: hash },
        { noNullPrototype: true },
      ),
      {
        minLength: 1,
        maxLength: 20,
      },
    )
    fc.assert(
      fc.property(wants, (list) => {
        const frame = encodeMessage(FRAME.want, { wants: list })
        const message = decodeMessage(FRAME.want, frame.subarray(FRAME_HEADER_BYTES))
        assert.deepEqual(
          message.wants.map((want) => ({ ...want })),
          list,
        )
      }),
    )
  })

  it('the longest messages fit', () => {
    const wants = Array.from({ length: MAX_WANTS_PER_MESSAGE }, (_, index) => ({
      id: 0xffff_ffff - index,
      codec: 0xffff,
      digest,
    }))
    assert.ok(encodeMessage(FRAME.want, { wants }).length <= MAX_CONTROL_BYTES)
    const ids = Array.from({ length: 1024 }, (_, index) => 0xffff_ffff - index)
    assert.ok(encodeMessage(FRAME.none, { ids, why: 'cancelled' }).length <= MAX_CONTROL_BYTES)
  })

  it('frames are the same however the bytes are cut', () => {
    const whole = Buffer.concat([
      encodeMessage(FRAME.none, { ids: [9], why: 'missing' }),
      encodeBlockHeader(7, 5),
      Uint8Array.of(1, 2, 3, 4, 5),
      encodeBlockHeader(8, 0),
      encodeMessage(FRAME.cancel, { ids: [3] }),
    ])
    const wanted = read([whole])
    assert.equal(wanted.length, 4)
    fc.assert(
      fc.property(fc.array(fc.nat(whole.length)), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), whole.length]
        const pieces = places.slice(1).map((end, index) => whole.subarray(places[index], end))
        assert.deepEqual(read(pieces), wanted)
      }),
    )
  })

  it('a length above the limit is refused before anything is allocated for it', () => {
    const head = (kind: number, length: number): Uint8Array => {
      const bytes = new Uint8Array(9)
      bytes[0] = kind
      new DataView(bytes.buffer).setUint32(1, length)
      return bytes
    }
    assert.throws(() => read([head(FRAME.want, MAX_CONTROL_BYTES + 1)]), /too large/)
    assert.throws(() => read([head(FRAME.block, MAX_BLOCK_PAYLOAD_BYTES + 1)]), /too large/)
    assert.throws(() => read([head(FRAME.block, 3)]), /without an id/)
    assert.throws(() => read([head(99, 0)]), /kind/)
    assert.throws(() => read([head(FRAME.block, 4)], [FRAME.want]), /kind/)
  })
})
