/** A process that puts blocks until it is killed: each twice at once. Writes the seed of each that is durable. */
import { openStore, pattern, rawCid } from './blockstore-helpers.ts'

const [dir = '', first = '0'] = process.argv.slice(2)
const { store } = await openStore(dir)
for (let seed = Number(first); ; seed += 4) {
  const seeds = [seed, seed + 1, seed + 2, seed + 3]
  await Promise.all(
    seeds.flatMap((each) => {
      const bytes = pattern(50_000, each)
      return [store.put(rawCid(bytes), bytes), store.put(rawCid(bytes), bytes)]
    }),
  )
  await store.flush()
  for (const each of seeds) process.stdout.write(`${each}\n`)
}
