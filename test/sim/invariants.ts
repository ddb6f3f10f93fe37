/** What must be true when all machines run, are connected and have come to rest. */
import type { Block } from '../../src/chain/block.ts'
import { decodeBody, decodeHeader } from '../../src/chain/codec.ts'
import type { BlockId, RecordId } from '../../src/chain/ids.ts'
import type { SignedRecord } from '../../src/chain/record.ts'
import { readRecordState } from '../../src/chain/state/records.ts'
import { equalBytes, toHex } from '../../src/common/bytes.ts'
import { headsDigest } from '../../src/network/sync/messages.ts'
import type { ChainStore } from '../../src/storage/chain-store.ts'
import { createDisk } from './disk.ts'
import { createMachine, type Life, short } from './machine.ts'
import { createPrng } from './prng.ts'
import { createVirtualNetwork } from './virtual-network.ts'
import type { Acknowledged, World } from './world.ts'

/** Milliseconds of true time by which the rest must have come, beyond the largest error of a clock. */
const REST_MS = 600_000
/** Milliseconds between two looks. */
const LOOK_MS = 2_000
/** Looks in a row that see rest. */
const LOOKS = 3
/** Milliseconds within which one record is confirmed everywhere, once all is at rest. */
const CONFIRM_MS = 60_000

/** Runs until nothing is left to do; says what does not come to rest. */
export async function comeToRest(world: World): Promise<string[]> {
  const skew = Math.max(...world.machines.map((machine) => Math.abs(machine.skew)))
  const end = world.time.now() + REST_MS + skew
  let calm = 0
  for (;;) {
    await world.time.advance(LOOK_MS)
    const unrest = whatMoves(world)
    calm = unrest.length === 0 ? calm + 1 : 0
    if (calm >= LOOKS) return []
    if (world.complaints.length > 0) return []
    if (world.time.now() > end) return unrest
  }
}

function livesOf(world: World): Life[] {
  return world.machines.flatMap(({ life }) => (life === undefined ? [] : [life]))
}

function whatMoves(world: World): string[] {
  const found: string[] = []
  const [first, ...others] = livesOf(world)
  if (first === undefined) return ['no machine runs']
  const tip = first.store.tip().id
  const heads = headsDigest(first.chain.heads())
  for (const [index, life] of others.entries()) {
    const name = world.machines[index + 1]?.name
    if (life.store.tip().id !== tip) {
      found.push(`${name} has the tip ${short(life.store.tip().id)}, the first ${short(tip)}`)
    }
    if (!equalBytes(headsDigest(life.chain.heads()), heads))
      found.push(`${name} knows other records`)
  }
  const missing = missingIn(world, first.store)
  if (missing.length > 0) {
    const list = missing.slice(0, 5).map(({ record, machine }) => `${name(record)} of ${machine}`)
    found.push(`${missing.length} records are not in the chain: ${list.join(', ')}`)
  }
  for (const machine of world.machines) {
    if (machine.life?.chain.demand() !== undefined) found.push(`${machine.name} could mine`)
  }
  return found
}

function name(record: SignedRecord): string {
  return `${short(record.id)} ${record.type} #${record.sequence}`
}

/** What was acknowledged and must be there. */
function kept(world: World): Acknowledged[] {
  const lost = new Set(world.lost())
  return world.ledger.filter((entry) => !lost.has(entry))
}

function missingIn(world: World, store: ChainStore): Acknowledged[] {
  return kept(world).filter(({ record }) => !isIn(store, record))
}

/** The record, or the one that was signed in its place, is in the best chain. */
function isIn(store: ChainStore, record: SignedRecord): boolean {
  return readRecordState(store.state, record.identity) !== undefined
}

/** Everything that is checked at rest; the sentences of what is wrong. */
export async function checkRest(world: World): Promise<string[]> {
  const lives = livesOf(world)
  const [first] = lives
  if (first === undefined) return ['no machine runs']
  const found: string[] = []
  const say = (what: string): void => void found.push(what)

  const digest = toHex(first.store.stateDigest())
  for (const [index, life] of lives.entries()) {
    const who = world.machines[index]?.name
    if (toHex(life.store.stateDigest()) !== digest) say(`${who} has another state at the same tip`)
    if (life.chain.halted !== undefined && life.chain.halted.code !== 'CLOCK_WRONG') {
      say(`${who} does not mine: ${life.chain.halted.code}`)
    }
    for (const { record } of kept(world)) {
      if (!life.store.hasRecord(record.id)) say(`${who} does not know ${name(record)}`)
    }
  }
  found.push(
    ...checkChain(first.store, world.lost().length > 0),
    ...checkLedger(world, first.store),
  )
  found.push(...(await rebuild(world, first.store, digest)))
  return found
}

function mainBlocks(store: ChainStore): Block[] {
  const blocks: Block[] = []
  for (let height = 1; height <= store.tip().height; height += 1) {
    const id = store.idAt(height)
    const block = id === undefined ? undefined : blockOf(store, id)
    if (block !== undefined) blocks.push(block)
  }
  return blocks
}

function blockOf(store: ChainStore, id: BlockId): Block | undefined {
  const [header, body] = [store.headerBytes(id), store.body(id)]
  if (header === undefined || body === undefined) return undefined
  return { ...decodeHeader(header), body: decodeBody(body) }
}

