/**
 * One simulated machine: the real chain service, storage, mining schedule and sync, wired as a node wires
 * them, on virtual time and a virtual network.
 */

import type { GossipSub } from '@chainsafe/libp2p-gossipsub'
import { genesisOf } from '../../src/chain/codec.ts'
import { type DeviceId, deviceIdOf, type RecordId } from '../../src/chain/ids.ts'
import type { NetworkParams } from '../../src/chain/params.ts'
import type { SignedRecord, Statement } from '../../src/chain/record.ts'
import { type Clock, sleep } from '../../src/common/clock.ts'
import { publicKeyOf, sha256, signEd25519 } from '../../src/common/crypto.ts'
import { codeOf, messageOf } from '../../src/common/errors.ts'
import { createEvents, type Events } from '../../src/common/events.ts'
import type { LogFields, Logger } from '../../src/common/logger.ts'
import { createGossip } from '../../src/network/gossip.ts'
import type { KeyServer } from '../../src/network/key-release/server.ts'
import { createSyncClient } from '../../src/network/sync/client.ts'
import { createSyncPeer } from '../../src/network/sync/peer.ts'
import { createSyncRunner } from '../../src/network/sync/runner.ts'
import { createSyncServer } from '../../src/network/sync/server.ts'
import { HOLD_SIGNING_MS } from '../../src/services/admission.ts'
import { type ChainService, createChainService } from '../../src/services/chain/chain-service.ts'
import type { Verifier } from '../../src/services/chain/intake.ts'
import type { NodeEvents } from '../../src/services/events.ts'
import { createSearch } from '../../src/services/miner-work.ts'
import { createMining, type Mining, type Solver } from '../../src/services/mining.ts'
import { type ChainStore, createChainStore } from '../../src/storage/chain-store.ts'
import type { Database } from '../../src/storage/sqlite.ts'
import { createDisk, Died, type Disk, gated } from './disk.ts'
import type { Prng } from './prng.ts'
import type { Endpoint, VirtualNetwork } from './virtual-network.ts'
import type { VirtualTime } from './virtual-time.ts'

/** What a machine is told and tells. */
export interface Surroundings {
  readonly time: VirtualTime
  readonly network: VirtualNetwork
  readonly verifier: Verifier
  readonly params: NetworkParams
  readonly trace: (line: string) => void
  /** Something happened that must not happen among honest machines. */
  readonly complain: (what: string) => void
  /** Counts what happened, by name. */
  readonly count: (what: string) => void
  /** The device of a machine. */
  readonly deviceOf: (name: string) => DeviceId
}

export interface MachineInit {
  readonly name: string
  /** 32 bytes: the device's key. */
  readonly seed: Uint8Array
  readonly pace: number
  readonly skew: number
  readonly prng: Prng
  readonly disk?: Disk
  /** Makes what answers requests for keys, for each life anew. */
  readonly keyServer?: MakeKeyServer
}

export type MakeKeyServer = (
  name: string,
  life: Life & { readonly clock: Clock; readonly logger: Logger; alive(): boolean },
) => KeyServer

/** One life of the process. */
export interface Life {
  readonly chain: ChainService
  readonly store: ChainStore
  readonly mining: Mining
  readonly events: Events<NodeEvents>
}

export interface Machine {
  readonly name: string
  readonly device: DeviceId
  readonly seed: Uint8Array
  readonly life: Life | undefined
  disk: Disk
  skew: number
  /** Starts the process; resolves when it serves. */
  boot(): Promise<void>
  kill(): void
  /** The process dies at its `after`th access to the disk from now. */
  doom(after: number, side: 'before' | 'after'): void
  /** Asks another machine for a key. */
  askKey(name: string, request: Uint8Array): Promise<Uint8Array>
  /** Takes the doom away. */
  spare(): void
  publish(statement: Statement): Promise<SignedRecord>
  /** Told of each block that this machine mined. */
  onMined: (() => void) | undefined
  /** Told of each record that a block of the best chain brings here, again after a reorg. */
  onConfirmed: ((record: RecordId) => void) | undefined
}

