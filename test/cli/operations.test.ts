/** The commands of docs/OPERATIONS.md, as they stand there. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { PRICES } from '../../src/services/backup/prices.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const text = readFileSync(join(root, 'docs/OPERATIONS.md'), 'utf8')

describe('operations', function () {
  this.timeout(60_000)
  let directory: string

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-operations-'))
  })
  after(() => rm(directory, { recursive: true, force: true }))

  it('the proof is a proof', async function () {
    if (process.platform === 'win32') this.skip()
    const block = /<!-- run: proof -->\n```sh\n([\s\S]*?)\n```/.exec(text)?.[1] ?? assert.fail()
    const cairn = `cairn() { "${process.execPath}" "${join(root, 'bin/cairn.js')}" "$@"; }`
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('CAIRN_'))
    const env = {
      ...Object.fromEntries(clean),
      CAIRN_DATA_DIR: join(directory, 'data'),
      CAIRN_BACKUP_FOLDER: join(directory, 'second disk'),
      CAIRN_BACKUP_PASSPHRASE: 'a long sentence that nobody guesses',
      CAIRN_PORT: '0',
      CAIRN_GATEWAY_PORT: '0',
      CAIRN_LISTEN: '/ip4/127.0.0.1/tcp/0',
      CAIRN_DIFFICULTY_FLOOR: '1',
    }
    const script = `set -e\n${cairn}\ntrap 'cairn stop >/dev/null 2>&1 || true' EXIT\n${block}`
    const { stdout } = await run('sh', ['-c', script], { env, cwd: directory, timeout: 50_000 })
    assert.match(stdout, /the first/)
    assert.match(stdout, /read, opened and hashed/)
    assert.match(stdout, /came back in \d+ ms and are the same as here/)
    assert.match(stdout.slice(stdout.lastIndexOf('came back')), /note\.txt/)
    assert.ok(existsSync(join(directory, 'data.before')))
  })

  it('the prices are those of the table', () => {
    for (const [kind, { gigabyteMonth, millionWrites, millionReads }] of Object.entries(PRICES)) {
      if (gigabyteMonth === 0) continue
      const row = text.split('\n').find((line) => line.startsWith(`| \`${kind}\``)) ?? ''
      const [, , ...cells] = row.split('|').map((cell) => Number(cell.trim() || 0))
      assert.deepEqual(cells.slice(0, 3), [gigabyteMonth, millionWrites, millionReads], kind)
    }
  })
})
