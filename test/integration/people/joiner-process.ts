/** Joins a network and ends, in a process that may be killed: node joiner-process.ts <directory> <code>. */
import { codeOf } from '../../../src/common/errors.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import { joinNetwork } from '../../../src/node/joining.ts'

const [dataDir = '', code = ''] = process.argv.slice(2)
process.stdout.write('begins\n')
const names = { user: 'Ben', device: 'desktop' }
const joined = await joinNetwork(
  { dataDir, code, names, logger: silentLogger },
  AbortSignal.timeout(20_000),
).catch((error: unknown) => {
  if (codeOf(error) === 'JOIN_DIRECTORY') return 'in before'
  throw error
})
process.stdout.write(`${JSON.stringify(joined)}\n`)
process.exit(0)
