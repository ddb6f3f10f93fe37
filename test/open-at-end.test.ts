/** That a run with something left open ends, says what it is, and fails; by runs of mocha. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MOCHA = createRequire(import.meta.url).resolve('mocha/bin/mocha.js')
const HOOKS = JSON.stringify(new URL('helpers/open-at-end.ts', import.meta.url).href)
const OPEN = `
  const server = require('node:net').createServer()
  await new Promise((done) => server.listen(0, '127.0.0.1', done))`

describe('the end of a test run', function () {
  this.timeout(60_000)
  let directory: string
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-end-'))
  })
  after(() => rm(directory, { recursive: true }))

  const run = async (body: string, graceMs: number): Promise<{ code: number; text: string }> => {
    const hooks = join(directory, 'hooks.mjs')
    const source = `import { boundedEnd } from ${HOOKS}\nexport const mochaHooks = boundedEnd(${graceMs})\n`
    await writeFile(hooks, source)
    const program = join(directory, 'program.cjs')
    await writeFile(program, `it('does something', async () => {${body}\n})\n`)
    const args = [MOCHA, '--no-config', '--no-package', '--no-exit', '--require', hooks, program]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
    }
    const [code] = await once(child, 'close')
    return { code, text }
  }

  it('a failure before the close of a server ends the run', async () => {
    const { code, text } = await run(
      `${OPEN}\n  throw new Error('too early')\n  server.close()`,
      200,
    )
    assert.equal(code, 1)
    assert.match(text, /too early/)
    assert.match(text, /Still open 0\.2 seconds after the last test/)
    assert.match(text, /a server at \{"address":"127\.0\.0\.1","family":"IPv4","port":\d+\}/)
  })
  it('a leak fails a run in which every test passed', async () => {
    const { code, text } = await run(OPEN, 200)
    assert.equal(code, 1)
    assert.match(text, /1 passing/)
    assert.match(text, /TCPServerWrap/)
  })
  it('a run that closes what it opens ends at once, and well', async () => {
    const { code, text } = await run(`${OPEN}\n  server.close()`, 50_000)
    assert.equal(code, 0)
    assert.doesNotMatch(text, /Still open/)
  })
  it('what closes by itself a moment later is no leak', async () => {
    const { code } = await run(`${OPEN}\n  setTimeout(() => server.close(), 100)`, 50_000)
    assert.equal(code, 0)
  })
})
