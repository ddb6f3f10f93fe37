/** A node of IPFS as a pinning service runs it. */
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

const limit = (): AbortSignal => AbortSignal.timeout(20_000)

/** A node of a pinning service: fetches over Bitswap whatever it is told. */
export async function startFetcher() {
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
      for (const origin of origins) await helia.libp2p.dial(multiaddr(origin), { signal: limit() })
      const entry = await exporter(CID.parse(cid), helia.blockstore, { signal: limit() })
      assert.ok(entry.type === 'file' || entry.type === 'raw')
      const parts: Uint8Array[] = []
      for await (const part of entry.content({ signal: limit() })) parts.push(part)
      return new Uint8Array(Buffer.concat(parts))
    },
    stop: async () => {
      await helia.stop()
    },
  }
}
