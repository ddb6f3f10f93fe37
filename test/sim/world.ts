/** Carries out a plan: machines, network and time, and the ledger of what was acknowledged to people. */

import { admissionMessage } from '../../src/chain/admissions.ts'
import type { DeviceId, UserId } from '../../src/chain/ids.ts'
import {
  type NetworkParams,
  networkIdOf,
  REGTEST_DIFFICULTY_FLOOR,
} from '../../src/chain/params.ts'
import type { SignedRecord, Statement } from '../../src/chain/record.ts'
import { toHex, utf8 } from '../../src/common/bytes.ts'
import { publicKeyOf, sha256Stream, signEd25519, verifyEd25519 } from '../../src/common/crypto.ts'
import { codeOf } from '../../src/common/errors.ts'
import { copyDisk, createDisk, Died, type Disk } from './disk.ts'
import {
  createMachine,
  createSharedVerifier,
  explain,
  type Machine,
  type MakeKeyServer,
  short,
} from './machine.ts'
import type { Action, Plan } from './plan.ts'
import { createPrng } from './prng.ts'
import { createLibrary } from './statements.ts'
import { createVirtualNetwork } from './virtual-network.ts'
import { createVirtualTime, EPOCH, type VirtualTime } from './virtual-time.ts'

/** A record whose publication was acknowledged. */
export interface Acknowledged {
  readonly record: SignedRecord
  readonly machine: string
  /** True time, milliseconds UTC. */
  readonly at: number
}

export interface World {
  readonly plan: Plan
  readonly time: VirtualTime
  readonly params: NetworkParams
  readonly machines: readonly Machine[]
  readonly ledger: readonly Acknowledged[]
  /** How often each event, or a death, happened. */
  readonly counts: ReadonlyMap<string, number>
  /** Entries that somebody destroyed with the only disk that they were on, by putting an old copy over it. */
  lost(): Acknowledged[]
  /** What must not have happened. */
  readonly complaints: string[]
  /** SHA-256 of the trace so far, hexadecimal. */
  traceHash(): string
  /** Boots all machines and admits their devices. */
  start(): Promise<void>
  act(action: Action): Promise<void>
  /** All machines run, all connected. */
  mend(): Promise<void>
  /** Cuts one machine off from all others. */
  isolate(machine: Machine): void
  reconnect(): void
  say(machine: Machine, statement?: Statement): void
  readonly verifier: ReturnType<typeof createSharedVerifier>
  close(): void
}

/** Milliseconds that a second machine with one key has to pass on what it knows. */
const TWIN_MS = 60_000
/** Complaints kept of one run: the first ones tell. */
const MAX_COMPLAINTS = 20

