/**
 * Count and revocation of a grant under partitions, reorgs and crashes: the real chain service, store and key
 * holder on every machine. What must hold is checked where a key leaves, against what that machine's store holds.
 */
import type { DeviceId, RecordId, UserId } from '../../src/chain/ids.ts'
import { deviceKeyOf } from '../../src/chain/ids.ts'
import type { SignedRecord, Statement } from '../../src/chain/record.ts'
import { readDevice } from '../../src/chain/state/devices.ts'
import { readReleased } from '../../src/chain/state/grants.ts'
import { sleep } from '../../src/common/clock.ts'
import { messageOf } from '../../src/common/errors.ts'
import {
  decodeKeyAnswer,
  decodeKeyRequest,
  encodeKeyRequest,
} from '../../src/network/key-release/messages.ts'
import { createKeyServer } from '../../src/network/key-release/server.ts'
import { createReleasing } from '../../src/services/access/releasing.ts'
import { privateContent } from '../unit/chain/people.ts'
import { type AccessPlan, READER, SECOND_READER, SERVER } from './access-plan.ts'
import { Died } from './disk.ts'
import { comeToRest } from './invariants.ts'
import { explain, type Life, type Machine, type MakeKeyServer, short } from './machine.ts'
import { createWorld, type World } from './world.ts'

export interface AccessOutcome {
  readonly plan: AccessPlan
  readonly failures: readonly string[]
  readonly trace: string
  readonly figures: {
    /** Machines that have the key. */
    readonly holders: number
    readonly downloads: number
    readonly accesses: number
    /** Distinct accesses whose key left. */
    readonly released: number
    /** Keys that left beyond what was allowed. */
    readonly excess: number
    /** Keys that left under a revocation that another machine knew and the holder did not. */
    readonly late: number
    /** Answers with a key, also those for an access that was released already. */
    readonly keys: number
    readonly refused: Readonly<Record<string, number>>
    readonly reorgs: number
    readonly deaths: number
  }
}

/** Milliseconds within which a statement is durable, once nothing is wrong. */
const SAY_MS = 120_000
/** Milliseconds for what was stated to be in everybody's chain. */
const SPREAD_MS = 20_000
/** Milliseconds at most between two steps of a key holder. */
const MAX_PAUSE_MS = 400
const SECRET = new Uint8Array(32).fill(5)

interface Given {
  readonly access: RecordId
  readonly holder: string
}

