import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { createPlan, FAMILIES, type Family } from './plan.ts'
import { simulate } from './simulate.ts'
import { type Crew, createCrew, type SeedResult } from './workers.ts'

/** Seeds of each family: together more than 300, in about a minute on two cores. */
const SEEDS_PER_FAMILY = 30
/** Milliseconds for a family on a slow machine. */
const FAMILY_TIMEOUT_MS = 240_000

/** What has to happen in a family, or it does not test what its name says. */
const HAPPENS: Partial<Record<Family, 'reorgs' | 'stranded' | 'alarms' | 'deaths'>> = {
  halves: 'reorgs',
  crashes: 'deaths',
  clocks: 'alarms',
  copies: 'stranded',
  deep: 'reorgs',
  withhold: 'reorgs',
  ties: 'reorgs',
  mix: 'reorgs',
}

describe('simulator: networks of nodes on virtual time', function () {
  this.timeout(FAMILY_TIMEOUT_MS)

  let crew: Crew<Family, SeedResult>
  before(() => {
    crew = createCrew(availableParallelism())
  })
  after(() => crew.close())

  for (const [index, family] of FAMILIES.entries()) {
    it(`${family}: ${SEEDS_PER_FAMILY} seeds agree, and nothing is lost`, async () => {
      const seeds = Array.from(
        { length: SEEDS_PER_FAMILY },
        (_, at) => 1 + index + at * FAMILIES.length,
      )
      const failed: SeedResult[] = []
      const sum = { records: 0, reorgs: 0, stranded: 0, alarms: 0, deaths: 0 }
      await crew.run(seeds, family, (result) => {
        for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += result.figures[key]
        if (result.failures.length > 0) failed.push(result)
      })
      const told = failed
        .slice(0, 5)
        .map(
          ({ seed, failures }) =>
            `node test/sim/run.ts --family ${family} --seed ${seed} --trace\n    ${failures[0]}`,
        )
      assert.equal(failed.length, 0, `${failed.length} seeds fail:\n  ${told.join('\n  ')}`)
      assert.ok(sum.records > SEEDS_PER_FAMILY, 'something happened')
      const what = HAPPENS[family]
      if (what !== undefined) assert.ok(sum[what] > 0, `no ${what}: these plans test nothing`)
    })
  }

  it('a seed replays exactly', async () => {
    for (const family of ['mix', 'crashes', 'copies'] as const) {
      const first = await simulate(createPlan(7, family))
      const second = await simulate(createPlan(7, family))
      assert.equal(first.trace, second.trace, family)
      assert.notEqual((await simulate(createPlan(8, family))).trace, first.trace)
    }
  })
})
