import assert from 'node:assert/strict'
import type { Stream } from '@libp2p/interface'
import { MemoryBlockstore } from 'blockstore-core'
import type { DeviceId, RecordId } from '../../../src/chain/ids.ts'
import { systemClock } from '../../../src/common/clock.ts'
import { encode } from '../../../src/common/dag-cbor.ts'
import { codeOf } from '../../../src/common/errors.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { createFrames } from '../../../src/network/frames.ts'
import {
  decodeKeyAnswer,
  encodeKeyRequest,
  KEY_PROTOCOL,
  type KeyAnswer,
} from '../../../src/network/key-release/messages.ts'
import type { KeyHolder } from '../../../src/network/key-release/server.ts'
import { createNetwork, type Network } from '../../../src/network/network.ts'
import { seedOf } from '../../helpers/chain-node.ts'
import { createFakeChain, NETWORK } from '../../unit/network/fake-chain.ts'
import {
  addSecret,
  type Sharer,
  versionOf,
  withNetwork,
} from '../../unit/services/access/exchange.ts'
import { LOOPBACK, until } from '../network/nodes.ts'

const ACCESS = 'bafyreicasbri4gj36aabqz5klpvecbsi356ito72m3kglkdn5kueyuf5o4' as RecordId
const KEY: KeyAnswer = { type: 'key', sealed: new Uint8Array(80).fill(3) }
const never = new AbortController().signal

const running = new Set<Network>()

/** The network part of a device of a test, with what it answers to readers. */
async function startDevice(
  name: string,
  keyHolder?: KeyHolder,
  isMember: (device: DeviceId) => boolean = () => true,
): Promise<Network> {
  const network = await createNetwork(
    {
      keySeed: seedOf(name),
      chain: Object.assign(
        createFakeChain(() => Date.now()),
        {
          acceptBlock: async () => ({ verdict: 'ignore', sync: false }) as const,
          acceptRecord: async () => ({ verdict: 'ignore', sync: false }) as const,
        },
      ),
      blockstore: new MemoryBlockstore(),
      memory: { load: async () => [], save: async () => {} },
      decisions: { admit: () => true, isMember },
      clock: systemClock,
      logger: silentLogger,
      ...(keyHolder === undefined ? {} : { keyHolder }),
    },
    { network: NETWORK, listen: [LOOPBACK], bootstrap: [], syncIntervalMs: 60_000 },
  )
  await network.start()
  running.add(network)
  return network
}

async function connect(from: Network, to: Network): Promise<void> {
  await from.peers.add(to.host.addresses()[0] ?? '', never)
  const there = (): boolean => from.peers.connected().includes(to.host.device)
  await until(there, 'they are connected')
}

async function rawStream(from: Network, to: Network): Promise<Stream> {
  const [connection] = from.host.libp2p
    .getConnections()
    .filter(({ remotePeer }) => remotePeer.toString() === to.host.device)
  assert.ok(connection !== undefined)
  return connection.newStream(KEY_PROTOCOL, { maxOutboundStreams: 1000 })
}

/** Sends bytes as a frame, and reads the answer; undefined: the stream is cut. */
async function send(from: Network, to: Network, bytes: Uint8Array): Promise<KeyAnswer | undefined> {
  const { signal } = new AbortController()
  try {
    const stream = await rawStream(from, to)
    const frames = createFrames(stream, { clock: systemClock, maxFrameBytes: 4096, signal })
    await frames.write(bytes, 2000)
    const frame = await frames.read(5000)
    return frame === undefined ? undefined : decodeKeyAnswer(frame)
  } catch {
    return undefined
  }
}

