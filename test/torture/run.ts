/** npm run torture -- [--kills 200] [--seed N] [--keep] */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { torture } from './torture.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 32) },
    keep: { type: 'boolean', default: false },
  },
})
const directory = await mkdtemp(join(tmpdir(), 'cairn-torture-'))
console.log(`seed ${values.seed}, data in ${directory}`)
try {
  const result = await torture({
    kills: Number(values.kills),
    seed: Number(values.seed),
    directory,
    log: (line) => console.log(line),
  })
  console.log(JSON.stringify(result))
} finally {
  if (!values.keep) await rm(directory, { recursive: true, force: true })
}
