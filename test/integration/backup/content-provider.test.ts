import assert from 'node:assert/strict'
import { systemClock } from '../../../src/common/clock.ts'
import { createLogger } from '../../../src/common/logger.ts'
import { createContentProvider } from '../../../src/network/content-provider.ts'
import { createPinningServiceDestination } from '../../../src/services/backup/destinations/pinning-service.ts'
import { startFetcher } from '../../helpers/backup/ipfs-node.ts'
import { startPinning } from '../../helpers/backup/pinning.ts'

// Not a timer: it would run from the load of this file on. Each test has its own limit.
const { signal } = new AbortController()
const logger = createLogger('silent', () => {}, Date.now)

describe('content for a pinning service', function () {
  this.timeout(30_000)

  for (const [how, listen] of [
    ['that comes for it', ['/ip4/127.0.0.1/tcp/0']],
    ['whose nodes are connected to, from where nobody can connect to', []],
  ] as const) {
    it(`is fetched over Bitswap by a service ${how}`, async () => {
      const fetcher = await startFetcher()
      const server = await startPinning({
        token: 'token',
        delegates: fetcher.addresses,
        fetchFrom: (cid, origins) => fetcher.fetch(cid, origins),
      })
      const content = createContentProvider({ logger, clock: systemClock }, { listen })
      const url = new URL(server.origin)
      const at = createPinningServiceDestination(
        { clock: systemClock, content },
        { name: 'pinning test', endpoint: url, token: 'token', gateway: url },
      )
      // More than one block, so that there is a tree.
      const bytes = Uint8Array.from({ length: 2_500_000 }, (_, n) => (n * 31 + (n >> 9)) & 0xff)
      await at.put('net/one', bytes, { signal })
      assert.equal(Buffer.compare(await at.get('net/one', signal), bytes), 0)
      await at.close()
      await server.stop()
      await fetcher.stop()
    })
  }
})
