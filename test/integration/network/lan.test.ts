/** Discovery on the local network (mDNS), with real sockets: multicast goes to the machine itself too. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { NetworkId } from '../../../src/chain/ids.ts'
import { cidOf } from '../../../src/common/dag-cbor.ts'
import { startNode, stopNodes, until } from './nodes.ts'

/** The multicast group of mDNS (RFC 6762). */
const GROUP = '224.0.0.251'
/** Milliseconds for a datagram to come back on this machine. */
const ECHO_MS = 1_000
/** Milliseconds for two nodes to find each other: the first question is asked at once, the next after 10 s. */
const FIND_MS = 15_000

/** Why multicast does not work here; undefined when it does. */
async function multicastFault(): Promise<string | undefined> {
  const socket = createSocket({ type: 'udp4', reuseAddr: true })
  try {
    socket.bind(0)
    await once(socket, 'listening')
    socket.addMembership(GROUP)
    socket.setMulticastLoopback(true)
    // Not further than this machine.
    socket.setMulticastTTL(0)
    const heard = once(socket, 'message', { signal: AbortSignal.timeout(ECHO_MS) })
    socket.send('echo', socket.address().port, GROUP)
    await heard
    return undefined
  } catch (error) {
    return `multicast does not come back on this machine: ${String(error)}`
  } finally {
    socket.close()
  }
}

describe('discovery on the local network', function () {
  this.timeout(4 * FIND_MS)
  before(async function () {
    const fault = await multicastFault()
    if (fault === undefined) return
    console.log(`      skipped: ${fault}`)
    this.skip()
  })
  afterEach(stopNodes)

  it('two nodes find each other; one of another network is not connected', async () => {
    const other = cidOf(new TextEncoder().encode('another network')) as NetworkId
    const stranger = await startNode({ seed: 33, network: other, lan: true })
    const a = await startNode({ seed: 31, lan: true })
    const b = await startNode({ seed: 32, lan: true })
    await until(
      () => a.connects.length > 0 && b.connects.length > 0,
      'they found each other',
      FIND_MS,
    )
    assert.deepEqual([...new Set(a.connects)], [b.network.host.device])
    assert.deepEqual([...new Set(b.connects)], [a.network.host.device])
    assert.deepEqual(stranger.connects, [])
    assert.equal(stranger.network.peers.connected().length, 0)
    a.chain.mine('told over the local network')
    await a.network.sync.runAll(AbortSignal.timeout(5_000))
  })

  it('who does not want it is not found', async () => {
    const a = await startNode({ seed: 34, lan: true })
    const quiet = await startNode({ seed: 35 })
    const b = await startNode({ seed: 36, lan: true })
    await until(() => a.connects.length > 0, 'the two found each other', FIND_MS)
    assert.deepEqual([...new Set(a.connects)], [b.network.host.device])
    assert.deepEqual(quiet.connects, [])
  })
})
