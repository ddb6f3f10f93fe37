import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { simulateAccess } from './access.ts'
import { createAccessFigures } from './access-figures.ts'
import { createAccessPlan } from './access-plan.ts'
import { type AccessSeedResult, createAccessCrew } from './workers.ts'

/** Every other seed has one key holder; `npm run sim -- --access --seeds 5000` runs thousands. */
const SEEDS = 160
/** Milliseconds on a slow machine. */
const TIMEOUT_MS = 240_000

describe('simulator: count and revocation of a grant', function () {
  this.timeout(TIMEOUT_MS)

  it(`${SEEDS} seeds: one holder gives what was allowed, no holder gives after a revocation it knows`, async () => {
    const crew = createAccessCrew(availableParallelism())
    const figures = createAccessFigures()
    const failed: AccessSeedResult[] = []
    await crew.run(
      Array.from({ length: SEEDS }, (_, index) => index + 1),
      undefined,
      (result) => {
        figures.add(result.figures)
        if (result.failures.length > 0) failed.push(result)
      },
    )
    await crew.close()
    const told = failed.slice(0, 5).map(({ seed, failures }) => `  seed ${seed}: ${failures[0]}`)
    assert.equal(failed.length, 0, `${failed.length} seeds fail\n${told.join('\n')}`)
    assert.ok(figures.released > SEEDS / 2, 'keys leave')
    for (const code of ['USED_UP', 'REVOKED', 'NOT_CONFIRMED', 'NOT_YOUR_ACCESS', 'EXPIRED']) {
      assert.ok(figures.refusals(code) > 0, `no ${code}: these plans test nothing`)
    }
  })

  it('a seed replays exactly', async () => {
    const first = await simulateAccess(createAccessPlan(11))
    const second = await simulateAccess(createAccessPlan(11))
    assert.equal(first.trace, second.trace)
    assert.notEqual((await simulateAccess(createAccessPlan(12))).trace, first.trace)
  })
})
