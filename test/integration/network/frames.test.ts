import assert from 'node:assert/strict'
import type { Connection, Stream } from '@libp2p/interface'
import { systemClock } from '../../../src/common/clock.ts'
import { KIB, MIB } from '../../../src/common/limits.ts'
import { createFrames, type Frames } from '../../../src/network/frames.ts'
import { startNode, stopNodes, type TestNode, until } from './nodes.ts'

const PROTOCOL = '/frames-test/1'

describe('frames', () => {
  afterEach(stopNodes)

  const never = new AbortController().signal
  const over = (stream: Stream, maxFrameBytes: number, signal = never): Frames =>
    createFrames(stream, { clock: systemClock, maxFrameBytes, signal })

  async function connected(): Promise<{ a: TestNode; connection: Connection }> {
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2, bootstrap: [a.address()] })
    await until(() => b.network.host.libp2p.getConnections().length > 0, 'b is connected')
    const [connection] = b.network.host.libp2p.getConnections()
    assert.ok(connection !== undefined)
    return { a, connection }
  }
  const handle = (node: TestNode, run: (stream: Stream) => Promise<void>): Promise<void> =>
    node.network.host.libp2p.handle(PROTOCOL, (stream) => void run(stream).catch(() => {}))

  it('hold a sender back while the reader does not read, and lose nothing', async () => {
    const { a, connection } = await connected()
    let written = 0
    await handle(a, async (stream) => {
      const frames = over(stream, MIB)
      await frames.read(1000)
      for (let index = 0; index < 128; index += 1) {
        await frames.write(new Uint8Array(256 * KIB).fill(index), 10_000)
        written += 1
      }
      await frames.close()
    })
    const frames = over(await connection.newStream(PROTOCOL), MIB)
    await frames.write(Uint8Array.of(1), 1000)
    await assert.rejects(until(() => written > 40, 'too much is written', 1500))
    assert.ok(written > 0)
    for (let index = 0; index < 128; index += 1) {
      const frame = await frames.read(5000)
      assert.equal(frame?.length, 256 * KIB)
      assert.equal(frame?.[1000], index)
    }
    assert.equal(await frames.read(5000), undefined)
  })

  it('break off a frame that is too large, before its bytes are here', async () => {
    const { a, connection } = await connected()
    await handle(a, async (stream) => {
      await over(stream, MIB).read(1000)
      stream.send(Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 1))
    })
    const frames = over(await connection.newStream(PROTOCOL), MIB)
    await frames.write(Uint8Array.of(1), 1000)
    await assert.rejects(frames.read(5000), { failure: 'too-large' })
  })

  it('tell an end between two frames from one within', async () => {
    const { a, connection } = await connected()
    await handle(a, async (stream) => {
      await over(stream, MIB).read(1000)
      stream.send(Uint8Array.of(0, 0, 0, 2, 7, 7, 0, 0, 0, 9, 1))
      await stream.close()
    })
    const frames = over(await connection.newStream(PROTOCOL), MIB)
    await frames.write(Uint8Array.of(1), 1000)
    assert.deepEqual(await frames.read(5000), Uint8Array.of(7, 7))
    await assert.rejects(frames.read(5000), { failure: 'ended' })
  })

  it('end a wait by time without a byte, and by a signal', async () => {
    const { a, connection } = await connected()
    await handle(a, async () => {})
    const silent = over(await connection.newStream(PROTOCOL), MIB)
    await assert.rejects(silent.read(50), { failure: 'timeout' })
    const controller = new AbortController()
    const stopped = over(await connection.newStream(PROTOCOL), MIB, controller.signal)
    const read = stopped.read(5000)
    controller.abort()
    await assert.rejects(read, { failure: 'aborted' })
  })
})
