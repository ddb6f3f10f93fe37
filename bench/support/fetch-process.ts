/** One side of bench/fetch.ts: `serve` imports a file and answers, `fetch` brings it here in one way. */
import { randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { withBitswap } from '@helia/bitswap'
import { withLibp2pLight } from '@helia/libp2p'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { FsBlockstore } from 'blockstore-fs'
import { createHeliaLight } from 'helia'
import type { Blockstore } from 'interface-blockstore'
import { exporter } from 'ipfs-unixfs-exporter'
import { importer } from 'ipfs-unixfs-importer'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { CID } from 'multiformats/cid'
import { systemClock } from '../../src/common/clock.ts'
import { silentLogger } from '../../src/common/logger.ts'
import { createTransfer } from '../../src/network/transfer/transfer.ts'
import { createContentBlockstore } from '../../src/storage/blockstore.ts'

const MIB = 2 ** 20
const RAW_PROTOCOL = '/bench/raw/1.0.0'
const SLICE = 256 * 1024

const [role, text] = process.argv.slice(2)
const argument = JSON.parse(text ?? '{}') as {
  dir: string
  mib: number
  way: string
  address: string
  root: string
}
const bytes = argument.mib * MIB
// `helia`: Helia as it comes, over blockstore-fs, with its own settings. All other ways share the node's store and
// the node's settings, and differ in the protocol alone.
const asItComes = argument.way === 'helia'
if (!asItComes) setFlagsFromString('--external-memory-accounted-in-global-limit')
const ownStore = createContentBlockstore(
  { logger: silentLogger, now: () => Date.now() },
  { dir: argument.dir },
)
const heliaStore = new FsBlockstore(argument.dir)
if (asItComes) await heliaStore.open()
else await ownStore.start()
const blockstore: Blockstore = asItComes ? heliaStore : ownStore
const helia = withBitswap(
  withLibp2pLight(createHeliaLight({ blockstore, routers: [] }), {
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [tls(), noise()],
    streamMuxers: [yamux()],
    ...(asItComes ? {} : { connectionMonitor: { pingTimeout: { minTimeout: 20_000 } } }),
    services: { identify: identify(), ping: ping() },
  }),
  asItComes ? {} : { messageSendTimeout: 60_000 },
)
await helia.start()
const transfer = createTransfer(
  { libp2p: helia.libp2p, blockstore: ownStore, clock: systemClock, logger: silentLogger },
  {},
)
await transfer.start()

if (role === 'serve') {
  await helia.libp2p.handle(RAW_PROTOCOL, (stream) => {
    const slice = new Uint8Array(SLICE)
    let left = bytes
    const send = (): void => {
      while (left > 0) {
        left -= SLICE
        if (!stream.send(slice)) return
      }
      void stream.close()
    }
    stream.addEventListener('drain', send)
    send()
  })
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let count = 0; count < argument.mib; count += 1) yield randomBytes(MIB)
  }
  let root: CID | undefined
  for await (const entry of importer([{ content: source() }], blockstore, {
    rawLeaves: true,
    cidVersion: 1,
    chunker: fixedSize({ chunkSize: MIB }),
  })) {
    root = entry.cid
  }
  const address = String(helia.libp2p.getMultiaddrs()[0])
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ cpuSeconds: (user + system) / 1e6, sent: transfer.stats().sent })
  })
  process.send?.({ address, root: String(root) })
} else {
  await helia.libp2p.dial(multiaddr(argument.address))
  const root = CID.parse(argument.root)
  const signal = AbortSignal.timeout(600_000)
  let firstByteMs: number | undefined
  const cpu = process.cpuUsage()
  const began = performance.now()
  const seen = (): void => {
    firstByteMs ??= Math.round(performance.now() - began)
  }
  if (argument.way === 'raw') await raw(seen)
  else if (argument.way === 'cairn-killed') {
    await transfer.fetchDag(root, { signal, onProgress: ({ bytes }) => process.send?.({ bytes }) })
  } else if (argument.way === 'cairn') {
    await transfer.fetchDag(root, {
      signal,
      // The first report is of the root, the second of the first leaf.
      onProgress: (() => {
        let reports = 0
        return () => {
          reports += 1
          if (reports === 2) seen()
        }
      })(),
    })
  } else {
    const session = argument.way === 'bitswap-session'
    const from = session
      ? helia.blockstore.createSession(root, { providers: [multiaddr(argument.address)], signal })
      : helia.blockstore
    const entry = await exporter(root, from, { signal })
    if (entry.type !== 'file') throw new Error('not a file')
    const options = session ? { blockReadConcurrency: 32, signal } : { signal }
    for await (const _ of entry.content(options)) seen()
    if (!asItComes) await ownStore.flush()
  }
  const seconds = (performance.now() - began) / 1000
  const used = process.cpuUsage(cpu)
  process.send?.({
    way: argument.way,
    mib: argument.mib,
    seconds: Math.round(seconds * 1000) / 1000,
    mibPerSecond: Math.round(argument.mib / seconds),
    firstByteMs,
    clientRss: process.resourceUsage().maxRSS * 1024,
    cpuSeconds: Math.round((used.user + used.system) / 10_000) / 100,
  })
  process.disconnect()
  process.exit(0)
}

async function raw(seen: () => void): Promise<void> {
  const [connection] = helia.libp2p.getConnections()
  if (connection === undefined) throw new Error('not connected')
  const stream = await connection.newStream(RAW_PROTOCOL)
  let left = bytes
  await new Promise<void>((resolve, reject) => {
    stream.addEventListener('message', ({ data }) => {
      seen()
      left -= data.byteLength
      if (left <= 0) resolve()
    })
    stream.addEventListener('close', () => (left <= 0 ? resolve() : reject(new Error('closed'))))
  })
}
