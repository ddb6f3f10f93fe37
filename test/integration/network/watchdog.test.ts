import assert from 'node:assert/strict'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { topicsOf } from '../../../src/network/topics.ts'
import { createWatchdog } from '../../../src/network/watchdog.ts'
import { NETWORK } from '../../unit/network/fake-chain.ts'
import { startNode, stopNodes, until } from './nodes.ts'

describe('watchdog', () => {
  afterEach(stopNodes)

  it('makes a connection anew on which gossip has died, and leaves a healthy one', async () => {
    const a = await startNode({ seed: 1 })
    const b = await startNode({ seed: 2, bootstrap: [a.address()] })
    const { libp2p } = b.network.host
    const topic = topicsOf(NETWORK).records
    const { pubsub } = libp2p.services
    await until(() => pubsub.getSubscribers(topic).length === 1, 'gossip works')
    const watchdog = createWatchdog(
      { libp2p, clock: systemClock, logger: silentLogger },
      { network: NETWORK, graceMs: 100 },
    )
    await watchdog.start()
    try {
      const [healthy] = libp2p.getConnections()
      await new Promise((resolve) => setTimeout(resolve, 400))
      assert.equal(libp2p.getConnections()[0]?.id, healthy?.id)
      // What a frame that is too large does: the stream breaks, and nobody opens another one.
      const stream = healthy?.streams.find(
        ({ protocol, direction }) => pubsub.protocols.includes(protocol) && direction === 'inbound',
      )
      assert.ok(stream !== undefined)
      stream.abort(new Error('too large'))
      await until(() => b.connects.length === 2, 'the connection is made anew')
      const { pubsub: other } = a.network.host.libp2p.services
      const both = (): boolean =>
        [pubsub, other].every((one) => one.getSubscribers(topic).length === 1)
      await until(both, 'gossip works again')
      await a.network.gossip.publishRecord(new Uint8Array(300).fill(1))
      await until(() => b.records.length === 1, 'a message comes through')
    } finally {
      await watchdog.stop()
    }
  })
})
