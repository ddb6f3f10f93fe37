import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { codeOf } from '../../../src/common/errors.ts'
import { readLines } from '../../../src/interfaces/client/lines.ts'
import { bodyOf, sendAll } from '../../../src/interfaces/http/streams.ts'

/** A response that nobody reads until `drain`. */
class Slow extends EventEmitter {
  written = 0
  destroyed = false
  write(): boolean {
    this.written += 1
    return false
  }
  destroy(): void {
    this.destroyed = true
    this.emit('close')
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('streams', () => {
  async function* endless(state: { taken: number; ended: boolean }) {
    try {
      for (;;) {
        state.taken += 1
        yield new Uint8Array(1)
      }
    } finally {
      state.ended = true
    }
  }

  it('no more is read than the other side takes', async () => {
    const state = { taken: 0, ended: false }
    const slow = new Slow()
    const client = new AbortController()
    const sent = sendAll(slow as unknown as ServerResponse, endless(state), client.signal)
    for (let i = 0; i < 20; i += 1) await turn()
    assert.deepEqual([state.taken, slow.written], [1, 1])
    slow.emit('drain')
    for (let i = 0; i < 20; i += 1) await turn()
    assert.deepEqual([state.taken, slow.written], [2, 2])
    client.abort()
    await sent
    assert.ok(state.ended)
    assert.equal(slow.listenerCount('drain') + slow.listenerCount('close'), 0)
  })
  it('a body that drips is cut off, one that a slow reader holds up is not', async () => {
    const stallMs = 100
    const taken: Promise<unknown>[] = []
    const server = createServer((incoming, response) => {
      const slowly = incoming.url === '/slow-reader'
      const read = async (): Promise<number> => {
        let total = 0
        for await (const chunk of bodyOf(incoming, { stallMs, leastBytes: 10 })) {
          total += chunk.length
          if (slowly) await new Promise((resolve) => setTimeout(resolve, stallMs / 2))
        }
        return total
      }
      taken.push(read().catch((error: unknown) => error))
      response.on('error', () => {})
      taken.at(-1)?.then(() => response.end())
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const drip = async function* (bytes: number) {
      for (let sent = 0; sent < bytes; sent += 1) {
        yield new Uint8Array(1)
        await new Promise((resolve) => setTimeout(resolve, stallMs / 5))
      }
    }
    const send = (path: string, body: AsyncIterable<Uint8Array>): Promise<unknown> =>
      new Promise((resolve) => {
        const outgoing = request({ port, path, method: 'POST' }, (answer) => {
          answer.resume().on('end', resolve)
        })
        outgoing.on('error', resolve)
        pipeline(Readable.from(body), outgoing).catch(() => {})
      })
    try {
      await send('/drip', drip(200))
      assert.equal(codeOf(await taken[0]), 'BODY_STALLED')
      const parts = async function* () {
        for (let part = 0; part < 8; part += 1) yield new Uint8Array(65_536)
      }
      await send('/slow-reader', parts())
      assert.equal(await taken[1], 8 * 65_536)
    } finally {
      server.close()
      server.closeAllConnections()
    }
  })
  it('lines, however they are cut, and none without an end', async () => {
    const read = async (parts: readonly string[]): Promise<string[]> => {
      const lines: string[] = []
      const bytes = async function* () {
        for (const part of parts) yield Buffer.from(part, 'latin1')
      }
      for await (const line of readLines(bytes())) lines.push(line)
      return lines
    }
    const text = Buffer.from('{"a":"ü"}\n{}\n\nlast').toString('latin1')
    assert.deepEqual(await read([...text]), ['{"a":"ü"}', '{}', 'last'])
    await assert.rejects(read(Array.from({ length: 40 }, () => 'x'.repeat(50_000))), RangeError)
  })
})
