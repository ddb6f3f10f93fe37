/**
 * What privacy costs: adding and getting a private file against a public one of the same bytes, by the command line,
 * between two devices of one person. The rounds take turns; each figure is the median of seconds.
 */
import { randomFillSync } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { createPlaces, type Place } from '../test/helpers/person.ts'
import { type Figure, median } from './support/figures.ts'
import { bench, MIB } from './support/measure.ts'

const ROUNDS = 3
/** Files that were added only to see whether the other device opens them. */
let probes = 0

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await run()
  return (performance.now() - started) / 1000
}

/** Random bytes, other ones each time. */
async function writeRandom(path: string, mib: number): Promise<void> {
  const piece = new Uint8Array(MIB)
  const file = await open(path, 'w')
  for (let at = 0; at < mib; at += 1) {
    randomFillSync(piece)
    await file.write(piece)
  }
  await file.sync()
  await file.close()
}

await bench('private', async ({ quick, directory }) => {
  const mib = quick ? 64 : 1024
  const places = await createPlaces()
  const ada = places.place('laptop')
  const other = places.place('desk')
  const ways = { public: ['--public'], private: [] } as const
  const add = { public: [] as number[], private: [] as number[] }
  const get = { public: [] as number[], private: [] as number[] }
  try {
    await ada.serve(['start', '--name', 'Ada', '--difficulty-floor', '1'])
    const input = await ada.do('invite', '--device')
    // Only what is asked for: else the other device has everything before it is measured.
    await other.serve(['join', '-'], { input, env: { CAIRN_REPLICATION: 'nothing' } })
    await knows(other, ada, directory)
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const way of ['public', 'private'] as const) {
        const name = `${way}-${round}`
        const path = join(directory, name)
        await writeRandom(path, mib)
        add[way].push(await seconds(() => ada.do('add', ...ways[way], path)))
        await other.do('info', name).catch(() => knows(other, ada, directory))
        get[way].push(await seconds(() => other.do('get', name, '-o', `${path}.copy`)))
      }
    }
  } finally {
    await places.end()
  }
  const figure = (verb: string, times: typeof add): Figure => ({
    name: `${verb} ${mib} MiB, private`,
    value: median(times.private),
    unit: 's',
    baseline: { name: 'public', value: median(times.public), unit: 's' },
    goal: { of: 'ratio', is: 'at most', limit: 1.25 },
  })
  return [figure('add', add), figure('get', get)]
})

/** Until the other device opens what this one adds: it has the person's key, and the two are connected. */
async function knows(other: Place, ada: Place, directory: string): Promise<void> {
  const name = `probe-${probes}`
  probes += 1
  await writeRandom(join(directory, name), 1)
  await ada.do('add', join(directory, name))
  for (let tries = 0; tries < 300; tries += 1) {
    const { code } = await other.run(['get', name, '-o', join(directory, `${name}.copy`)])
    if (code === 0) return
  }
  throw new Error('the other device never opened the file')
}
