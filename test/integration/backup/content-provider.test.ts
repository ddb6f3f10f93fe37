import assert from 'node:assert/strict'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { MemoryBlockstore } from 'blockstore-core'
import { createHeliaLight } from 'helia'
import { exporter } from 'ipfs-unixfs-exporter'
import { CID } from 'multiformats'
import { systemClock } from '../../../src/common/clock.ts'
import { createLogger } from '../../../src/common/logger.ts'
import { createContentProvider } from '../../../src/network/content-provider.ts'
import { createPinningServiceDestination } from '../../../src/services/backup/destinations/pinning-service.ts'
import { startPinning } from '../../helpers/backup/pinning.ts'

const signal = AbortSignal.timeout(20_000)
const logger = createLogger('silent', () => {}, Date.now)

/** A node of a pinning service: fetches over Bitswap whatever it is told. */
async function startFetcher() {
  const helia = withBitswap(
    withLibp2pLight(createHeliaLight({ blockstore: new MemoryBlockstore() }), {
      addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      services: { identify: identify(), ping: ping() },
    }),
  )
  await helia.start()
  return {
    addresses: helia.libp2p.getMultiaddrs().map(String),
    fetch: async (cid: string, origins: readonly string[]): Promise<Uint8Array> => {
      for (const origin of origins) await helia.libp2p.dial(multiaddr(origin), { signal })
      const entry = await exporter(CID.parse(cid), helia.blockstore, { signal })
      assert.ok(entry.type === 'file' || entry.type === 'raw')
      const parts: Uint8Array[] = []
      for await (const part of entry.content({ signal })) parts.push(part)
      return new Uint8Array(Buffer.concat(parts))
    },
    stop: async () => {
      await helia.stop()
    },
  }
}

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
