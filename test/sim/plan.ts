/**
 * A run as a list of actions, made from a seed alone. Being data, a failing one can be made shorter.
 */
import { createPrng, type Prng } from './prng.ts'
import type { NetworkConditions } from './virtual-network.ts'

export const FAMILIES = [
  'plain',
  'halves',
  'week',
  'crashes',
  'clocks',
  'deaf',
  'copies',
  'deep',
  'withhold',
  'ties',
  'mix',
] as const
export type Family = (typeof FAMILIES)[number]

export interface NodePlan {
  readonly name: string
  /** Number of the user that it belongs to; the first node of a user makes the user. */
  readonly user: number
  /** Milliseconds of search per expected hash. */
  readonly pace: number
  /** Milliseconds that its clock is ahead of the truth. */
  readonly skew: number
}

export type Saying = 'add' | 'update' | 'remove' | 'vote' | 'access'

export type Deed =
  /** A device states something; `pick` in [0, 1) chooses what it is about, also what it cannot have seen yet. */
  | { readonly do: 'say'; readonly node: number; readonly what: Saying; readonly pick: number }
  | { readonly do: 'partition'; readonly groups: readonly (readonly number[])[] }
  | { readonly do: 'heal' }
  /** The process dies, at once or at its `after`th access to the disk from now, before or after that. */
  | {
      readonly do: 'crash'
      readonly node: number
      readonly after?: number
      readonly side?: 'before' | 'after'
    }
  | { readonly do: 'start'; readonly node: number }
  /** The database of a dead node is damaged: an empty one, beside the journal. */
  | { readonly do: 'lose'; readonly node: number }
  | { readonly do: 'skew'; readonly node: number; readonly ms: number }
  /** All machines sleep. */
  | { readonly do: 'jump'; readonly ms: number }
  | { readonly do: 'withhold'; readonly node: number; readonly on: boolean }
  /** The data directory is copied. */
  | { readonly do: 'copy'; readonly node: number }
  /** The copy runs on another machine, with the same keys. */
  | { readonly do: 'twin'; readonly node: number; readonly on: boolean }
  /** The copy is put back over the data directory. */
  | { readonly do: 'restore'; readonly node: number }
  | { readonly do: 'conditions'; readonly conditions: NetworkConditions }

export type Action = Deed & {
  /** Milliseconds after the action before it. */
  readonly wait: number
}

export interface Plan {
  readonly seed: number
  readonly family: Family
  readonly nodes: readonly NodePlan[]
  readonly conditions: NetworkConditions
  readonly actions: readonly Action[]
}

const FINE: NetworkConditions = { delay: [5, 60], loss: 0, duplicate: 0, breaks: 0 }
const DAY = 86_400_000

/** The family of a seed that is not told another one. */
export function familyOf(seed: number): Family {
  return FAMILIES[seed % FAMILIES.length] as Family
}

export function createPlan(seed: number, family?: Family): Plan {
  const prng = createPrng(`cairn/${seed}`)
  const chosen = family ?? familyOf(seed)
  const size = chosen === 'ties' ? prng.int(4, 6) : prng.int(2, 5)
  const users = prng.int(1, Math.min(3, size))
  const ahead = prng.int(0, size - 1)
  const wide = chosen === 'clocks' || (chosen === 'mix' && prng.chance(0.3))
  const nodes = Array.from({ length: size }, (_, index): NodePlan => {
    const honest = prng.int(-1500, 1500)
    const strange = prng.pick([-1, 1]) * prng.int(125_000, 400_000)
    const uneasy = prng.int(-45_000, 45_000)
    return {
      name: `n${index}`,
      user: index < users ? index : prng.int(0, users - 1),
      pace: chosen === 'ties' ? 40 : prng.pick([50, 200, 400, 1000]),
      skew: !wide ? honest : index === ahead && size > 2 ? strange : uneasy,
    }
  })
  const actions = writeActions(chosen, size, prng)
  const conditions =
    chosen === 'ties'
      ? { ...FINE, delay: [100, 1500] as const }
      : chosen === 'deaf'
        ? { delay: [5, 400] as const, loss: prng.pick([0.5, 0.9, 1]), duplicate: 0.1, breaks: 0.05 }
        : chosen === 'mix'
          ? roughConditions(prng)
          : FINE
  return { seed, family: chosen, nodes, conditions, actions }
}

function roughConditions(prng: Prng): NetworkConditions {
  return {
    delay: [1, prng.pick([20, 200, 2000])],
    loss: prng.pick([0, 0.1, 0.5]),
    duplicate: prng.pick([0, 0.3]),
    breaks: prng.pick([0, 0.02]),
  }
}