/** Included once, in the order of each device, and nothing waits for what is there. */
function checkChain(store: ChainStore, someLost: boolean): string[] {
  const found: string[] = []
  const seen = new Set<RecordId>()
  const last = new Map<string, SignedRecord>()
  const applied = new Map<RecordId, RecordId>()
  const all: SignedRecord[] = []
  for (const block of mainBlocks(store)) {
    if (block.body.records.length === 0) found.push(`block ${block.header.height} is empty`)
    for (const record of block.body.records) {
      all.push(record)
      if (seen.has(record.id)) found.push(`${name(record)} is in the chain twice`)
      seen.add(record.id)
      const before = last.get(record.device)
      if (
        record.sequence !== (before?.sequence ?? -1) + 1 ||
        record.previous !== (before?.id ?? null)
      ) {
        found.push(`${name(record)} is out of its device's order`)
      }
      last.set(record.device, record)
    }
  }
  for (const record of all) {
    const state = readRecordState(store.state, record.id)
    if (state === undefined) {
      found.push(`${name(record)} is in the chain and has no outcome`)
      continue
    }
    if (state.outcome === 'applied') {
      const other = applied.get(record.identity)
      if (other !== undefined) found.push(`${name(record)} counts twice, as ${short(other)}`)
      applied.set(record.identity, record.id)
    }
    // All that was ever referred to was acknowledged, so all of it is in the chain, and nothing waits.
    if (state.outcome === 'waiting' && !someLost) found.push(`${name(record)} still waits`)
  }
  if (someLost) return found
  for (const [key] of store.state.list('waiting/')) found.push(`the state still has ${key}`)
  return found
}

function checkLedger(world: World, store: ChainStore): string[] {
  return missingIn(world, store).map(
    ({ record, machine }) => `${name(record)}, acknowledged by ${machine}, is not in the chain`,
  )
}

/** The best chain from genesis, and all blocks of the run in random orders, lead to the same tip and state. */
async function rebuild(world: World, store: ChainStore, digest: string): Promise<string[]> {
  const found: string[] = []
  const prng = createPrng(`rebuild/${world.plan.seed}`)
  const all = new Map<BlockId, Block>()
  for (const { store: one } of livesOf(world)) {
    const waiting: BlockId[] = [...(one.idAt(0) === undefined ? [] : [one.idAt(0) as BlockId])]
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      waiting.push(...one.children(id))
      const block = blockOf(one, id)
      if (block !== undefined && block.header.height > 0) all.set(id, block)
    }
  }
  const orders: [string, Block[]][] = [
    ['the best chain from genesis', mainBlocks(store)],
    ['all blocks in another order', parentsFirst([...all.values()], prng.fork('order'))],
    // What comes before its parent waits, within bounds; what is dropped comes again.
    ['all blocks, children before parents', shuffledRounds([...all.values()], prng.fork('mixed'))],
  ]
  for (const [what, blocks] of orders) {
    const fresh = await freshMachine(world)
    for (const block of blocks) {
      const { verdict } = await fresh.life.chain.acceptBlock(
        block.bytes,
        block.body.bytes,
        fresh.device,
      )
      if (verdict === 'reject') found.push(`${what}: block ${short(block.id)} is rejected`)
    }
    const tip = fresh.life.store.tip().id
    if (tip !== store.tip().id) found.push(`${what}: the tip is ${short(tip)}`)
    else if (toHex(fresh.life.store.stateDigest()) !== digest) found.push(`${what}: another state`)
    fresh.close()
  }
  return found
}

/** A random order in which each block comes after its parent. */
function parentsFirst(blocks: Block[], prng: ReturnType<typeof createPrng>): Block[] {
  const waiting = new Map<BlockId, Block[]>()
  const ids = new Set(blocks.map(({ id }) => id))
  const ready: Block[] = []
  for (const block of prng.shuffle(blocks)) {
    const { parent } = block.header
    if (parent === null || !ids.has(parent)) ready.push(block)
    else waiting.set(parent, [...(waiting.get(parent) ?? []), block])
  }
  const order: Block[] = []
  while (ready.length > 0) {
    const [next] = ready.splice(prng.int(0, ready.length - 1), 1)
    if (next === undefined) break
    order.push(next)
    ready.push(...(waiting.get(next.id) ?? []))
  }
  return order
}

function shuffledRounds(blocks: Block[], prng: ReturnType<typeof createPrng>): Block[] {
  return [...prng.shuffle(blocks), ...prng.shuffle(blocks), ...parentsFirst(blocks, prng)]
}

async function freshMachine(world: World) {
  const trace = (): void => {}
  const prng = createPrng('fresh')
  const found: string[] = []
  const machine = createMachine(
    {
      time: world.time,
      network: createVirtualNetwork(world.time, prng, trace),
      verifier: world.verifier,
      params: world.params,
      trace,
      complain: (what) => void found.push(what),
      count: () => {},
      deviceOf: () => machine.device,
    },
    { name: 'fresh', seed: prng.bytes(32), pace: 1, skew: 1_000_000_000, prng, disk: createDisk() },
  )
  await machine.boot()
  const { life } = machine
  if (life === undefined) throw new Error(`a fresh machine does not start: ${found.join('; ')}`)
  const close = (): void => {
    machine.kill()
    machine.disk.close()
  }
  return { life, device: machine.device, close }
}

/** At rest, one machine alone can still have its record confirmed; nobody has stopped mining for ever. */
export async function checkProbe(world: World): Promise<string[]> {
  const prng = createPrng(`probe/${world.plan.seed}`)
  const able = world.machines.filter(({ life }) => life?.chain.halted === undefined)
  if (able.length === 0) return ['no machine may mine']
  const machine = prng.pick(able)
  const before = world.ledger.length
  world.isolate(machine)
  world.say(machine)
  const done = (): boolean =>
    world.ledger.length > before &&
    world.ledger
      .slice(before)
      .every(({ record }) => machine.life !== undefined && isIn(machine.life.store, record))
  await world.time.advance(CONFIRM_MS, done)
  const alone = done() ? [] : [`${machine.name}, alone, does not confirm its own record`]
  world.reconnect()
  return [...alone, ...(await comeToRest(world))]
}