describe('keys over sockets', function () {
  this.timeout(30_000)

  afterEach(async () => {
    const all = [...running]
    running.clear()
    await Promise.all(all.map((network) => network.stop()))
  })

  it('owner, named holder and reader: the reader is served by whoever is there', async () => {
    const networks = new Map<DeviceId, Network>()
    await withNetwork(
      async (network) => {
        const { ada, bob, carol } = network
        const holderOf = ({ exchange }: Sharer): KeyHolder => exchange.keyHolder
        for (const [name, sharer] of Object.entries({ ada, bob, carol })) {
          networks.set(sharer.device, await startDevice(name, holderOf(sharer)))
        }
        const at = (sharer: Sharer): Network =>
          networks.get(sharer.device) ?? assert.fail('it runs')
        await connect(at(bob), at(carol))
        const file = await addSecret(network, ada)
        await ada.exchange.holders.add(file, carol.device, never)
        await ada.exchange.grants.grant(file, 'bob', { downloads: 1 }, never)
        await network.settle()
        const version = versionOf(bob, file)
        // The owner is not connected; the server that she named gives the key.
        const access = bob.exchange.reading.requestAccess(version, { signal: never })
        await network.settle()
        await access
        const key = await bob.exchange.reading.contentKey(version, { signal: never })
        const record = ada.store.record(file)?.record
        assert.ok(record?.type === 'file.add')
        assert.deepEqual(key, await ada.keys.contentKeyOf(record))
        await network.settle()
        const [log] = ada.exchange.grants.accesses(file)
        assert.equal(log?.outcome, 'released')
        assert.equal(log?.releasedBy?.id, carol.device)
        // The same access from another device of the network: the connection tells who asks.
        await connect(at(ada), at(carol))
        const stolen = await at(ada).askKey(carol.device, await access, never)
        assert.deepEqual(stolen, { type: 'refused', code: 'NOT_YOUR_ACCESS' })
      },
      (from, to, access, signal) =>
        networks.get(from)?.askKey(to, access, signal) ?? Promise.reject(new Error('not started')),
    )
  })

  it('who asks is who is connected', async () => {
    const asked: [RecordId, DeviceId][] = []
    const holder = await startDevice('holder', {
      release: async (access, from) => {
        asked.push([access, from])
        return KEY
      },
    })
    const reader = await startDevice('reader')
    await connect(reader, holder)
    assert.deepEqual(await reader.askKey(holder.host.device, ACCESS, never), KEY)
    assert.deepEqual(asked, [[ACCESS, reader.host.device]])
  })

  it('nobody but members is answered', async () => {
    let asked = 0
    const release = async (): Promise<KeyAnswer> => {
      asked += 1
      return KEY
    }
    const holder = await startDevice('holder', { release }, () => false)
    const stranger = await startDevice('stranger')
    await connect(stranger, holder)
    assert.equal(await send(stranger, holder, encodeKeyRequest({ access: ACCESS })), undefined)
    assert.equal(asked, 0)
  })

  it('what is no request gets no key: MALFORMED, or the stream is cut', async () => {
    let asked = 0
    const release = async (): Promise<KeyAnswer> => {
      asked += 1
      return KEY
    }
    const holder = await startDevice('holder', { release })
    const reader = await startDevice('reader')
    await connect(reader, holder)
    const malformed = { type: 'refused', code: 'MALFORMED' }
    const good = encodeKeyRequest({ access: ACCESS })
    for (const bytes of [
      new Uint8Array(),
      new Uint8Array(300).fill(0xff),
      good.subarray(1),
      encode({ access: ACCESS }),
      encode({ access: 1, from: 'me' }),
    ]) {
      assert.deepEqual(await send(reader, holder, bytes), malformed)
    }
    assert.equal(await send(reader, holder, new Uint8Array(1000)), undefined)
    assert.equal(asked, 0)
    assert.deepEqual(await send(reader, holder, good), KEY)
  })

  it('a flood of one peer is told BUSY or cut, and another one is served meanwhile', async () => {
    const asked = new Map<DeviceId, number>()
    const holder = await startDevice('holder', {
      release: async (_, from) => {
        asked.set(from, (asked.get(from) ?? 0) + 1)
        return KEY
      },
    })
    const flooder = await startDevice('flooder')
    const reader = await startDevice('reader')
    await connect(flooder, holder)
    await connect(reader, holder)
    const request = encodeKeyRequest({ access: ACCESS })
    const flood = Promise.all(
      Array.from({ length: 400 }, (_, index) =>
        send(flooder, holder, index % 2 === 0 ? request : new Uint8Array(200)),
      ),
    )
    // Streams that say nothing hold no place of anybody else.
    const silent = Promise.allSettled(Array.from({ length: 100 }, () => rawStream(flooder, holder)))
    const began = Date.now()
    assert.deepEqual(await reader.askKey(holder.host.device, ACCESS, never), KEY)
    assert.ok(Date.now() - began < 5000)
    const answers = await flood
    await silent
    const keys = answers.filter((answer) => answer?.type === 'key').length
    assert.ok(keys <= 80, `${keys} keys of 400 requests`)
    assert.ok((asked.get(flooder.host.device) ?? 0) <= 80)
  })

  it('a holder that lies or is silent is an error with a code, and never a key', async () => {
    const liar = await startDevice('liar')
    const reader = await startDevice('reader')
    const ask = (): Promise<unknown> =>
      reader.askKey(liar.host.device, ACCESS, never).then(
        (answer) => answer,
        (error: unknown) => codeOf(error),
      )
    assert.equal(await ask(), 'KEY_STREAM', 'not connected')
    await connect(reader, liar)
    assert.equal(await ask(), 'KEY_STREAM', 'it does not know the protocol')
    let answer: Uint8Array | undefined
    await liar.host.libp2p.handle(KEY_PROTOCOL, async (stream) => {
      const { signal } = new AbortController()
      const frames = createFrames(stream, { clock: systemClock, maxFrameBytes: 4096, signal })
      await frames.read(2000)
      if (answer !== undefined) await frames.write(answer, 2000)
      await frames.close()
    })
    // Identify tells of a new protocol after a moment; streams are opened all the same.
    assert.equal(await ask(), 'KEY_STREAM', 'it closes without a word')
    answer = new Uint8Array(2000)
    assert.equal(await ask(), 'KEY_MALFORMED', 'too large')
    answer = encode({ type: 'key', sealed: new Uint8Array(79) })
    assert.equal(await ask(), 'KEY_MALFORMED', 'no sealed key')
    answer = encode({ type: 'refused', code: 'BECAUSE' })
    assert.equal(await ask(), 'KEY_MALFORMED', 'a code that is none')
  })

  it('stopping breaks off what waits', async () => {
    const waiting = Promise.withResolvers<void>()
    const holder = await startDevice('holder', {
      release: (_, __, signal) => {
        waiting.resolve()
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason), { once: true })
        })
      },
    })
    const reader = await startDevice('reader')
    await connect(reader, holder)
    const asking = reader.askKey(holder.host.device, ACCESS, never).catch(codeOf)
    await waiting.promise
    running.delete(holder)
    await holder.stop()
    assert.equal(await asking, 'KEY_STREAM')
  })
})
