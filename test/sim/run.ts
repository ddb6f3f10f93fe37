/**
 * The simulator as a command.
 *
 *   node test/sim/run.ts --seeds 10000            seeds 1 to 10000, on all cores
 *   node test/sim/run.ts --seeds 500 --from 2000
 *   node test/sim/run.ts --family halves --seeds 200
 *   node test/sim/run.ts --access --seeds 2000    count and revocation of a grant; --holders 1 to 3
 *   node test/sim/run.ts --seed 42 --trace        one run again, each step printed
 *   node test/sim/run.ts --seed 42 --shrink       the fewest actions that still fail
 */
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { simulateAccess } from './access.ts'
import { createAccessFigures } from './access-figures.ts'
import { createAccessPlan } from './access-plan.ts'
import { createPlan, FAMILIES, type Family } from './plan.ts'
import { shorten, simulate } from './simulate.ts'
import { createAccessCrew, createCrew, type SeedResult } from './workers.ts'

/** Failing seeds that are told in full. */
const TOLD = 20

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '300' },
    from: { type: 'string', default: '1' },
    family: { type: 'string' },
    workers: { type: 'string', default: String(availableParallelism()) },
    trace: { type: 'boolean', default: false },
    shrink: { type: 'boolean', default: false },
    access: { type: 'boolean', default: false },
    holders: { type: 'string' },
  },
})

const family = values.family as Family | undefined
if (family !== undefined && !FAMILIES.includes(family)) {
  console.error(`There is no family ${family}. There are: ${FAMILIES.join(', ')}.`)
  process.exit(2)
}

const holders = values.holders === undefined ? undefined : Number(values.holders)
if (values.access && values.seed !== undefined) await oneAccess(Number(values.seed))
else if (values.access) await manyAccess(Number(values.from), Number(values.seeds))
else if (values.seed !== undefined) await one(Number(values.seed))
else await many(Number(values.from), Number(values.seeds))

async function one(seed: number): Promise<void> {
  const print = values.trace ? (line: string) => console.log(line) : undefined
  let plan = createPlan(seed, family)
  if (values.shrink) plan = await shorten(plan)
  const { failures, trace, figures } = await simulate(plan, print)
  console.log(`seed ${seed}, ${plan.family}: ${JSON.stringify(figures)} trace ${trace}`)
  if (values.shrink) for (const action of plan.actions) console.log(`  ${JSON.stringify(action)}`)
  for (const failure of failures) console.error(`  FAILS: ${failure}`)
  if (failures.length > 0) process.exitCode = 1
}

async function many(from: number, count: number): Promise<void> {
  const began = performance.now()
  const failed: SeedResult[] = []
  let done = 0
  let told = began
  const totals = { records: 0, blocks: 0, height: 0, virtual: 0, reorgs: 0, stranded: 0, deaths: 0 }
  const seeds = Array.from({ length: count }, (_, index) => from + index)
  const crew = createCrew(Number(values.workers))
  await crew.run(seeds, family, (result) => {
    done += 1
    for (const key of Object.keys(totals) as (keyof typeof totals)[]) {
      totals[key] += result.figures[key]
    }
    if (result.failures.length > 0) {
      failed.push(result)
      if (failed.length <= TOLD) tell(result)
    }
    if (performance.now() - told > 10_000) {
      told = performance.now()
      console.log(`${done} of ${count} seeds, ${failed.length} fail`)
    }
  })
  await crew.close()
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  const days = (totals.virtual / 86_400_000).toFixed(1)
  console.log(
    `${done} seeds in ${seconds} s, ${failed.length} fail; ${totals.records} records, ${totals.blocks} blocks mined, ${totals.height} in the chains, ${totals.reorgs} reorgs, ${totals.stranded} stranded, ${totals.deaths} deaths, ${days} days of virtual time`,
  )
  if (failed.length > 0) {
    console.error(`failing seeds: ${failed.map(({ seed }) => seed).join(' ')}`)
    process.exitCode = 1
  }
}

async function oneAccess(seed: number): Promise<void> {
  const print = values.trace ? (line: string) => console.log(line) : undefined
  const plan = createAccessPlan(seed, holders)
  const { failures, trace, figures } = await simulateAccess(plan, print)
  console.log(`seed ${seed}: ${JSON.stringify(figures)} trace ${trace}`)
  for (const failure of failures) console.error(`  FAILS: ${failure}`)
  if (failures.length > 0) process.exitCode = 1
}

async function manyAccess(from: number, count: number): Promise<void> {
  const began = performance.now()
  const seeds = Array.from({ length: count }, (_, index) => from + index)
  const crew = createAccessCrew(Number(values.workers))
  const figures = createAccessFigures()
  let failed = 0
  await crew.run(seeds, holders, (result) => {
    figures.add(result.figures)
    if (result.failures.length === 0) return
    failed += 1
    process.exitCode = 1
    if (failed > TOLD) return
    console.error(`again: node test/sim/run.ts --access --seed ${result.seed} --trace`)
    for (const failure of result.failures.slice(0, 5)) console.error(`  ${failure}`)
  })
  await crew.close()
  const seconds = ((performance.now() - began) / 1000).toFixed(1)
  console.log(`${count} seeds in ${seconds} s, ${failed} fail`)
  for (const line of figures.lines()) console.log(`  ${line}`)
}

function tell({ seed, family: kind, failures }: SeedResult): void {
  console.error(`seed ${seed} (${kind}) fails; again: node test/sim/run.ts --seed ${seed} --trace`)
  for (const failure of failures.slice(0, 5)) console.error(`  ${failure}`)
}