export function createWorld(
  plan: Plan,
  print?: (line: string) => void,
  keyServer?: MakeKeyServer,
): World {
  const prng = createPrng(`world/${plan.seed}`)
  const time = createVirtualTime()
  const digest = sha256Stream()
  let lines = 0
  let closed = false
  const trace = (line: string): void => {
    if (closed) return
    const text = `${String(time.now() - EPOCH).padStart(9)} ${line}`
    lines += 1
    digest.update(utf8(`${text}\n`))
    print?.(text)
  }
  const complaints: string[] = []
  const complain = (what: string): void => {
    trace(`COMPLAINT ${what}`)
    if (complaints.length < MAX_COMPLAINTS) complaints.push(what)
  }
  const network = createVirtualNetwork(time, prng.fork('network'), trace)
  network.conditions(plan.conditions)
  const verifier = createSharedVerifier(({ publicKey, message, signature }) =>
    verifyEd25519(publicKey, message, signature),
  )
  const seeds = plan.nodes.map((_, index) => prng.fork(`key${index}`).bytes(32))
  const founder = publicKeyOf('ed25519', seeds[0] ?? new Uint8Array(32))
  const params: NetworkParams = {
    version: 1,
    founder,
    salt: prng.bytes(16),
    time: EPOCH - 60_000,
    difficultyFloor: REGTEST_DIFFICULTY_FLOOR,
    admission: 'open',
  }
  const devices = new Map<string, DeviceId>()
  const counts = new Map<string, number>()
  const around = {
    time,
    network,
    verifier,
    params,
    trace,
    complain,
    count: (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1),
    deviceOf: (name: string): DeviceId => devices.get(name) ?? ('' as DeviceId),
  }
  const machines: Machine[] = []
  const make = (name: string, index: number, disk?: Disk): Machine => {
    const node = plan.nodes[index]
    const seed = seeds[index]
    if (node === undefined || seed === undefined) throw new RangeError(`no node ${index}`)
    const machine = createMachine(around, {
      name,
      seed,
      pace: node.pace,
      skew: node.skew,
      prng: prng.fork(name),
      ...(disk === undefined ? {} : { disk }),
      ...(keyServer === undefined ? {} : { keyServer }),
    })
    devices.set(name, machine.device)
    return machine
  }
  for (const [index, node] of plan.nodes.entries()) machines.push(make(node.name, index))

  const library = createLibrary(prng.fork('library'))
  const ledger: Acknowledged[] = []
  /** Acknowledged by a machine before its data directory was put back. */
  const fragile = new Set<Acknowledged>()
  const users = new Map<number, UserId>()
  const copies = new Map<number, Disk>()
  const twins = new Map<number, Machine>()
  const userOf = (machine: Machine): number =>
    plan.nodes[machines.findIndex(({ device }) => device === machine.device)]?.user ?? 0

  const publish = (machine: Machine, statement: Statement): void => {
    machine.publish(statement).then(
      (record) => {
        trace(`${machine.name} acknowledged ${short(record.id)} ${record.type} #${record.sequence}`)
        ledger.push({ record, machine: machine.name, at: time.now() })
        const user = record.user ?? record.id
        if (record.type === 'user.create') users.set(userOf(machine), user)
        library.learn(record, user)
      },
      (error: unknown) => {
        if (error instanceof Died) return
        // A machine that was not admitted yet has nothing to say.
        if (codeOf(error) === 'NOT_ADMITTED') return
        complain(`${machine.name} cannot publish: ${explain(error)}`)
      },
    )
  }

  /** The first record of a device: its user's making, or its admission by the user's first device. */
  const admission = (index: number): Statement | undefined => {
    const user = plan.nodes[index]?.user ?? 0
    const first = plan.nodes.findIndex((node) => node.user === user)
    const key = (label: string): Uint8Array => prng.fork(`${label}${index}`).bytes(32)
    const encryptionKey = key('encryption')
    if (first === index) {
      return {
        type: 'user.create',
        body: {
          name: `user ${user}`,
          deviceName: `device ${index}`,
          encryptionKey,
          userKey: key('user'),
          recoveryKey: key('recovery'),
          restoreKey: key('restore'),
          proof: index === 0 ? { type: 'founder' } : { type: 'open' },
        },
      }
    }
    const id = users.get(user)
    const seed = seeds[first]
    const own = machines[index]
    if (id === undefined || seed === undefined || own === undefined) return undefined
    const device = publicKeyOf('ed25519', seed)
    const message = admissionMessage({
      network: networkIdOf(params),
      user: id,
      device: own.device,
      encryptionKey,
    })
    return {
      type: 'device.add',
      user: id,
      body: {
        name: `device ${index}`,
        encryptionKey,
        proof: { type: 'device', device, signature: signEd25519(seed, message) },
      },
    }
  }

  const at = (node: number): Machine | undefined =>
    node < 0 ? twins.get(-1 - node) : machines[node]

  const boot = async (machine: Machine): Promise<void> => {
    await machine.boot()
    const store = machine.life?.store
    if (store === undefined) return
    // Nothing acknowledged is lost: it is there at once, whatever happened to the process.
    for (const entry of ledger) {
      const { record, machine: name } = entry
      if (name === machine.name && !fragile.has(entry) && !store.hasRecord(record.id)) {
        complain(`${name} starts without ${short(record.id)}, which it had acknowledged`)
      }
    }
  }

  const deeds: { [D in Action['do']]: (deed: Extract<Action, { do: D }>) => Promise<void> | void } =
    {
      say: ({ node, what, pick }) => {
        const machine = at(node)
        if (machine?.life === undefined) return
        const user = users.get(userOf(machine))
        if (user !== undefined) publish(machine, library.compose(what, pick, user))
      },
      partition: ({ groups }) => {
        // A twin is on the other side of its original, so that the two do not meet.
        const named = groups.map((group) => group.map((index) => plan.nodes[index]?.name ?? ''))
        for (const [index, twin] of twins) {
          const original = plan.nodes[index]?.name ?? ''
          named.find((group) => !group.includes(original))?.push(twin.name)
        }
        network.partition(named)
      },
      heal: () => network.partition(undefined),
      crash: ({ node, after, side }) => {
        if (after === undefined) at(node)?.kill()
        else at(node)?.doom(after, side ?? 'before')
      },
      start: async ({ node }) => {
        const machine = at(node)
        if (machine !== undefined) await boot(machine)
      },
      lose: ({ node }) => {
        const machine = at(node)
        if (machine === undefined || machine.life !== undefined) return
        const { journal } = machine.disk
        machine.disk.close()
        machine.disk = { ...createDisk(), journal }
      },
      skew: ({ node, ms }) => {
        const machine = at(node)
        if (machine !== undefined) machine.skew = ms
      },
      jump: ({ ms }) => time.jump(ms),
      withhold: ({ node, on }) => network.silence(plan.nodes[node]?.name ?? '', on),
      copy: ({ node }) => {
        const machine = at(node)
        if (machine === undefined) return
        copies.get(node)?.close()
        copies.set(node, copyDisk(machine.disk))
      },
      twin: async ({ node, on }) => {
        const running = twins.get(node)
        if (!on) running?.kill()
        const copy = copies.get(node)
        if (!on || running !== undefined || copy === undefined) return
        copies.delete(node)
        const twin = make(`${plan.nodes[node]?.name}'`, node, copy)
        twins.set(node, twin)
        await boot(twin)
      },
      restore: ({ node }) => {
        const machine = at(node)
        const copy = copies.get(node)
        if (machine === undefined || copy === undefined || machine.life !== undefined) return
        copies.delete(node)
        machine.disk.close()
        machine.disk = copy
        for (const entry of ledger) if (entry.machine === machine.name) fragile.add(entry)
      },
      conditions: ({ conditions }) => network.conditions(conditions),
    }

  const world: World = {
    plan,
    time,
    params,
    machines,
    ledger,
    counts,
    lost: () =>
      ledger.filter(
        (entry) =>
          fragile.has(entry) &&
          !machines.some(({ life }) => life?.store.hasRecord(entry.record.id) === true),
      ),
    complaints,
    verifier,
    traceHash: () => `${lines}:${toHex(digest.digest()).slice(0, 16)}`,
    start: async () => {
      for (const machine of machines) await boot(machine)
      await introduce()
    },
    act: async (action) => {
      await time.advance(action.wait)
      trace(`act ${describe(action)}`)
      await deeds[action.do](action as never)
      await time.settle()
    },
    mend: async () => {
      trace('mend')
      network.partition(undefined)
      for (const { name } of plan.nodes) network.silence(name, false)
      for (const machine of [...machines, ...twins.values()]) machine.spare()
      // Each twin meets the others before it is gone for good: what only it knows would be lost with its disk.
      for (const [index, twin] of twins) {
        at(index)?.kill()
        await boot(twin)
      }
      if (twins.size > 0) await time.advance(TWIN_MS)
      for (const twin of twins.values()) twin.kill()
      for (const machine of machines) await boot(machine)
      await introduce()
    },
    isolate: (machine) => {
      const rest = machines.filter((other) => other !== machine).map(({ name }) => name)
      network.partition([[machine.name], rest])
    },
    reconnect: () => network.partition(undefined),
    say: (machine, statement) => {
      const user = users.get(userOf(machine))
      if (user !== undefined) publish(machine, statement ?? library.compose('add', 0, user))
    },
    close: () => {
      closed = true
      for (const machine of [...machines, ...twins.values()]) {
        machine.kill()
        machine.disk.close()
      }
      for (const copy of copies.values()) copy.close()
    },
  }

  /** Every device that has no record yet gets its first. */
  const introduce = async (): Promise<void> => {
    for (const round of ['users', 'devices']) {
      for (const [index, machine] of machines.entries()) {
        if (machine.life === undefined || machine.life.chain.user !== undefined) continue
        const first = plan.nodes.findIndex(({ user }) => user === plan.nodes[index]?.user)
        if ((round === 'users') !== (first === index)) continue
        const statement = admission(index)
        if (statement !== undefined) publish(machine, statement)
      }
      await time.advance(6000)
    }
  }

  return world
}

function describe(action: Action): string {
  const { do: what, wait, ...rest } = action
  return `${what} ${JSON.stringify(rest)} after ${wait}`
}
