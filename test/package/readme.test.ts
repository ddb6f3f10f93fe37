import { deepEqual, equal, match } from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { eventually, freePort } from '../helpers/real-node.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))
const readme = readFileSync(join(root, 'README.md'), 'utf8')
const STEP_MS = 60_000
/** What a person tries again: the file has not come yet. */
const NOT_YET = [4, 6]

/** The commands of a block that is marked in the text, one string for each. */
function commandsOf(device: string): string[] {
  const block = new RegExp(`<!-- quickstart: ${device} -->\n\`\`\`sh\n([^]*?)\n\`\`\``).exec(readme)
  return block?.[1]?.replaceAll('\\\n', ' ').split('\n') ?? []
}

describe('readme', () => {
  let directory: string
  const started = new Set<string>()

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-readme-'))
  })
  after(async () => {
    for (const dataDir of started) {
      const stop = [join(root, 'bin/cairn.js'), 'stop', '--data-dir', dataDir]
      await run(process.execPath, stop).catch(() => {})
    }
    await rm(directory, { recursive: true, force: true })
  })

  it('names only files that exist', () => {
    const links = [...readme.matchAll(/\]\((?!http)([^)#]+)/g)].map(([, path]) => path ?? '')
    deepEqual(
      links.filter((path) => !existsSync(join(root, path))),
      [],
    )
  })

  it('shows three people on one machine, as it says', async function () {
    this.timeout(10 * STEP_MS)
    if (process.platform === 'win32') this.skip()
    const ports = new Map<string, number>()
    for (const name of ['4005', '4006', '4007']) ports.set(name, await freePort())
    /** The same in a temporary directory and on free ports. */
    const here = (text: string): string =>
      text
        .replaceAll('/tmp/', `${directory}/`)
        .replace(/\/tcp\/(400\d)/g, (_, port: string) => `/tcp/${ports.get(port)}`)
        .replace(/port (\d+)/g, 'port 0')

    for (const device of ['ada', 'ben', 'cleo']) {
      const env: NodeJS.ProcessEnv = {
        PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
        HOME: directory,
        CAIRN_PORT: '0',
        CAIRN_GATEWAY_PORT: '0',
        CAIRN_DIFFICULTY_FLOOR: '1',
      }
      const commands = commandsOf(device)
      equal(commands.length > 3, true, `the readme has commands of ${device}`)
      for (const command of commands.map(here)) {
        const [, key, value] = /^export (\w+)=(.*)$/.exec(command) ?? []
        if (key !== undefined && value !== undefined) {
          env[key] = value
          started.add(value)
          continue
        }
        await eventually(command, STEP_MS, async () => {
          try {
            await run('sh', ['-c', command], { cwd: root, env, timeout: STEP_MS })
            return true
          } catch (error) {
            const { code } = error as { code?: number }
            if (code !== undefined && NOT_YET.includes(code)) return false
            throw error
          }
        })
      }
    }
    for (const [fetched, original] of [
      ['protocol-of-ben.md', 'docs/PROTOCOL.md'],
      ['guide-of-cleo.md', 'docs/GUIDE.md'],
    ] as const) {
      deepEqual(await readFile(join(directory, fetched)), await readFile(join(root, original)))
    }
    const votes = [join(root, 'bin/cairn.js'), 'votes', 'GUIDE.md', '--data-dir']
    const { stdout } = await run(process.execPath, [...votes, join(directory, 'cairn-cleo')])
    match(stdout, /I read it\./)
  })
})