export function createMachine(around: Surroundings, init: MachineInit): Machine {
  const { time, network } = around
  const { name, seed, prng } = init
  const device = deviceIdOf(publicKeyOf('ed25519', seed))
  let lives = 0
  let life: (Life & { readonly number: number }) | undefined
  let doomed: { left: number; side: 'before' | 'after' } | undefined
  const trace = (line: string): void => around.trace(`${name} ${line}`)

  const machine: Machine = {
    name,
    device,
    seed,
    disk: init.disk ?? createDisk(),
    skew: init.skew,
    onMined: undefined,
    onConfirmed: undefined,
    get life() {
      return life
    },
    boot: async () => {
      if (life !== undefined) return
      lives += 1
      const number = lives
      trace(`boot ${number}`)
      try {
        await live(number)
      } catch (error) {
        if (error instanceof Died) return
        around.complain(`${name} does not start: ${explain(error)}`)
        if (lives === number) machine.kill()
      }
    },
    kill: () => {
      if (life === undefined) return
      trace('dies')
      around.count('death')
      life = undefined
      lives += 1
      doomed = undefined
      network.leave(name)
    },
    doom: (after, side) => {
      if (life !== undefined) doomed = { left: after, side }
    },
    spare: () => {
      doomed = undefined
    },
    askKey: (to, request) => network.askKey(name, to, request),
    publish: (statement) =>
      life === undefined
        ? Promise.reject(new Died('nobody is here'))
        : life.chain.publish(statement),
  }

  async function live(number: number): Promise<void> {
    const alive = (): boolean => lives === number
    const gate = (side: 'before' | 'after'): void => {
      if (!alive()) throw new Died()
      if (doomed === undefined || doomed.side !== side) return
      doomed.left -= 1
      if (doomed.left >= 0) return
      machine.kill()
      throw new Died()
    }
    const base = time.clock(prng.fork(`clock${number}`), () => machine.skew)
    const clock: Clock = {
      ...base,
      after: (ms, run) => base.after(ms, () => (alive() ? run() : undefined)),
    }
    const logger = createWatch(name, around, alive)
    const events = createEvents<NodeEvents>((error) => {
      if (!(error instanceof Died)) around.complain(`${name} listener: ${explain(error)}`)
    })
    events.onAny((event, payload) => {
      if (!alive()) return
      trace(`${event} ${summary(payload)}`)
      around.count(event)
    })
    const { db, journal } = gated(machine.disk, gate, alive)
    const store = beginStore(db, around.params)
    const signer = { device, sign: (message: Uint8Array) => signEd25519(seed, message) }
    const chain = createChainService(
      { store, journal, verifier: around.verifier, signer, clock, events, logger },
      { params: around.params },
    )
    const solver = createSolver(clock, prng.fork(`solver${number}`), init.pace)
    const mining = createMining({ chain, solver, clock, events, logger })
    const server = createSyncServer({ chain, clock, logger })
    const client = createSyncClient({ chain, clock, logger })

    const first = Promise.withResolvers<void>()
    const nameOf = (peer: DeviceId): string =>
      network.peersOf(name).find((other) => around.deviceOf(other) === peer) ?? ''
    const runner = createSyncRunner({
      client,
      peer: (peer) =>
        createSyncPeer(peer, (request, signal) =>
          network.exchange(name, nameOf(peer), request, signal),
        ),
      clock,
      logger,
      onResult: (result) => {
        if (!alive()) return
        const { peer, clockDifference, blocks, records } = result
        chain.noteClock(peer, clockDifference)
        if (blocks + records > 0) trace(`synced ${short(peer)} blocks=${blocks} records=${records}`)
        first.resolve()
      },
      onOffence: (peer, code) => {
        if (alive()) around.complain(`${name} blames ${short(peer)} for its sync: ${code}`)
      },
    })

    const pubsub = createPubsub((topic, message) => network.gossip(name, topic, message))
    const gossip = createGossip(
      {
        pubsub: pubsub as unknown as GossipSub,
        chain,
        clock,
        logger,
        requestSync: (peer) => runner.request(peer),
        onOffence: (peer, code) => {
          if (alive()) around.complain(`${name} blames ${short(peer)} for gossip: ${code}`)
        },
      },
      { network: chain.network },
    )
    events.on('record:pending', ({ record, own }) => {
      if (alive() && own) void gossip.publishRecord(record.bytes)
    })
    events.on('record:confirmed', ({ record }) => {
      if (alive()) machine.onConfirmed?.(record)
    })
    events.on('block:mined', ({ block }) => {
      if (!alive()) return
      machine.onMined?.()
      const [header, body] = [store.headerBytes(block), store.body(block)]
      if (header !== undefined && body !== undefined) void gossip.publishBlock(header, body)
    })

    const endpoint: Endpoint = {
      identity: device,
      gossip: async (from, topic, message) => {
        const judge = pubsub.topicValidators.get(topic)
        if (judge === undefined) return false
        const device = around.deviceOf(from)
        return (await judge({ toString: () => device }, { data: message })) === 'accept'
      },
      answer: (from, request) => server.answer(request, from),
      connected: (peer) => runner.connected(around.deviceOf(peer)),
      disconnected: (peer) => runner.disconnected(around.deviceOf(peer)),
    }

    const keyServer = init.keyServer?.(name, { chain, store, mining, events, clock, logger, alive })
    if (keyServer !== undefined) {
      endpoint.answerKey = async (from, request) => {
        const { signal } = new AbortController()
        const answer = await keyServer.answer(request, around.deviceOf(from), signal)
        if (!alive()) throw new Died()
        return answer
      }
    }

    await chain.start()
    if (!alive()) throw new Died()
    life = { chain, store, mining, events, number }
    chain.holdSigning(Promise.race([first.promise, sleep(clock, HOLD_SIGNING_MS)]))
    await mining.start()
    await gossip.start()
    await runner.start()
    network.join(name, endpoint)
  }
  return machine
}