function writeActions(family: Family, size: number, prng: Prng): Action[] {
  const actions: Action[] = []
  const add = (wait: number, deed: Deed): void => void actions.push({ ...deed, wait })
  const node = (): number => prng.int(0, size - 1)
  const say = (who = node(), wait = prng.int(10, 3000)): void => {
    const what = prng.pick<Saying>(['add', 'add', 'update', 'remove', 'vote', 'vote', 'access'])
    add(wait, { do: 'say', node: who, what, pick: prng.next() })
  }
  const talk = (count: number, most = 3000): void => {
    for (let index = 0; index < count; index += 1) say(node(), prng.int(10, most))
  }
  const split = (): void => {
    const order = prng.shuffle(Array.from({ length: size }, (_, index) => index))
    const at = prng.int(1, size - 1)
    add(prng.int(0, 2000), { do: 'partition', groups: [order.slice(0, at), order.slice(at)] })
  }
  const heal = (): void => add(prng.int(0, 3000), { do: 'heal' })
  const crash = (who = node()): void => {
    add(
      prng.int(0, 3000),
      prng.chance(0.4)
        ? { do: 'crash', node: who }
        : {
            do: 'crash',
            node: who,
            after: prng.int(0, 6),
            side: prng.pick(['before', 'after'] as const),
          },
    )
  }
  const start = (who: number): void => add(prng.int(100, 20_000), { do: 'start', node: who })

  const parts: Record<Exclude<Family, 'mix'>, () => void> = {
    plain: () => talk(prng.int(6, 16)),
    halves: () => {
      talk(3)
      split()
      talk(prng.int(6, 14), 4000)
      heal()
      talk(2)
    },
    week: () => {
      talk(3)
      const away = node()
      const rest = Array.from({ length: size }, (_, index) => index).filter((it) => it !== away)
      add(500, { do: 'partition', groups: [[away], rest] })
      for (let day = 0; day < 7; day += 1) {
        if (prng.chance(0.6)) say(away)
        if (prng.chance(0.6)) say(prng.pick(rest))
        add(prng.int(3000, 20_000), { do: 'jump', ms: DAY - prng.int(0, 3_600_000) })
      }
      say(away)
      heal()
    },
    crashes: () => {
      talk(2)
      for (let round = prng.int(2, 5); round > 0; round -= 1) {
        const who = node()
        crash(who)
        say(who, prng.int(0, 200))
        talk(prng.int(1, 3), 1500)
        if (prng.chance(0.2)) {
          // Twice, so that one that was not reached dies as well.
          add(0, { do: 'crash', node: who })
          add(0, { do: 'lose', node: who })
        }
        start(who)
      }
    },
    clocks: () => {
      talk(prng.int(3, 8))
      if (prng.chance(0.5)) add(1000, { do: 'skew', node: node(), ms: prng.int(-180_000, 180_000) })
      talk(prng.int(2, 5))
    },
    deaf: () => talk(prng.int(5, 12), 6000),
    copies: () => {
      talk(3)
      const who = node()
      say(who)
      add(prng.int(0, 8000), { do: 'copy', node: who })
      talk(prng.int(1, 4))
      if (prng.chance(0.5)) {
        if (prng.chance(0.7)) split()
        add(prng.int(100, 4000), { do: 'twin', node: who, on: true })
        for (let index = prng.int(2, 5); index > 0; index -= 1) {
          say(who)
          add(prng.int(0, 2000), { do: 'say', node: -1 - who, what: 'add', pick: prng.next() })
          if (prng.chance(0.4)) say()
        }
        if (prng.chance(0.5)) {
          heal()
          say(who, 6000)
        }
        add(prng.int(5000, 20_000), { do: 'twin', node: who, on: false })
      } else {
        say(who, 500)
        add(prng.int(0, 6000), { do: 'crash', node: who })
        if (prng.chance(0.5)) say()
        add(500, { do: 'restore', node: who })
        if (prng.chance(0.3)) split()
        start(who)
        say(who, prng.int(0, 3000))
        say(who)
      }
      heal()
      say(who)
    },
    deep: () => {
      talk(2)
      split()
      for (let index = prng.int(25, 45); index > 0; index -= 1) say(node(), prng.int(500, 3000))
      heal()
    },
    withhold: () => {
      talk(3)
      const who = node()
      add(500, { do: 'withhold', node: who, on: true })
      for (let index = prng.int(4, 9); index > 0; index -= 1) {
        say(prng.chance(0.5) ? who : node())
      }
      add(prng.int(1000, 9000), { do: 'withhold', node: who, on: false })
      talk(2)
    },
    ties: () => {
      talk(3)
      for (let round = prng.int(3, 8); round > 0; round -= 1) {
        for (let index = 0; index < size; index += 1) say(index, prng.int(0, 120))
        add(prng.int(1000, 8000), { do: 'heal' })
      }
    },
  }
  if (family !== 'mix') {
    parts[family]()
    return actions
  }
  const names = Object.keys(parts) as (keyof typeof parts)[]
  const shorter = names.filter((name) => name !== 'deep')
  for (let part = prng.int(2, 3); part > 0; part -= 1) {
    parts[prng.pick(shorter)]()
    if (prng.chance(0.3)) {
      add(0, { do: 'conditions', conditions: roughConditions(prng) })
    }
  }
  return actions
}
