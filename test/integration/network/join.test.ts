import assert from 'node:assert/strict'
import { encodeParams, type NetworkParams, networkIdOf } from '../../../src/chain/params.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { findNetwork } from '../../../src/network/join.ts'
import { createFakeChain, NETWORK } from '../../unit/network/fake-chain.ts'
import { startNode, stopNodes } from './nodes.ts'

const base: NetworkParams = {
  version: 1,
  founder: new Uint8Array(32).fill(1),
  salt: new Uint8Array(16).fill(2),
  time: 5,
  difficultyFloor: 1,
  admission: 'open',
}

describe('joining', () => {
  afterEach(stopNodes)
  const components = {
    keySeed: new Uint8Array(32).fill(9),
    clock: systemClock,
    logger: silentLogger,
  }

  it('learns the parameters of a network from an address', async () => {
    const chain = createFakeChain()
    const a = await startNode({ seed: 1, chain })
    chain.params = encodeParams(base)
    const bootstrap = ['/ip4/127.0.0.1/tcp/1', a.address().split('/p2p/')[0] ?? '']
    const found = await findNetwork(components, { bootstrap }, AbortSignal.timeout(5000))
    assert.deepEqual(encodeParams(found), encodeParams(base))
    const network = networkIdOf(base)
    const again = await findNetwork(components, { bootstrap, network }, AbortSignal.timeout(5000))
    assert.equal(networkIdOf(again), network)
  })

  it('takes no other network than the one that is looked for, and stops when told', async () => {
    const chain = createFakeChain()
    const a = await startNode({ seed: 1, chain })
    chain.params = encodeParams(base)
    const bootstrap = [a.address()]
    const search = findNetwork(
      components,
      { bootstrap, network: NETWORK },
      AbortSignal.timeout(300),
    )
    await assert.rejects(search, { name: 'TimeoutError' })
  })

  it('PEER_ADDRESS for what is no address', async () => {
    const search = findNetwork(components, { bootstrap: ['home'] }, AbortSignal.timeout(300))
    await assert.rejects(search, { code: 'PEER_ADDRESS' })
  })
})