export async function simulateAccess(
  plan: AccessPlan,
  print?: (line: string) => void,
): Promise<AccessOutcome> {
  const failures: string[] = []
  const given: Given[] = []
  const refused: Record<string, number> = {}
  const accesses: SignedRecord[] = []
  let grant: SignedRecord | undefined
  let expires: number | undefined
  let revoked = false
  let late = 0
  let probing: ((from: DeviceId, code: string) => void) | undefined

  const fail = (what: string): void => {
    if (failures.length < 10) failures.push(what)
  }

  const keyServer: MakeKeyServer = (name, { chain, store, events, clock, logger, alive }) => {
    const pause = (): Promise<void> => sleep(clock, Math.floor(clock.random() * MAX_PAUSE_MS))
    const hasKey = plan.holders.some((index) => plan.world.nodes[index]?.name === name)
    const holder = createReleasing({
      store,
      // A busy node: its writer has other work before and after.
      records: {
        publish: async (statement, signal) => {
          await pause()
          const record = await chain.publish(statement, signal)
          await pause()
          return record
        },
      },
      keys: {
        contentKeyOf: async () => (hasKey ? SECRET : undefined),
        metadataKeyOf: async () => undefined,
      },
      seal: async () => {
        await pause()
        return new Uint8Array(80)
      },
      people: { userOf: (of) => readDevice(store.state, of)?.user, isRevoked: () => false },
      events,
      clock,
      device: machineOf(name).device,
    })
    // Readers ask as often as they like: the count must not rest on that limit.
    const server = createKeyServer({ holder, clock, logger }, { capacity: 1e6, perSecond: 1e6 })
    return {
      answer: async (request, from, signal) => {
        const encoded = await server.answer(request, from, signal)
        if (!alive()) throw new Died()
        const answer = decodeKeyAnswer(encoded)
        if (answer.type === 'refused') {
          refused[answer.code] = (refused[answer.code] ?? 0) + 1
          probing?.(from, answer.code)
          return encoded
        }
        const { access } = decodeKeyRequest(request)
        given.push({ access, holder: name })
        probing?.(from, 'key')
        const maker = accesses.find(({ identity }) => identity === access)?.device
        if (maker !== from) fail(`${name} gives ${short(from)} the key for another's access`)
        if (grant === undefined) return encoded
        if (knowsRevocation({ store }, grant)) {
          fail(`${name} gives a key and knows the revocation`)
        } else if (revoked) late += 1
        if (expires !== undefined && clock.now() > expires) fail(`${name} gives a key too late`)
        if (store.projections.releasesOf(access).length === 0) {
          fail(`${name} gives a key and has no release of it`)
        }
        return encoded
      },
    }
  }

  const world = createWorld(plan.world, print, keyServer)
  const machineOf = (name: string): Machine => {
    const machine = world.machines.find((each) => each.name === name)
    if (machine === undefined) throw new RangeError(`no machine ${name}`)
    return machine
  }
  const at = (index: number): Machine => machineOf(plan.world.nodes[index]?.name ?? '')
  const holderMachines = plan.holders.map(at)

  const ask = (machine: Machine, asked: readonly SignedRecord[]): void => {
    for (const holder of world.machines) {
      if (holder === machine) continue
      for (const access of asked) {
        machine
          .askKey(holder.name, encodeKeyRequest({ access: access.identity }))
          // Nobody is there, or the connection breaks: a reader asks again.
          .catch(() => {})
      }
    }
  }

  try {
    await world.start()
    const said = await begin(world, plan, at)
    grant = said.grant
    expires = said.grant.type === 'grant' ? said.grant.body.expires : undefined
    const { version } = said
    const read = (machine: Machine): void => {
      const body = { version, grant: said.grant.identity }
      machine.publish({ type: 'access', body }).then(
        (record) => void accesses.push(record),
        (error: unknown) => {
          if (!(error instanceof Died)) fail(`a reader cannot publish: ${explain(error)}`)
        },
      )
    }
    for (const action of plan.actions) {
      if (action.do === 'world') {
        await world.act(action.action)
        continue
      }
      await world.time.advance(action.wait)
      const machine = at(action.node)
      if (machine.life === undefined) continue
      if (action.do === 'read') read(machine)
      if (action.do === 'ask') ask(machine, accesses)
      if (action.do === 'revoke') {
        const body = { grant: said.grant.identity }
        machine.publish({ type: 'revoke', body }).then(
          () => {
            revoked = true
          },
          () => {},
        )
      }
      await world.time.settle()
    }
    await world.mend()
    failures.push(...(await comeToRest(world)), ...world.complaints)

    // Everybody is here again: all that is left of the grant is given, and not one more.
    // A machine that died before it could tell may have written its revocation down.
    const open = (): boolean =>
      !world.machines.some(({ life }) => knowsRevocation(life, said.grant)) &&
      (expires === undefined || world.time.now() < expires)
    for (let more = 0; more <= plan.downloads && failures.length === 0; more += 1) {
      const machine = at(more % 2 === 0 ? READER : SECOND_READER)
      const before = accesses.length
      const allowed = distinct(given) < plan.downloads && open()
      read(machine)
      await until(world, () => accesses.length > before)
      await world.time.advance(SPREAD_MS)
      const probe = accesses.at(-1)
      const seen: string[] = []
      probing = (from, code) => void (from === machine.device && seen.push(code))
      // Once more: a stream may break.
      for (let again = 0; again < 6 && probe !== undefined; again += 1) {
        ask(machine, [probe])
        await world.time.advance(5000)
      }
      probing = undefined
      const got = seen.includes('key')
      // Several holders may each have written down a release whose key did not arrive.
      if (got && !allowed) fail('a key leaves although nothing is left of the grant')
      if (!got && allowed && open() && plan.holders.length === 1 && !spent(holderMachines, grant)) {
        fail(`no key although ${distinct(given)} of ${plan.downloads} left: ${seen.join(' ')}`)
      }
    }
    const counted = Math.max(
      ...world.machines.map(({ life }) =>
        life === undefined || grant === undefined
          ? 0
          : readReleased(life.store.state, grant.identity),
      ),
    )
    // Each holder counts its own, so that several who never meet give at most so many times as much.
    if (distinct(given) > plan.downloads * plan.holders.length) {
      fail(`${distinct(given)} keys left, ${plan.downloads} were allowed`)
    }
    if (plan.holders.length === 1) {
      if (counted > plan.downloads) fail(`the chain counts ${counted} of ${plan.downloads}`)
      // Past its expiry, or once revoked, an access that a reorg moved is denied there, and its release with it.
      if (open() && counted < distinct(given)) fail(`the chain counts only ${counted}`)
    }
  } catch (error) {
    fail(`the simulation fails: ${explain(error)} ${messageOf(error)}`)
  }
  const released = distinct(given)
  const figures = {
    holders: plan.holders.length,
    downloads: plan.downloads,
    accesses: accesses.length,
    released,
    excess: Math.max(0, released - plan.downloads),
    late,
    keys: given.length,
    refused,
    reorgs: world.counts.get('chain:reorg') ?? 0,
    deaths: world.counts.get('death') ?? 0,
  }
  const trace = world.traceHash()
  world.close()
  return { plan, failures, trace, figures }
}

