/**
 * Gives single pieces of content to the nodes of a pinning service: a second libp2p host, with a key of its own that
 * nobody knows, which speaks Bitswap with everybody and has nothing but what is being provided. The network's own
 * host lets nobody in who is no member, and has more than may be given away.
 *
 * owns: the host and the blocks in memory, both only while something is provided
 */
import { withBitswap } from '@helia/bitswap'
import type { Helia, HeliaMixin } from '@helia/interface'
import { identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { MemoryBlockstore } from 'blockstore-core'
import { createHeliaLight } from 'helia'
import type { Blockstore } from 'interface-blockstore'
import { importByteStream } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { createLibp2p } from 'libp2p'
import type { Clock } from '../common/clock.ts'
import { MIB } from '../common/limits.ts'
import type { Logger } from '../common/logger.ts'
import { parseAddress } from './address.ts'
import { lazyTls } from './lazy-tls.ts'
import { libp2pLogger } from './libp2p-logger.ts'
import { createMuxer } from './muxer.ts'

/** Connections: the service's nodes, some of them twice. */
const MAX_CONNECTIONS = 40
/** Bytes of a block: what every IPFS node takes. */
const BLOCK_BYTES: number = MIB
const DIAL_MS = 15_000
/** Milliseconds for a goodbye. */
const STOP_MS = 3000

export interface ContentProviderInit {
  /** Multiaddrs to listen on; none: it only connects to nodes that are named to it. */
  readonly listen: readonly string[]
  /** Multiaddrs to tell others instead of those. */
  readonly announce?: readonly string[]
}

export interface ContentProvider {
  /** Makes bytes available as a UnixFS file (CID version 1, raw leaves of 1 MiB) until `release`. */
  provide(
    bytes: Uint8Array,
    signal: AbortSignal,
  ): Promise<{
    readonly cid: string
    readonly origins: readonly string[]
    release(): Promise<void>
  }>
  /** Connects to the nodes that can be reached, of those that are named; what cannot be is left out. */
  connect(addresses: readonly string[], signal: AbortSignal): Promise<void>
}

interface Running {
  readonly libp2p: Libp2p
  readonly blocks: Blockstore
  stop(): Promise<void>
}

/** It runs from the first `provide` to the last `release`. */
export function createContentProvider(
  { logger, clock }: { readonly logger: Logger; readonly clock: Clock },
  init: ContentProviderInit,
): ContentProvider {
  let running: Promise<Running> | undefined
  let users = 0

  const release = async (): Promise<void> => {
    if (--users > 0) return
    const ending = running
    running = undefined
    await (await ending?.catch(() => undefined))?.stop()
  }

  return {
    provide: async (bytes, signal) => {
      signal.throwIfAborted()
      users++
      try {
        running ??= start(logger, clock, init)
        const { libp2p, blocks } = await running
        const { cid } = await importByteStream([bytes], blocks, {
          cidVersion: 1,
          rawLeaves: true,
          chunker: fixedSize({ chunkSize: BLOCK_BYTES }),
        })
        signal.throwIfAborted()
        const origins = libp2p.getMultiaddrs().map((address) => address.toString())
        let released = false
        return {
          cid: cid.toString(),
          origins,
          release: async () => {
            if (released) return
            released = true
            await release()
          },
        }
      } catch (error) {
        await release()
        throw error
      }
    },
    connect: async (addresses, signal) => {
      const { libp2p } = (await running) ?? {}
      if (libp2p === undefined) return
      const late = new AbortController()
      const cancel = clock.after(DIAL_MS, () => late.abort())
      const limit = AbortSignal.any([signal, late.signal])
      const dials = addresses.map(async (address) => {
        await libp2p.dial(parseAddress(address), { signal: limit })
      })
      const results = await Promise.allSettled(dials)
      cancel()
      signal.throwIfAborted()
      const failed = results.filter(({ status }) => status === 'rejected').length
      if (failed > 0) logger.debug('nodes of a pinning service cannot be reached', { failed })
    },
  }
}

async function start(logger: Logger, clock: Clock, init: ContentProviderInit): Promise<Running> {
  const blocks = new MemoryBlockstore()
  const libp2p = await createLibp2p({
    start: false,
    addresses: {
      listen: init.listen.map((address) => parseAddress(address).toString()),
      announce: (init.announce ?? []).map((address) => parseAddress(address).toString()),
    },
    transports: [tcp({ maxConnections: MAX_CONNECTIONS })],
    connectionEncrypters: [lazyTls(), noise()],
    streamMuxers: [createMuxer()],
    connectionManager: { maxConnections: MAX_CONNECTIONS, reconnectRetries: 0 },
    logger: libp2pLogger(logger),
    services: { identify: identify(), ping: ping() },
  })
  const helia = createHeliaLight({ blockstore: blocks, logger: libp2pLogger(logger) })
  let bitswap: HeliaMixin | undefined
  // What `withBitswap` needs of a Helia. It serves what is in memory and asks nobody for anything.
  const door = {
    status: 'starting',
    libp2p,
    blockstore: blocks,
    routing: helia.routing,
    logger: helia.logger,
    getHasher: helia.getHasher,
    addMixin: (mixin: HeliaMixin) => {
      bitswap = mixin
    },
    hasBlockBroker: () => false,
    addBlockBroker: () => {},
  }
  withBitswap(door as unknown as Parameters<typeof withBitswap>[0], {
    maxInboundStreams: 8,
    maxOutboundStreams: 8,
  })
  await helia.start()
  await bitswap?.start?.(door as unknown as Helia)
  await libp2p.start()
  return {
    libp2p,
    blocks,
    stop: async () => {
      const late = Promise.withResolvers<void>()
      const cancel = clock.after(STOP_MS, late.resolve)
      await Promise.race([Promise.all([helia.stop(), libp2p.stop()]), late.promise])
      cancel()
      await bitswap?.stop?.(door as unknown as Helia)
    },
  }
}
