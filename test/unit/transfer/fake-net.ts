/** Devices of one process whose streams are queues: delivery, backpressure and breaks as a test wants them. */
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { TransferStream } from '../../../src/network/transfer/channel.ts'
import type { TransferHost } from '../../../src/network/transfer/transfer.ts'

type Listener = (event: { data: Uint8Array }) => void

/** Bytes that a fake stream takes before its writer has to wait. */
const HIGH_WATER = 256 * 1024

export class FakeStream implements TransferStream {
  status = 'open'
  writableNeedsDrain = false
  /** All bytes that were given to `send`. */
  sent = 0
  readonly protocol = ''
  other: FakeStream | undefined
  /** While set, nothing that is sent arrives. */
  held = false
  closeError: Error | undefined
  readonly #queue: Uint8Array[] = []
  readonly #listeners = new Map<string, Set<Listener>>()
  #closing = false
  #pumping = false

  static pair(): [FakeStream, FakeStream] {
    const [a, b] = [new FakeStream(), new FakeStream()]
    a.other = b
    b.other = a
    return [a, b]
  }

  get queued(): number {
    return this.#queue.reduce((sum, { length }) => sum + length, 0)
  }

  send(data: Uint8Array): boolean {
    if (this.status !== 'open' || this.#closing) throw new Error('the stream is closed')
    this.sent += data.length
    this.#queue.push(data.slice())
    this.#pump()
    this.writableNeedsDrain = this.queued >= HIGH_WATER
    return !this.writableNeedsDrain
  }

  release(): void {
    this.held = false
    this.#pump()
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#pump()
  }

  abort(error: Error): void {
    for (const side of [this, this.other]) {
      if (side === undefined || side.status !== 'open') continue
      side.status = 'aborted'
      side.closeError = error
      side.#queue.length = 0
      side.emit('close', new Uint8Array(0))
    }
  }

  addEventListener(type: string, listener: unknown): void {
    const set = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, set)
    set.add(listener as Listener)
  }

  removeEventListener(type: string, listener: unknown): void {
    this.#listeners.get(type)?.delete(listener as Listener)
  }

  emit(type: string, data: Uint8Array): void {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) listener({ data })
  }

  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    setImmediate(() => {
      this.#pumping = false
      while (!this.held && this.status === 'open') {
        const data = this.#queue.shift()
        if (data === undefined) break
        this.other?.emit('message', data)
      }
      if (this.writableNeedsDrain && this.queued < HIGH_WATER) {
        this.writableNeedsDrain = false
        this.emit('drain', new Uint8Array(0))
      }
      if (this.#closing && this.queued === 0 && this.status === 'open') {
        this.other?.emit('remoteCloseWrite', new Uint8Array(0))
      }
    })
  }
}

type Handler = (stream: Stream, connection: Connection) => void
type Topology = { onConnect(peer: PeerId): void; onDisconnect(peer: PeerId): void }

export interface FakeHost extends TransferHost {
  /** Streams that were opened to others, oldest first. */
  readonly opened: FakeStream[]
}

export interface FakeNet {
  host(name: string): FakeHost
  connect(a: string, b: string): void
  /** Ends all streams between two devices, and their connection. */
  disconnect(a: string, b: string): void
}

interface Node {
  handler: Handler | undefined
  topology: Topology | undefined
  readonly opened: { stream: FakeStream; to: string }[]
  readonly links: Set<string>
}

export function createFakeNet(): FakeNet {
  const nodes = new Map<string, Node>()
  const node = (name: string): Node => {
    const known = nodes.get(name)
    if (known !== undefined) return known
    const fresh = { handler: undefined, topology: undefined, opened: [], links: new Set<string>() }
    nodes.set(name, fresh)
    return fresh
  }
  const peerId = (name: string): PeerId => ({ toString: () => name }) as unknown as PeerId
  const connection = (from: string, to: string): Connection =>
    ({
      status: 'open',
      limits: undefined,
      remotePeer: peerId(to),
      newStream: async () => {
        const [near, far] = FakeStream.pair()
        node(from).opened.push({ stream: near, to })
        const handler = node(to).handler
        if (handler === undefined || !node(from).links.has(to)) throw new Error('not spoken')
        handler(far as unknown as Stream, connection(to, from))
        return near as unknown as Stream
      },
    }) as unknown as Connection
  return {
    host: (name) => ({
      get opened() {
        return node(name).opened.map(({ stream }) => stream)
      },
      handle: async (_protocol, handler) => {
        node(name).handler = handler
      },
      unhandle: async () => {
        node(name).handler = undefined
      },
      register: async (_protocol, topology) => {
        node(name).topology = topology
        return 'registered'
      },
      unregister: () => {
        node(name).topology = undefined
      },
      getConnections: (peer) =>
        [...node(name).links]
          .filter((link) => peer === undefined || link === peer.toString())
          .map((link) => connection(name, link)),
      peerStore: { get: async () => ({ protocols: [] }) },
    }),
    connect: (a, b) => {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        node(from).links.add(to)
      }
      node(a).topology?.onConnect(peerId(b))
      node(b).topology?.onConnect(peerId(a))
    },
    disconnect: (a, b) => {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        node(from).links.delete(to)
        for (const { stream, to: other } of node(from).opened) {
          if (other === to) stream.abort(new Error('the connection ended'))
        }
      }
      node(a).topology?.onDisconnect(peerId(b))
      node(b).topology?.onDisconnect(peerId(a))
    },
  }
}
