/** The miner's search against the one-shot hash of node:crypto over the same header. */
import { sha256 } from '../src/common/crypto.ts'
import { createSearch } from '../src/services/miner-work.ts'
import { bench } from './support/measure.ts'

/** Bytes of a usual header. */
const HEADER_BYTES = 334

await bench('mine', async ({ quick }) => {
  const header = new Uint8Array(HEADER_BYTES).fill(9)
  const rounds = quick ? 100_000 : 2_000_000
  const rate = (run: (count: number) => void): number => {
    run(20_000)
    const started = performance.now()
    run(rounds)
    return rounds / (performance.now() - started)
  }
  const oneShot = rate((count) => {
    for (let i = 0; i < count; i += 1) {
      header[HEADER_BYTES - 1] = i
      sha256(header)
    }
  })
  const search = createSearch(header, Number.MAX_SAFE_INTEGER)
  const value = rate((count) => void search.next(count))
  const baseline = { name: 'one-shot hash', value: oneShot, unit: 'kH/s' }
  return [{ name: 'nonces', value, unit: 'kH/s', baseline }]
})
