import assert from 'node:assert/strict'
import { multiaddrConnectionPair } from '@libp2p/utils'
import { createMuxer } from '../../../src/network/muxer.ts'

describe('network: muxer', () => {
  it('a stream that is opened while the connection closes ends; nothing is thrown where nobody catches it', async () => {
    const [ours] = multiaddrConnectionPair()
    const muxer = createMuxer()().createStreamMuxer(ours)
    const uncaught: unknown[] = []
    const others = process.listeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    process.on('uncaughtException', (error) => uncaught.push(error))
    try {
      const closing = ours.close()
      const stream = await muxer.createStream()
      const ended = new Promise((resolve) => stream.addEventListener('close', resolve))
      await closing
      ours.abort(new Error('gone'))
      await ended
      await new Promise(setImmediate)
      assert.deepEqual(uncaught, [])
      assert.notEqual(stream.status, 'open')
    } finally {
      process.removeAllListeners('uncaughtException')
      for (const listener of others) process.on('uncaughtException', listener)
    }
  })
})
