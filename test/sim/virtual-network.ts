/**
 * The network between simulated machines: delay, loss, duplication, reordering, cuts.
 *
 * Gossip travels as gossipsub carries it: a message is judged once by each machine and passed on when it was
 * accepted. Requests of sync travel on streams: in order, whole or broken. A cut breaks both.
 */
import { toHex } from '../../src/common/bytes.ts'
import { sha256 } from '../../src/common/crypto.ts'
import { networkError } from '../../src/network/errors.ts'
import type { Prng } from './prng.ts'
import type { VirtualTime } from './virtual-time.ts'

/** Milliseconds during which a machine remembers which messages it has judged (gossipsub's seenTTL). */
const SEEN_MS = 120_000

export interface Endpoint {
  /** Its key's name. Machines with one key look like one to others, who are connected to one of them only. */
  readonly identity: string
  /** Judges a gossip message that came from `from`; true passes it on. */
  gossip(from: string, topic: string, payload: Uint8Array): Promise<boolean>
  /** The frames that answer a request. */
  answer(from: string, request: Uint8Array): Iterable<Uint8Array>
  /** The answer of a key holder. */
  answerKey?(from: string, request: Uint8Array): Promise<Uint8Array>
  connected(peer: string): void
  disconnected(peer: string): void
}

export interface NetworkConditions {
  /** Milliseconds, one way. */
  readonly delay: readonly [number, number]
  /** Probability that a gossip message is lost on a link. */
  readonly loss: number
  /** Probability that it comes twice. */
  readonly duplicate: number
  /** Probability that a stream breaks, per frame. */
  readonly breaks: number
}