function beginStore(db: Database, params: NetworkParams): ChainStore {
  const store = createChainStore(db)
  const genesis = genesisOf(params)
  const { difficulty, outcome } = genesis.header
  store.begin(genesis, { changes: [], outcomes: [], late: [], digest: outcome }, BigInt(difficulty))
  return store
}

/** A search takes exponentially distributed time; the nonce itself is found at once. */
function createSolver(clock: Clock, prng: Prng, pace: number): Solver {
  return {
    solve: async (header, difficulty, signal) => {
      await sleep(clock, prng.exponential(pace * difficulty), signal)
      const search = createSearch(header, difficulty)
      for (;;) {
        const nonce = search.next(1 << 16)
        if (nonce !== undefined) return nonce
      }
    },
  }
}

/** Complains of every error in the log, and of warnings that honest machines have no reason for. */
function createWatch(name: string, around: Surroundings, alive: () => boolean): Logger {
  const allowed = /signed again|put back from the journal|clock differs/
  const say = (level: string, sentence: string, fields: LogFields = {}): void => {
    if (!alive()) return
    around.trace(`${name} ${level} ${sentence} ${summary(fields)}`)
    if (level === 'debug' || level === 'info' || allowed.test(sentence)) return
    around.complain(`${name} logs: ${sentence} ${summary(fields)}`)
  }
  const logger: Logger = {
    debug: (sentence, fields) => say('debug', sentence, fields),
    info: (sentence, fields) => say('info', sentence, fields),
    warn: (sentence, fields) => say('warn', sentence, fields),
    error: (sentence, fields) => say('error', sentence, fields),
    child: () => logger,
  }
  return logger
}

export function explain(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '').split('\n').slice(1, 6).join(' |') : ''
  return `${codeOf(error)} ${messageOf(error)}${stack}`
}

function summary(payload: unknown): string {
  return Object.entries(payload as object)
    .map(([key, value]) => {
      if (key === 'record' && typeof value === 'object') {
        const record = value as SignedRecord
        return `record=${short(record.id)} ${record.type} #${record.sequence}`
      }
      return `${key}=${typeof value === 'string' ? short(value) : String(value)}`
    })
    .join(' ')
}

/** The end of an id, which differs. */
export function short(id: string): string {
  return /^(?:bafy|12D3)/.test(id) ? id.slice(-8) : id
}

type Judge = (from: { toString(): string }, message: { data: Uint8Array }) => Promise<string>

/** The part of gossipsub that the gossip of a node uses. */
function createPubsub(send: (topic: string, message: Uint8Array) => void) {
  return {
    topicValidators: new Map<string, Judge>(),
    subscribe: (): void => {},
    unsubscribe: (): void => {},
    publish: async (topic: string, message: Uint8Array): Promise<void> => send(topic, message),
  }
}

/** Signatures are checked once for all machines: they share what was found. */
export function createSharedVerifier(
  verify: (item: { publicKey: Uint8Array; message: Uint8Array; signature: Uint8Array }) => boolean,
): Verifier {
  const known = new Map<string, boolean>()
  return {
    verify: async (items) =>
      items.map((item) => {
        const name = `${Buffer.from(item.signature).toString('latin1')}${Buffer.from(sha256(item.message)).toString('latin1')}`
        let good = known.get(name)
        if (good === undefined) {
          good = verify(item)
          known.set(name, good)
        }
        return good
      }),
  }
}
