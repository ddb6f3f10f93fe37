/**
 * Writes `format-N`: a data directory as this version makes it, which every later version has to open. Run once per
 * disk format, and never again for a format that was released. Its keys are of no network that exists.
 *
 *     node test/helpers/make-fixture.ts
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort, startRealNode } from './real-node.ts'

const directory = await mkdtemp(join(tmpdir(), 'cairn-fixture-'))
const dataDir = join(directory, 'data')
const node = await startRealNode({
  dataDir,
  name: 'Ada',
  peerPort: await freePort(),
  program: 'source',
})
const files = { 'first.txt': 'the first file\n', 'second.txt': 'the second file\n' }
const main = fileURLToPath(new URL('../../src/interfaces/cli/main.ts', import.meta.url))
for (const [name, text] of Object.entries(files)) {
  const path = join(directory, name)
  await writeFile(path, text)
  const add = ['add', path, '--public', '--wait', 'confirmed', '--data-dir', dataDir]
  await promisify(execFile)(process.execPath, [main, ...add])
}
await node.stop()
const format = (await readFile(join(dataDir, 'format'), 'utf8')).trim()
const target = join(import.meta.dirname, '../fixtures', `format-${format}`)
await rm(target, { recursive: true, force: true })
for (const left of ['logs', 'node.json', 'token', 'config.json', 'peers.json']) {
  await rm(join(dataDir, left), { recursive: true, force: true })
}
await cp(dataDir, target, { recursive: true })
await writeFile(join(target, 'EXPECTED.json'), `${JSON.stringify(files, null, 2)}\n`)
await rm(directory, { recursive: true, force: true })
console.log(`wrote ${target}`)
