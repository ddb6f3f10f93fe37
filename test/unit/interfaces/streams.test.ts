import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import type { ServerResponse } from 'node:http'
import { readLines } from '../../../src/interfaces/client/lines.ts'
import { sendAll } from '../../../src/interfaces/http/streams.ts'

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
