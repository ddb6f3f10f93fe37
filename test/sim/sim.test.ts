import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { createPlan, FAMILIES } from './plan.ts'
import { simulate } from './simulate.ts'
import { runSeeds, type SeedResult } from './workers.ts'

/** Seeds of each family: together more than 300, in about a minute on two cores. */
const SEEDS_PER_FAMILY = 30
/** Milliseconds for a family on a slow machine. */
const FAMILY_TIMEOUT_MS = 240_000

describe('simulator: networks of nodes on virtual time', function () {
  this.timeout(FAMILY_TIMEOUT_MS)

  for (const [index, family] of FAMILIES.entries()) {
    it(`${family}: ${SEEDS_PER_FAMILY} seeds agree, and nothing is lost`, async () => {
      const seeds = Array.from(
        { length: SEEDS_PER_FAMILY },
        (_, at) => 1 + index + at * FAMILIES.length,
      )
      const failed: SeedResult[] = []
      let records = 0
      await runSeeds(seeds, { family, workers: availableParallelism() }, (result) => {
        records += result.figures.records
        if (result.failures.length > 0) failed.push(result)
      })
      const told = failed
        .slice(0, 5)
        .map(
          ({ seed, failures }) =>
            `node test/sim/run.ts --family ${family} --seed ${seed} --trace\n    ${failures[0]}`,
        )
      assert.equal(failed.length, 0, `${failed.length} seeds fail:\n  ${told.join('\n  ')}`)
      assert.ok(records > SEEDS_PER_FAMILY, 'something happened')
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
