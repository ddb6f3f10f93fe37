/** Certificates and the files of a forerunner with a real node: each command a process of its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, type RealNode, startRealNode } from '../helpers/real-node.ts'

const PROGRAM = fileURLToPath(new URL('../../src/interfaces/cli/main.ts', import.meta.url))
const FIXTURES = fileURLToPath(new URL('../fixtures/legacy', import.meta.url))
const FILES = ['blockchain.json', 'verifications.json', 'contracts.json']

describe('certificates and legacy files with a real node', function () {
  this.timeout(180_000)
  let directory: string
  let node: RealNode

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'cairn-records-'))
    await writeFile(join(directory, 'deed.txt'), 'the deed')
    await writeFile(join(directory, 'other.txt'), 'another')
    node = await startRealNode({
      dataDir: join(directory, 'data'),
      name: 'Ada <b>',
      peerPort: await freePort(),
      program: 'source',
    })
  })
  after(async () => {
    await node.stop()
    await rm(directory, { recursive: true, force: true })
  })

  async function cairn(
    ...args: string[]
  ): Promise<{ code: number | null; out: string; err: string }> {
    const env = { PATH: process.env.PATH ?? '', HOME: directory }
    const all = [PROGRAM, '--data-dir', node.dataDir, ...args]
    const child = spawn(process.execPath, all, { env, cwd: directory })
    let out = ''
    let err = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    const [code] = (await once(child, 'close')) as [number | null]
    return { code, out, err }
  }
  async function good(...args: string[]): Promise<string> {
    const { code, out, err } = await cairn(...args)
    assert.equal(code, 0, `${args.join(' ')}: ${out}${err}`)
    return out
  }

  it('a public and a private file: made, checked, compared', async () => {
    await good('add', '--public', 'deed.txt', '--wait', 'confirmed')
    await good('add', 'deed.txt', '--name', 'will.txt', '--wait', 'confirmed')
    await good('certificate', 'deed.txt')
    await good('certificate', 'will.txt', '-o', 'will.html')
    const page = 'deed.txt.certificate.html'
    assert.match(
      await good('verify-certificate', page, '--file', 'deed.txt'),
      /exactly the certified bytes, SHA-256 and CID/,
    )
    const will = JSON.parse(
      await good('verify-certificate', 'will.html', '--file', 'deed.txt', '--json'),
    )
    assert.deepEqual(
      [will.visibility, will.details.name, will.compared.cid, will.author.userName],
      ['private', 'will.txt', null, 'Ada <b>'],
    )
    assert.equal((await cairn('verify-certificate', page, '--file', 'other.txt')).code, 7)
    const html = await readFile(join(directory, page), 'utf8')
    assert.ok(html.includes('Ada &lt;b&gt;') && !html.includes('<b>'))
    await writeFile(join(directory, 'forged.html'), html.replaceAll('deed.txt', 'dead.txt'))
    assert.equal((await cairn('verify-certificate', 'forged.html')).code, 7)
    const again = await cairn('certificate', 'deed.txt')
    assert.deepEqual([again.code, /exists already/.test(again.err)], [1, true])
    assert.equal((await cairn('certificate', 'nothing')).code, 4)
    assert.match(await good('certificate', 'deed.txt', '-o', '-'), /^<!doctype html>/)
  })

  it('the files of a forerunner come in, are told, and go out byte by byte', async () => {
    const imported = JSON.parse(await good('import', FIXTURES, '--wait', 'confirmed', '--json'))
    assert.deepEqual([imported.counts.uploads, imported.findingCount], [1, 6])
    assert.equal(imported.state.outcome, 'applied')
    assert.match(await good('import', '--list'), /confirmed/)
    const shown = await good('import', '--show', imported.record)
    assert.match(shown, /all unverified/)
    assert.match(shown, /blockchain\.json: chain\[0\]\.data is an upload/)
    await good('export', 'out', '--from', imported.record.slice(0, 20))
    for (const name of FILES) {
      const [back, original] = await Promise.all(
        [join(directory, 'out', name), join(FIXTURES, name)].map((path) => readFile(path)),
      )
      assert.deepEqual(back, original)
    }
    const { items } = JSON.parse(await good('ls', '--json'))
    const file = items.find((each: { file: string }) => each.file === imported.file)
    assert.equal(file.visibility, 'private')
    const twice = await cairn('export', 'out', '--from', imported.record)
    assert.deepEqual(
      [twice.code, /exists already\. Name another folder, or add --force/.test(twice.err)],
      [1, true],
    )
    await good('export', 'out', '--from', imported.record, '--force')
  })

  it('the network’s own history: public files alone, unless asked', async () => {
    await good('export', 'own')
    const names = async (folder: string): Promise<string[]> => {
      const text = await readFile(join(directory, folder, 'blockchain.json'), 'utf8')
      return JSON.parse(text).chain.map((block: { data: { file_name?: string } }) => {
        return block.data.file_name ?? 'genesis'
      })
    }
    assert.deepEqual(await names('own'), ['genesis', 'deed.txt'])
    await good('export', 'all', '--private')
    assert.deepEqual((await names('all')).slice(0, 3), ['genesis', 'deed.txt', 'will.txt'])
    const again = JSON.parse(await good('import', 'own', '--name', 'own history', '--json'))
    assert.deepEqual([again.findingCount, again.counts.uploads], [0, 1])
  })

  it('what is wrong says what to do', async () => {
    await mkdir(join(directory, 'bad'))
    await writeFile(join(directory, 'bad', 'contracts.json'), '{"a": {,}}')
    const cases: [string[], number, RegExp][] = [
      [['import'], 2, /None of blockchain\.json.*Name one of these files/],
      [['import', 'deed.txt'], 2, /None of blockchain\.json.*among deed\.txt/],
      [['import', 'nowhere'], 4, /nowhere cannot be read: there is nothing of that name/],
      [['import', 'own', 'out'], 2, /two files for blockchain/],
      [
        ['import', 'bad'],
        2,
        /contracts\.json cannot be read at line 1, column 8.*Nothing was imported/,
      ],
      [['import', '--format', 'xml', 'out'], 2, /Allowed choices are legacy-json/],
      [['import', '--show', 'bafynothing'], 4, /No import goes by/],
      [['export', 'x', '--from', 'bafynothing'], 4, /No import goes by/],
      [['export', 'x', '--from', 'y', '--private'], 2, /--private is for the history/],
      [['export'], 2, /missing required argument/],
      [['export', 'deed.txt', '--force'], 1, /deed\.txt cannot be written/],
    ]
    for (const [args, code, says] of cases) {
      const ran = await cairn(...args)
      assert.match(ran.err, says, args.join(' '))
      assert.deepEqual([ran.code, ran.out], [code, ''], args.join(' '))
    }
  })
})