export interface VirtualNetwork {
  /** A machine appears; it is connected to all that it can reach. */
  join(name: string, endpoint: Endpoint): void
  /** It is gone; what is on its way to it is lost. */
  leave(name: string): void
  /** Only machines of one group reach each other; those in no group reach nobody. Undefined: all reach all. */
  partition(groups: readonly (readonly string[])[] | undefined): void
  /** What this machine says is not heard: it takes and does not give. */
  silence(name: string, silent: boolean): void
  /** From now on. */
  conditions(conditions: NetworkConditions): void
  peersOf(name: string): string[]
  gossip(from: string, topic: string, payload: Uint8Array): void
  /** Carries a request and gives the frames of its answer as they come; throws when the connection breaks. */
  exchange(
    from: string,
    to: string,
    request: Uint8Array,
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>
  /** Asks a key holder; throws when the connection breaks, on the way there or back. */
  askKey(from: string, to: string, request: Uint8Array): Promise<Uint8Array>
  /** Messages of gossip that arrived and frames of answers. */
  readonly carried: number
}

interface Machine {
  readonly endpoint: Endpoint
  readonly seen: Map<string, number>
  /** Distinguishes a machine from itself before a restart. */
  readonly life: number
}

/** The connection of a stream broke. */
const broken = (peer: string): Error => networkError('SYNC_STREAM', { peer })

export function createVirtualNetwork(
  time: VirtualTime,
  prng: Prng,
  trace: (line: string) => void,
): VirtualNetwork {
  const machines = new Map<string, Machine>()
  const silent = new Set<string>()
  const links = new Map<string, number>()
  let groups: readonly (readonly string[])[] | undefined
  let now: NetworkConditions = { delay: [5, 50], loss: 0, duplicate: 0, breaks: 0 }
  let lives = 0
  let carried = 0

  const key = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`)
  const reach = (a: string, b: string): boolean =>
    machines.has(a) &&
    machines.has(b) &&
    (groups === undefined || groups.some((group) => group.includes(a) && group.includes(b)))
  const delay = (): number => prng.int(now.delay[0], now.delay[1])

  const linked = (name: string): string[] =>
    [...machines.keys()].filter((other) => links.has(key(name, other)))
  const identityOf = (name: string): string | undefined => machines.get(name)?.endpoint.identity
  const mistaken = (a: string, b: string): boolean =>
    identityOf(a) === identityOf(b) ||
    linked(a).some((other) => identityOf(other) === identityOf(b)) ||
    linked(b).some((other) => identityOf(other) === identityOf(a))

  /** Makes the connections what they should be now, and tells the machines. */
  const update = (): void => {
    const names = [...machines.keys()]
    for (const link of [...links.keys()]) {
      const [a = '', b = ''] = link.split('|')
      if (reach(a, b)) continue
      links.delete(link)
      trace(`cut ${link}`)
      machines.get(a)?.endpoint.disconnected(b)
      machines.get(b)?.endpoint.disconnected(a)
    }
    for (const [index, a] of names.entries()) {
      for (const b of names.slice(index + 1)) {
        if (links.has(key(a, b)) || !reach(a, b) || mistaken(a, b)) continue
        lives += 1
        links.set(key(a, b), lives)
        machines.get(a)?.endpoint.connected(b)
        machines.get(b)?.endpoint.connected(a)
      }
    }
  }

  const arrive = async (
    from: string,
    to: string,
    topic: string,
    payload: Uint8Array,
  ): Promise<void> => {
    const machine = machines.get(to)
    if (machine === undefined || silent.has(from)) return
    const id = toHex(sha256(payload))
    const seenAt = machine.seen.get(id)
    if (seenAt !== undefined && seenAt + SEEN_MS > time.now()) return
    machine.seen.set(id, time.now())
    carried += 1
    const accepted = await machine.endpoint.gossip(from, topic, payload)
    if (accepted && machines.get(to) === machine) spread(to, topic, payload, from)
  }

  const spread = (from: string, topic: string, payload: Uint8Array, but?: string): void => {
    for (const to of machines.keys()) {
      const link = key(from, to)
      const life = links.get(link)
      if (to === from || to === but || life === undefined) continue
      const copies = prng.chance(now.loss) ? 0 : prng.chance(now.duplicate) ? 2 : 1
      for (let copy = 0; copy < copies; copy += 1) {
        time.after(delay(), () => {
          if (links.get(link) === life) void arrive(from, to, topic, payload)
        })
      }
    }
  }

  const travel = (): Promise<void> => new Promise((resolve) => void time.after(delay(), resolve))

  /** One way of a stream that is opened now. */
  const hopsOf = (from: string, to: string) => {
    const life = links.get(key(from, to))
    return async (signal?: AbortSignal): Promise<void> => {
      await travel()
      signal?.throwIfAborted()
      if (life === undefined || links.get(key(from, to)) !== life || prng.chance(now.breaks)) {
        throw broken(to)
      }
    }
  }

  return {
    get carried() {
      return carried
    },
    join: (name, endpoint) => {
      lives += 1
      machines.set(name, { endpoint, seen: new Map(), life: lives })
      update()
    },
    leave: (name) => {
      machines.delete(name)
      update()
    },
    partition: (next) => {
      groups = next
      update()
    },
    silence: (name, on) => {
      if (on) silent.add(name)
      else silent.delete(name)
    },
    conditions: (next) => {
      now = next
    },
    peersOf: linked,
    gossip: (from, topic, payload) => {
      machines.get(from)?.seen.set(toHex(sha256(payload)), time.now())
      if (!silent.has(from)) spread(from, topic, payload)
    },
    exchange: async function* (from, to, request, signal) {
      const hop = hopsOf(from, to)
      await hop(signal)
      const machine = machines.get(to)
      if (machine === undefined || silent.has(to)) throw broken(to)
      for (const frame of machine.endpoint.answer(from, request)) {
        await hop(signal)
        carried += 1
        yield frame
      }
    },
    askKey: async (from, to, request) => {
      const hop = hopsOf(from, to)
      await hop()
      const answer = await machines.get(to)?.endpoint.answerKey?.(from, request)
      if (answer === undefined) throw broken(to)
      await hop()
      carried += 1
      return answer
    },
  }
}
