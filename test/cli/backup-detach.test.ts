/** A start in the background that has to ask what opens the backups: at a terminal it does, elsewhere it says so. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { FullStatus } from '../../src/interfaces/http/api.ts'
import { becomes, COMMAND_MS, createPlaces, type Place, type Places } from '../helpers/person.ts'

const PROGRAM = fileURLToPath(new URL('../../bin/cairn.js', import.meta.url))
const FLOOR = ['--difficulty-floor', '1']
const QUIET = ['--port', '0', '--gateway-port', '0', '--listen', '/ip4/127.0.0.1/tcp/0']
const WORDS = 'good words that nobody guesses'

describe('a start in the background that asks', function () {
  this.timeout(2 * COMMAND_MS)
  let places: Places
  let place: Place
  let network: string
  const children: ChildProcess[] = []
  let folder: { readonly CAIRN_BACKUP_FOLDER: string }

  before(async () => {
    places = await createPlaces()
    place = places.place('host')
    folder = { CAIRN_BACKUP_FOLDER: join(places.directory, 'second disk') }
    const env = { ...folder, CAIRN_BACKUP_PASSPHRASE: WORDS }
    network = (await place.serve(['start', '--name', 'Ada', ...FLOOR], { env })).network
    await becomes('a backup', async () => {
      const { backups } = await place.json<FullStatus>('status')
      return backups.passphrase && backups.destinations.every(({ behind }) => !behind)
    })
    await place.stop()
    await place.remove()
  })
  after(async () => {
    for (const child of children) child.kill('SIGKILL')
    await place.run(['stop'])
    await places.end()
  })

  const command = ['start', '--detach', '--name', 'Ada', ...FLOOR, ...QUIET]

  it('says without a terminal what it needs, and leaves nothing running', async () => {
    const { code, err } = await place.run(command, { env: folder })
    assert.equal(code, 5, err)
    assert.match(err, /CAIRN_BACKUP_PASSPHRASE.*--recovery-words-file/)
    assert.equal(existsSync(join(place.dataDir, 'network.json')), false)
    assert.equal((await place.run(['status'])).code, 3)
  })

  it('asks at the terminal, again when it was wrong, and hands it over where nobody sees it', async function () {
    // A terminal for the command: of util-linux.
    if (spawnSync('script', ['--version']).error !== undefined) return this.skip()
    const words = [process.execPath, PROGRAM, ...command, '--data-dir', place.dataDir]
    const clean = Object.entries(process.env).filter(([name]) => !name.startsWith('CAIRN_'))
    const child = spawn('script', ['-qec', words.join(' '), '/dev/null'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...Object.fromEntries(clean), ...folder, SHELL: '/bin/sh' },
    })
    children.push(child)
    let seen = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      seen += text
    })
    const says = (pattern: RegExp): Promise<void> =>
      becomes(`it says ${pattern}: ${seen}`, async () => pattern.test(seen), COMMAND_MS)
    await says(/24 words of the recovery kit[\s\S]*Passphrase or words: $/)
    child.stdin.write('other words\n')
    await says(/That did not open them[\s\S]*Passphrase or words: $/)
    child.stdin.write(`${WORDS}\n`)
    await says(/runs in the background/)
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
    assert.equal(code, 0)
    assert.ok(!seen.includes(WORDS), 'what is typed is not shown')
    const { pid, identity } = await place.json<FullStatus & { pid: number }>('status')
    assert.equal(identity.network, network)
    for (const file of existsSync('/proc/self/environ') ? ['cmdline', 'environ'] : []) {
      const text = await readFile(join('/proc', String(pid), file), 'utf8')
      assert.ok(!text.includes(WORDS) && !text.includes('other words'), file)
    }
    await place.do('stop')
  })
})
