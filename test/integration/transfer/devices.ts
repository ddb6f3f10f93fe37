/** Real devices on loopback: a host, a content store on the disk, the transfer. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { multiaddr } from '@multiformats/multiaddr'
import { CID } from 'multiformats/cid'
import type { NetworkId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createHost, type Host } from '../../../src/network/host.ts'
import {
  createTransfer,
  type Transfer,
  type TransferInit,
} from '../../../src/network/transfer/transfer.ts'
import { importContent } from '../../../src/services/files/import.ts'
import { type ContentBlockstore, createContentBlockstore } from '../../../src/storage/blockstore.ts'
import { noise } from '../../unit/transfer/content.ts'

const NETWORK = 'bafyreigdmqpykrgxyaxtlafqpqhzrb7qy2rh75nldvfd4tucqmqqme5yje' as NetworkId

export interface Device {
  readonly host: Host
  readonly store: ContentBlockstore
  readonly transfer: Transfer
  /** Connects to an address with `/p2p/<device>`. */
  dial(address: string): Promise<void>
  stop(): Promise<void>
}

export async function startDevice(
  dir: string,
  init: TransferInit & { pingTimeoutMs?: number } = {},
): Promise<Device> {
  const store = createContentBlockstore({ logger: silentLogger, now: Date.now }, { dir })
  await store.start()
  const host = await createHost(
    { keySeed: randomBytes(32), decisions: { admit: () => true }, logger: silentLogger },
    {
      network: NETWORK,
      listen: ['/ip4/127.0.0.1/tcp/0'],
      ...(init.pingTimeoutMs === undefined ? {} : { pingTimeoutMs: init.pingTimeoutMs }),
    },
  )
  const transfer = createTransfer(
    {
      libp2p: host.libp2p,
      blockstore: store,
      clock: systemClock,
      logger: silentLogger,
      isComplete: () => true,
    },
    init,
  )
  await transfer.start()
  await host.start()
  return {
    host,
    store,
    transfer,
    dial: async (address) => void (await host.libp2p.dial(multiaddr(address))),
    stop: async () => {
      await transfer.stop()
      await host.stop()
      await store.stop()
    },
  }
}

/** Stores `bytes` bytes that depend on `seed` alone, in leaves of `leafBytes`; the root. */
export async function addContent(
  store: ContentBlockstore,
  bytes: number,
  leafBytes: number,
  seed: number,
): Promise<CID> {
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes; at += leafBytes) yield noise(leafBytes, seed + at)
  }
  const signal = AbortSignal.timeout(20_000)
  const { root } = await importContent(store, source(), { signal, leafBytes })
  await store.flush()
  return CID.parse(root)
}

/** Bytes of all blocks of a store. */
export async function storedBytes(store: ContentBlockstore): Promise<number> {
  let sum = 0
  for await (const { bytes } of store.getAll()) for await (const part of bytes) sum += part.length
  return sum
}

/** Call in a `describe`: directories and devices that end with each test. */
export function withDevices(): {
  directory(): Promise<string>
  start(init?: Parameters<typeof startDevice>[1]): Promise<Device>
} {
  const directories: string[] = []
  const running: Device[] = []
  const directory = async (): Promise<string> => {
    const path = await mkdtemp(join(tmpdir(), 'cairn-transfer-'))
    directories.push(path)
    return path
  }
  afterEach(async () => {
    await Promise.all(running.splice(0).map((device) => device.stop()))
    for (const path of directories.splice(0)) await rm(path, { recursive: true, force: true })
  })
  return {
    directory,
    start: async (init) => {
      const device = await startDevice(await directory(), init)
      running.push(device)
      return device
    },
  }
}