function knowsRevocation(life: Pick<Life, 'store'> | undefined, grant: SignedRecord): boolean {
  return (life?.store.projections.revocationsOf(grant.identity).length ?? 0) > 0
}

function distinct(given: readonly Given[]): number {
  return new Set(given.map(({ access }) => access)).size
}

/** Whether the holders wrote down more than left: a crash between the record and the key. */
function spent(holders: readonly Machine[], grant: SignedRecord | undefined): boolean {
  return holders.some(({ life }) => {
    if (life === undefined || grant?.type !== 'grant') return false
    return readReleased(life.store.state, grant.identity) >= (grant.body.downloads ?? 0)
  })
}

/** The private file, the grant, and the server's right to give its key, in everybody's chain. */
async function begin(
  world: World,
  plan: AccessPlan,
  at: (index: number) => Machine,
): Promise<{ grant: SignedRecord; version: RecordId }> {
  const owner = at(0)
  const say = async (statement: Statement): Promise<SignedRecord> => {
    let said: SignedRecord | undefined
    owner.publish(statement).then((record) => {
      said = record
    })
    await until(world, () => said !== undefined)
    if (said === undefined) throw new Error(`${statement.type} could not be said`)
    return said
  }
  const file = await say({ type: 'file.add', body: privateContent('secret') })
  const user = (index: number): UserId => {
    const admission = admissionOf(owner, at(index))
    return admission.user ?? admission.id
  }
  if (plan.holders.includes(SERVER)) {
    const server = at(SERVER)
    const device = deviceKeyOf(server.device)
    if (device === undefined) throw new Error('a device has a key')
    const admission = admissionOf(owner, server).id
    await say({
      type: 'holder.add',
      body: { file: file.identity, device, admission, keys: [] },
    })
  }
  const grant = await say({
    type: 'grant',
    body: {
      file: file.identity,
      user: user(READER),
      to: new Uint8Array(32),
      metadataKey: new Uint8Array(80),
      downloads: plan.downloads,
      ...(plan.expiresIn === undefined ? {} : { expires: world.time.now() + plan.expiresIn }),
    },
  })
  await world.time.advance(SPREAD_MS)
  return { grant, version: file.identity }
}

function admissionOf(by: Machine, of: Machine): SignedRecord {
  const stored = by.life?.store.recordsAt(of.device, 0)[0]
  if (stored === undefined) throw new Error(`${of.name} is not known`)
  return stored.record
}

async function until(world: World, done: () => boolean): Promise<void> {
  await world.time.advance(SAY_MS, done)
}
