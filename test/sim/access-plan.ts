/** A run about access to one private file, as a list of actions made from a seed alone. */
import type { Action, Plan } from './plan.ts'
import { createPrng } from './prng.ts'

/** The machines: the owner's two, the reader's two, and a third person's, which may be a named key holder. */
export const OWNER = 0
export const READER = 1
export const SECOND_READER = 2
export const SERVER = 3
export const SECOND_OWNER = 4
const USERS = [0, 1, 1, 2, 0] as const

/** What readers and owner do; beside it stands what happens to machines and network. */
export type AccessAction =
  | { readonly do: 'world'; readonly action: Action }
  /** A reader's device states that it reads. */
  | { readonly do: 'read'; readonly node: number; readonly wait: number }
  /** It asks every holder for the keys of all accesses of this user, its own and the other device's, at once. */
  | { readonly do: 'ask'; readonly node: number; readonly wait: number }
  | { readonly do: 'revoke'; readonly node: number; readonly wait: number }

export interface AccessPlan {
  readonly seed: number
  readonly world: Plan
  /** Machines that have the key. */
  readonly holders: readonly number[]
  readonly downloads: number
  /** Milliseconds after the grant. */
  readonly expiresIn: number | undefined
  readonly actions: readonly AccessAction[]
}

/** @param holders - how many machines have the key; default by seed: one in every other run, else two or three */
export function createAccessPlan(seed: number, holders?: number): AccessPlan {
  const prng = createPrng(`access/${seed}`)
  const count = holders ?? (seed % 2 === 0 ? 1 : prng.int(2, 3))
  const candidates = prng.shuffle([OWNER, SERVER, SECOND_OWNER])
  const chosen = candidates.slice(0, count).sort()
  const nodes = USERS.map((user, index) => ({
    name: `n${index}`,
    user,
    pace: prng.pick([50, 200, 400, 1000]),
    skew: prng.int(-1500, 1500),
  }))
  const all = nodes.map((_, index) => index)
  const actions: AccessAction[] = []
  const reader = (): number => prng.pick([READER, READER, SECOND_READER])
  const world = (action: Action): void => void actions.push({ do: 'world', action })
  const revokeAt = prng.chance(0.5) ? prng.int(2, 16) : -1
  const down = new Set<number>()
  for (let index = prng.int(18, 32); index > 0; index -= 1) {
    if (index === revokeAt) {
      actions.push({ do: 'revoke', node: prng.pick([OWNER, SECOND_OWNER]), wait: prng.int(0, 200) })
    }
    const kind = prng.next()
    // Several at once: the chain allows them all, before it counts the first.
    if (kind < 0.18) {
      for (let reads = prng.int(1, 3); reads > 0; reads -= 1) {
        actions.push({ do: 'read', node: reader(), wait: prng.int(0, 1000) })
      }
    } else if (kind < 0.55) actions.push({ do: 'ask', node: reader(), wait: prng.int(0, 4000) })
    else if (kind < 0.67) {
      const node = prng.pick(all)
      world({ do: 'say', node, what: 'add', pick: prng.next(), wait: prng.int(0, 1500) })
    } else if (kind < 0.78) {
      const order = prng.shuffle(all)
      const at = prng.int(1, all.length - 1)
      const groups = [order.slice(0, at), order.slice(at)]
      world({ do: 'partition', groups, wait: prng.int(0, 2000) })
    } else if (kind < 0.86) world({ do: 'heal', wait: prng.int(0, 3000) })
    else if (kind < 0.94) {
      const node = prng.pick([...chosen, prng.pick(all)])
      const side = prng.pick(['before', 'after'] as const)
      const wait = prng.int(0, 1000)
      world(
        prng.chance(0.3)
          ? { do: 'crash', node, wait }
          : { do: 'crash', node, after: prng.int(0, 6), side, wait },
      )
      down.add(node)
    } else {
      const node = prng.pick(down.size === 0 ? all : [...down])
      world({ do: 'start', node, wait: prng.int(0, 4000) })
      down.delete(node)
    }
  }
  const conditions = {
    delay: [5, prng.pick([60, 400, 2000])] as const,
    loss: prng.pick([0, 0, 0.3]),
    duplicate: 0,
    breaks: prng.pick([0, 0.02]),
  }
  return {
    seed,
    world: { seed, family: 'mix', nodes, conditions, actions: [] },
    holders: chosen,
    downloads: prng.int(1, 3),
    expiresIn: prng.chance(0.15) ? prng.int(40_000, 120_000) : undefined,
    actions,
  }
}
