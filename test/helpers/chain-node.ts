/** A chain service over an in-memory database, with a device of its own; no network. */
import { type DeviceId, deviceIdOf } from '../../src/chain/ids.ts'
import type { NetworkParams } from '../../src/chain/params.ts'
import { meetsDifficulty } from '../../src/chain/pow.ts'
import type { SignedRecord, Statement } from '../../src/chain/record.ts'
import { utf8 } from '../../src/common/bytes.ts'
import type { Clock } from '../../src/common/clock.ts'
import { publicKeyOf, sha256, signEd25519, verifyEd25519 } from '../../src/common/crypto.ts'
import { createEvents, type Events } from '../../src/common/events.ts'
import { silentLogger } from '../../src/common/logger.ts'
import { beginChain } from '../../src/services/chain/begin-chain.ts'
import {
  type ChainComponents,
  type ChainService,
  createChainService,
} from '../../src/services/chain/chain-service.ts'
import type { Vouched } from '../../src/services/chain/speaker.ts'
import type { BlockTemplate } from '../../src/services/chain/template.ts'
import type { NodeEvents } from '../../src/services/events.ts'
import { type ChainStore, createChainStore } from '../../src/storage/chain-store.ts'
import { openDatabase } from '../../src/storage/database.ts'
import type { Journal } from '../../src/storage/journal.ts'

/** A 32-byte secret for tests, from a name. */
export function seedOf(name: string): Uint8Array {
  return sha256(utf8(name))
}

/** Parameters of a test network that a device named `founder` made. */
export function testParams(founder = 'ada', time = 1_700_000_000_000): NetworkParams {
  return {
    version: 1,
    founder: publicKeyOf('ed25519', seedOf(founder)),
    salt: sha256(utf8('test network')).subarray(0, 16),
    time,
    difficultyFloor: 1,
    admission: 'open',
  }
}

/** A clock that stands until it is moved. */
export function handClock(start: number): Clock & { time: number } {
  const timers = new Set<{ at: number; run: () => void }>()
  let time = start
  let counter = 0
  return {
    get time() {
      return time
    },
    set time(value) {
      time = value
      for (const timer of [...timers].sort((a, b) => a.at - b.at)) {
        if (timer.at <= time && timers.delete(timer)) timer.run()
      }
    },
    now: () => time,
    after: (ms, run) => {
      const timer = { at: time + ms, run }
      timers.add(timer)
      return () => void timers.delete(timer)
    },
    randomBytes: (length) => sha256(utf8(`random ${counter++}`)).subarray(0, length),
    random: () => 0.5,
  }
}

export interface ChainNode {
  readonly chain: ChainService
  readonly store: ChainStore
  readonly events: Events<NodeEvents>
  readonly device: DeviceId
  readonly journal: Uint8Array[]
  readonly params: NetworkParams
  /** Publishes `user.create`. */
  join(): Promise<SignedRecord>
  /** Mines one block of what is pending; undefined when nothing can be mined. */
  mine(): Promise<BlockTemplate | undefined>
  publish(statement: Statement): Promise<SignedRecord>
}

export function createChainNode(
  name: string,
  options: {
    params?: NetworkParams
    clock: Clock
    journal?: Uint8Array[]
    store?: ChainStore
    vouched?: Vouched
    admits?: NonNullable<ChainComponents['admits']>
  },
): ChainNode {
  const { params = testParams(), clock, journal = [] } = options
  const seed = seedOf(name)
  const device = deviceIdOf(publicKeyOf('ed25519', seed))
  const store =
    options.store ??
    createChainStore(openDatabase({ path: ':memory:', now: clock.now, logger: silentLogger }).db)
  beginChain(store, params)
  const events = createEvents<NodeEvents>((error) => {
    throw error
  })
  const memoryJournal: Journal = {
    append: (...entries) => void journal.push(...entries),
    entries: () => journal,
    read: () => journal,
    damagedBytes: 0,
    cutBytes: 0,
    close: () => {},
  }
  const chain = createChainService(
    {
      store,
      journal: memoryJournal,
      verifier: {
        verify: async (items) =>
          items.map((item) => verifyEd25519(item.publicKey, item.message, item.signature)),
      },
      signer: { device, sign: (message) => signEd25519(seed, message) },
      clock,
      events,
      logger: silentLogger,
      // There is no gate here that could tell.
      vouched: options.vouched ?? (() => true),
      ...(options.admits === undefined ? {} : { admits: options.admits }),
    },
    { params },
  )
  return {
    chain,
    store,
    events,
    device,
    journal,
    params,
    publish: (statement) => chain.publish(statement),
    join: () => chain.publish(userStatement(name, params, seed)),
    mine: async () => {
      const template = chain.template()
      if (template === undefined) return undefined
      await chain.submitBlock(template, solve(template))
      return template
    },
  }
}

/** `user.create` of a test user. */
export function userStatement(name: string, params: NetworkParams, seed = seedOf(name)): Statement {
  const founder = publicKeyOf('ed25519', seed).every((byte, at) => params.founder[at] === byte)
  return {
    type: 'user.create',
    body: {
      name,
      deviceName: `${name}'s laptop`,
      encryptionKey: publicKeyOf('x25519', seedOf(`${name} device encryption`)),
      userKey: publicKeyOf('x25519', seedOf(`${name} user`)),
      recoveryKey: publicKeyOf('ed25519', seedOf(`${name} recovery`)),
      restoreKey: publicKeyOf('ed25519', seedOf(`${name} restore`)),
      proof: { type: founder ? 'founder' : 'open' },
    },
  }
}

/** Finds a nonce by trying; for floors near 1. */
export function solve(template: BlockTemplate): Uint8Array {
  const header = Uint8Array.from(template.header)
  const view = new DataView(header.buffer)
  for (let nonce = 0n; ; nonce += 1n) {
    view.setBigUint64(header.length - 8, nonce)
    if (meetsDifficulty(sha256(header), template.difficulty)) return header.slice(-8)
  }
}
