/** One run: a plan carried out, healed, and checked. */
import { messageOf } from '../../src/common/errors.ts'
import { checkProbe, checkRest, comeToRest } from './invariants.ts'
import { explain } from './machine.ts'
import type { Plan } from './plan.ts'
import { createWorld } from './world.ts'

export interface Outcome {
  readonly plan: Plan
  /** What is wrong; empty: all is well. */
  readonly failures: readonly string[]
  /** Number of lines of the trace and their hash: equal for equal plans. */
  readonly trace: string
  readonly figures: {
    readonly records: number
    readonly height: number
    readonly blocks: number
    readonly steps: number
    /** Milliseconds of virtual time. */
    readonly virtual: number
    /** Milliseconds from acknowledged to confirmed on the last machine, of the slowest record. */
    readonly slowest: number
    readonly reorgs: number
    /** Records that could not enter the chain and were signed again. */
    readonly stranded: number
    readonly alarms: number
    readonly deaths: number
  }
}

/** Milliseconds of virtual time within which a record is confirmed everywhere when nothing is wrong. */
const PLAIN_CONFIRM_MS = 30_000

/** @param print - receives the lines of the trace */
export async function simulate(plan: Plan, print?: (line: string) => void): Promise<Outcome> {
  const world = createWorld(plan, print)
  const began = world.time.now()
  const failures: string[] = []
  const unhandled = (error: unknown): void => void failures.push(`unhandled: ${explain(error)}`)
  process.on('unhandledRejection', unhandled)
  let blocks = 0
  const confirmed = new Map<string, number>()
  for (const machine of world.machines) {
    machine.onMined = () => {
      blocks += 1
    }
    machine.onConfirmed = (record) => {
      const key = `${machine.name} ${record}`
      if (!confirmed.has(key)) confirmed.set(key, world.time.now())
    }
  }
  /** Milliseconds from the acknowledgement of a record to its confirmation on the last machine. */
  const slowest = (): number =>
    Math.max(
      0,
      ...world.ledger.flatMap(({ record, at }) =>
        world.machines.map(({ name }) => (confirmed.get(`${name} ${record.id}`) ?? at) - at),
      ),
    )
  try {
    const steps: (() => Promise<string[]>)[] = [
      async () => {
        await world.start()
        for (const action of plan.actions) {
          await world.act(action)
          if (world.complaints.length > 0) break
        }
        await world.mend()
        return []
      },
      () => comeToRest(world),
      () => checkRest(world),
      () => checkProbe(world),
      () => checkRest(world),
      async () =>
        plan.family === 'plain' && slowest() > PLAIN_CONFIRM_MS
          ? [`a record took ${slowest()} ms to be confirmed everywhere`]
          : [],
    ]
    for (const step of steps) {
      failures.push(...(await step()), ...world.complaints)
      if (failures.length > 0) break
    }
  } catch (error) {
    failures.push(`the simulation fails: ${explain(error)} ${messageOf(error)}`)
  } finally {
    process.off('unhandledRejection', unhandled)
  }
  const counted = (what: string): number => world.counts.get(what) ?? 0
  const height = world.machines[0]?.life?.store.tip().height ?? 0
  const figures = {
    records: world.ledger.length,
    height,
    blocks,
    steps: world.time.steps,
    virtual: world.time.now() - began,
    slowest: slowest(),
    reorgs: counted('chain:reorg'),
    stranded: counted('record:stranded'),
    alarms: counted('chain:alarm'),
    deaths: counted('death'),
  }
  const trace = world.traceHash()
  world.close()
  return { plan, failures, trace, figures }
}

/** Leaves out actions for as long as the run still fails: what remains is what matters. */
export async function shorten(plan: Plan, attempts = 200): Promise<Plan> {
  let best = plan
  let left = attempts
  for (let size = Math.ceil(plan.actions.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < best.actions.length && left > 0; left -= 1) {
      const actions = best.actions.filter((_, index) => index < at || index >= at + size)
      const shorter = { ...best, actions }
      if ((await simulate(shorter)).failures.length > 0) best = shorter
      else at += size
    }
  }
  return best
}
