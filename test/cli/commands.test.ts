import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { systemClock } from '../../src/common/clock.ts'
import { silentLogger } from '../../src/common/logger.ts'
import { run } from '../../src/interfaces/cli/run.ts'
import { createHttpApi } from '../../src/interfaces/http/create-api.ts'
import type { WebServer } from '../../src/interfaces/http/listener.ts'
import { ensureToken } from '../../src/interfaces/http/token.ts'
import { createFakeNode } from '../unit/interfaces/fake-node.ts'

interface Ran {
  readonly code: number
  readonly out: string
  readonly bytes: Buffer
  readonly err: string
}

async function cairn(dataDir: string, ...args: string[]): Promise<Ran> {
  const chunks: Buffer[] = []
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(Buffer.from(chunk))
      done()
    },
  })
  let err = ''
  const code = await run(['--data-dir', dataDir, ...args], {
    terminal: { out, err: { write: (text) => (err += text) } },
    environment: {},
    signal: new AbortController().signal,
  })
  const bytes = Buffer.concat(chunks)
  return { code, out: bytes.toString(), bytes, err }
}

describe('command line', () => {
  let dir: string
  before(() => {
    dir = mkdtempSync(join(tmpdir(), 'cairn-cli-'))
    writeFileSync(join(dir, 'hello.txt'), 'hello')
  })
  after(() => rmSync(dir, { recursive: true }))

  describe('wrong usage', () => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [[], /A command is needed/],
      [['nope'], /unknown command 'nope'/],
      [['ls', '--nope'], /unknown option '--nope'/],
      [['ls', 'x'], /too many arguments/],
      [['ls', '--limit', '0'], /whole number from 1/],
      [['add', '--public', '-'], /--name/],
      [['add', '--public', '--wait', 'forever', 'x'], /Allowed choices are confirmed/],
      [['add', '--public', '--timeout', 'x', 'x'], /whole number/],
      [['info'], /missing required argument 'file'/],
      [['history'], /missing required argument/],
      [['get'], /missing required argument/],
      [['get', 'x', '-o', '-', '--json'], /both want standard output/],
      [['cat', 'x', '--range', 'a-b'], /allowed are a-b, a- and -n/],
      [['cat', 'x', '--range', '5-2'], /before the beginning/],
      [['cat', 'x', '--json'], /--json does not go with it/],
      [['update', 'x'], /missing required argument 'path'/],
      [['rm'], /missing required argument/],
      [['keep'], /missing required argument/],
      [['free'], /missing required argument/],
      [['vote', 'x', 'maybe'], /maybe is no verdict; allowed: authentic, suspicious/],
      [['votes'], /missing required argument/],
      [['certificate'], /missing required argument 'file'/],
      [['certificate', 'x', '-o', '-', '--json'], /both want standard output/],
      [['verify-certificate'], /missing required argument 'certificate'/],
      [['import'], /None of blockchain\.json, verifications\.json and contracts\.json/],
      [['import', '--format', 'csv', 'x'], /Allowed choices are legacy-json/],
      [['export'], /missing required argument 'folder'/],
      [['export', 'x', '--from', 'y', '--private'], /--private is for the history/],
      [['users', 'x'], /too many arguments/],
      [['devices', 'x'], /too many arguments/],
      [['peers', 'add'], /missing required argument 'multiaddr'/],
      [['chain', 'show'], /missing required argument 'block'/],
      [['chain', 'export'], /--output/],
      [['chain', 'log', '--limit', '5000'], /whole number from 1 to 1000/],
      [['records', '--limit', '-1'], /whole number/],
      [['config', 'set', 'prot', '1'], /prot: found an unknown key/],
      [['config', 'set', 'port', 'x'], /port .*found "x", allowed is a whole number/],
      [['completions', 'tcsh'], /tcsh is not known/],
      [['start', '--port', '70000'], /--port in flags: found 70000/],
      [['start', '--role', 'king'], /Allowed choices are member, backup/],
      [['start', '--role', 'backup'], /cairn invite --device --role backup/],
      [['start', '--max-storage', '-1'], /--max-storage-gb in flags/],
      [['start', '--detach', '--gateway-port', 'x'], /--gateway-port in flags: found "x"/],
      [['invite', '--expires', 'soon'], /--expires "soon": .*24h or 7d/],
      [['invite', '--role', 'king'], /Allowed choices are member, admin, backup/],
      [['invite', '--device', '--role', 'admin'], /--role admin is for a person/],
      [['invite', 'cancel'], /missing required argument 'id'/],
      [['join'], /missing required argument 'code'/],
      [['join', 'lets-go'], /begins with "?cairn:/],
      [['join', 'cairn:!!!!'], /[Cc]haracter 7/],
      [['join', 'cairn:yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'], /typ|check/],
      [['join', '-'], /Standard input is empty.*code of an invite/],
      [['recovery', 'use'], /Where are the others\?.*--peer/],
      [['recovery', 'use', '--peer', '/ip4/1.2.3.4/tcp/1'], /Standard input is empty.*24 words/],
      [['recovery', 'show'], /Run it on a terminal, or say --yes/],
      [['grant', 'x'], /missing required argument 'user'/],
      [['grant', 'x', 'Ben', '--expires', 'fryday'], /--expires "fryday": .*2026-12-24/],
      [['grant', 'x', 'Ben', '--expires', '1999-12-24'], /over already/],
      [['grant', 'x', 'Ben', '--max-downloads', '0'], /--max-downloads "0": a whole number from 1/],
      [['grant', 'x', 'Ben', '--max-downloads', 'many'], /"many": a whole number/],
      [['revoke', 'x'], /missing required argument 'user'/],
      [['holders', 'x', 'change', 'y'], /"add DEVICE" or "remove DEVICE"/],
      [['holders', 'x', 'add'], /"add DEVICE" or "remove DEVICE"/],
      [['get', 'x', '--timeout', '0'], /whole number from 1/],
      [['devices', 'revoke'], /missing required argument 'device'/],
      [['devices', 'rename', 'x'], /missing required argument 'name'/],
      [['stop', 'x'], /too many arguments/],
      [['status', 'x'], /too many arguments/],
      [['doctor', 'x'], /too many arguments/],
    ]
    for (const [args, says] of cases) {
      it(`cairn ${args.join(' ')}: exit code 2`, async () => {
        const { code, out, err } = await cairn(dir, ...args)
        const text = args.includes('--json') ? JSON.parse(out).error.message : err
        assert.match(text, says)
        assert.equal(code, 2)
        assert.equal(args.includes('--json') ? err : out, '')
      })
    }
    it('with --json the error is the document', async () => {
      const { out, err } = await cairn(dir, 'info', '--json')
      assert.equal(JSON.parse(out).error.code, 'USAGE')
      assert.equal(err, '')
    })
  })

  it('without a node: exit code 3, and how to start one', async () => {
    const commands = [
      ['status'],
      ['stop'],
      ['ls'],
      ['info', 'x'],
      ['history', 'x'],
      ['get', 'x'],
      ['cat', 'x'],
      ['rm', 'x'],
      ['keep', 'x'],
      ['free', 'x'],
      ['vote', 'x', 'authentic'],
      ['votes', 'x'],
      ['certificate', 'x'],
      ['import', '--list'],
      ['import', '--show', 'x'],
      ['export', join(dir, 'out')],
      ['access-log', 'x'],
      ['users'],
      ['devices'],
      ['peers'],
      ['peers', 'export'],
      ['peers', 'add', '/x'],
      ['chain'],
      ['chain', 'log'],
      ['chain', 'verify'],
      ['chain', 'export', '-o', '-'],
      ['records'],
      ['add', '--public', join(dir, 'hello.txt')],
      ['update', 'x', join(dir, 'hello.txt')],
      ['invite'],
      ['invite', 'list'],
      ['invite', 'cancel', 'x'],
      ['grant', 'x', 'Ben'],
      ['revoke', 'x', 'Ben'],
      ['grants'],
      ['holders', 'x'],
      ['publish', 'x', '--yes'],
      ['rekey', 'x'],
      ['devices', 'rename', 'x', 'y'],
      ['devices', 'revoke', 'x'],
      ['recovery'],
      ['recovery', 'show', '--yes'],
      ['recovery', 'test'],
      ['passphrase'],
      ['passphrase', 'set'],
      ['passphrase', 'clear', '--yes'],
    ]
    for (const args of commands) {
      const { code, err, out } = await cairn(join(dir, 'none'), ...args)
      assert.equal(code, 3, args.join(' '))
      assert.match(err, /No node is running .* cairn start/)
      assert.equal(out, '')
    }
    const { out } = await cairn(join(dir, 'none'), 'ls', '--json')
    assert.equal(JSON.parse(out).error.code, 'NO_NODE')
  })

  it('help, version, settings and completions need no node', async () => {
    assert.match((await cairn(dir, '--help')).out, /Usage: cairn/)
    assert.match((await cairn(dir, 'get', '--help')).out, /--output/)
    assert.match((await cairn(dir, '--version')).out, /^\d+\.\d+\.\d+\n$/)
    assert.equal(JSON.parse((await cairn(dir, 'config', 'show', '--json')).out).values.port, 5005)
    assert.equal(JSON.parse((await cairn(dir, 'config', 'schema')).out).type, 'object')
    const bash = await cairn(dir, 'completions', 'bash')
    assert.match(bash.out, /ls\) words="--owner --search/)
    assert.match((await cairn(dir, 'completions', 'fish')).out, /-a history/)
    const doctor = await cairn(dir, 'doctor', '--json')
    assert.ok(JSON.parse(doctor.out).checks.some(({ name }: { name: string }) => name === 'disk'))
    assert.match(doctor.out, /BACKUPS NOT CONFIGURED/)
    const cancel = (await cairn(dir, 'invite', 'cancel', '--help')).out
    assert.match(cancel, /--data-dir/)
    assert.doesNotMatch(cancel, /--role/, 'nothing of the command above')
  })

  describe('with a node', () => {
    let fake: ReturnType<typeof createFakeNode>
    let server: WebServer
    let data: string
    let work: string
    beforeEach(async () => {
      fake = createFakeNode()
      data = mkdtempSync(join(dir, 'data-'))
      work = mkdtempSync(join(dir, 'work-'))
      server = createHttpApi(
        {
          node: fake.node,
          token: await ensureToken(data),
          logger: silentLogger,
          clock: systemClock,
          gatewayUrl: () => undefined,
          shutdown: () => {},
        },
        { host: '127.0.0.1', port: 0, allowedHosts: [], version: '1' },
      )
      await server.start()
      const file = { pid: process.pid, version: '1', startedAt: 0, api: server.url, gateway: null }
      writeFileSync(join(data, 'node.json'), JSON.stringify(file))
    })
    afterEach(() => server.stop())

    const cli = (...args: string[]): Promise<Ran> => cairn(data, ...args)
    const put = (name: string, content: string | Buffer): string => {
      writeFileSync(join(work, name), content)
      return join(work, name)
    }

    it('add, ls, info, cat, get', async () => {
      const path = put('a.txt', 'some words')
      const added = JSON.parse((await cli('add', '--public', path, '--json')).out)
      assert.deepEqual(Object.keys(added), ['added', 'failed'])
      const [one] = added.added
      assert.deepEqual([one.name, one.size, one.path], ['a.txt', 10, path])
      const text = await cli('add', '--public', '--name', 'b.txt', path)
      assert.match(text.out, /^b\.txt {2}public {2}file \S+ {2}CID \S+\n$/)
      const { items } = JSON.parse((await cli('ls', '--json')).out)
      assert.deepEqual(
        items.map(({ name }: { name: string }) => name),
        ['a.txt', 'b.txt'],
      )
      assert.match((await cli('ls')).out, /a\.txt +10 B/)
      assert.equal(JSON.parse((await cli('info', 'a.txt', '--json')).out).sha256, one.sha256)
      assert.equal((await cli('cat', 'a.txt')).out, 'some words')
      assert.equal((await cli('cat', 'a.txt', '--range', '5-7')).out, 'wor')
      assert.equal((await cli('cat', 'a.txt', '--range', '-5')).out, 'words')
      const got = await cli('get', 'a.txt', '-o', join(work, 'out.txt'), '--json')
      assert.equal(JSON.parse(got.out).path, join(work, 'out.txt'))
      assert.equal(readFileSync(join(work, 'out.txt'), 'utf8'), 'some words')
      assert.equal((await cli('get', 'a.txt', '-o', '-')).out, 'some words')
    })
    it('folders keep their place; links are left out', async () => {
      await mkdir(join(work, 'docs', 'deep'), { recursive: true })
      put('docs/1', '1')
      put('docs/deep/2', '2')
      const { symlinkSync } = await import('node:fs')
      symlinkSync('/etc/passwd', join(work, 'docs', 'link'))
      const plain = await cli('add', '--public', join(work, 'docs'))
      assert.deepEqual([plain.code, /--recursive/.test(plain.err)], [2, true])
      const ran = await cli('add', '--public', '--recursive', join(work, 'docs'))
      assert.match(ran.out, /^docs\/1 .*\ndocs\/deep\/2 .*\n$/)
      assert.match(ran.err, /left out.*link[\s\S]*2 files added/)
    })
    it('one of several that fails is told of; its exit code is given', async () => {
      const ran = await cli('add', '--public', put('x', 'x'), put('n', 'n'), '--json')
      assert.equal(ran.code, 0)
      const none = await cli('add', '--public', join(work, 'none'))
      assert.deepEqual([none.code, /nothing of that name/.test(none.err)], [4, true])
    })
    it('get does not overwrite, goes on where it stopped, and notices other bytes', async () => {
      const content = Buffer.alloc(300_000, 'abc')
      await cli('add', '--public', put('big', content))
      const { root } = JSON.parse((await cli('info', 'big', '--json')).out)
      const target = join(work, 'target')
      writeFileSync(target, 'mine')
      const refused = await cli('get', 'big', '-o', target)
      assert.deepEqual([refused.code, /exists already/.test(refused.err)], [1, true])
      assert.equal(readFileSync(target, 'utf8'), 'mine')

      const part = `${target}.${root.slice(-16)}.part`
      writeFileSync(part, content.subarray(0, 100_000))
      const before = fake.signals.length
      assert.equal((await cli('get', 'big', '-o', target, '--force')).code, 0)
      assert.equal(fake.signals.length, before + 1)
      assert.ok(readFileSync(target).equals(content))

      writeFileSync(part, Buffer.alloc(100_000, 'x'))
      const differs = await cli('get', 'big', '-o', target, '--force')
      assert.deepEqual([differs.code, /does not have the hash/.test(differs.err)], [7, true])
      assert.ok(readFileSync(target).equals(content))
      assert.ok(!(await readdir(work)).some((name) => name.endsWith('.part')))
    })
    it('an ambiguous name lists the candidates; a missing one has exit code 4', async () => {
      const path = put('same', 'x')
      await cli('add', '--public', path)
      await cli('add', '--public', path)
      const twice = await cli('info', 'same')
      assert.equal(twice.code, 2)
      assert.equal(twice.err.match(/bafyrecord/g)?.length, 2)
      assert.equal((await cli('info', 'none')).code, 4)
      assert.equal((await cli('cat', 'none')).code, 4)
      assert.equal((await cli('info', '../../x/%2e')).code, 4)
    })
    it('SOURCE_CHANGED: a file that grows while it is added is not added', async () => {
      const path = put('log', Buffer.alloc(4_000_000))
      const add = fake.node.files.add
      fake.node.files.add = async (source, options, work) => {
        const slow = async function* () {
          for await (const chunk of source) {
            writeFileSync(path, 'more', { flag: 'a' })
            yield chunk
          }
        }
        return add(slow(), options, work)
      }
      const ran = await cli('add', '--public', path)
      assert.deepEqual([ran.code, /changed while it was read/.test(ran.err)], [6, true])
      assert.equal(JSON.parse((await cli('ls', '--json')).out).items.length, 0)
    })
    it('--wait confirmed', async () => {
      const path = put('a', 'x')
      const late = await cli('add', '--public', path, '--wait', 'confirmed', '--timeout', '1')
      assert.deepEqual([late.code, /not confirmed within 1 second\./.test(late.err)], [6, true])
      const document = await cli(
        'add',
        '--public',
        path,
        '--wait',
        'confirmed',
        '--timeout',
        '1',
        '--json',
      )
      assert.equal(document.code, 6)
      assert.equal(JSON.parse(document.out).added[0].state.status, 'pending')
      fake.confirmed.add('bafyrecord3')
      const { out } = await cli('add', '--public', path, '--wait', 'confirmed', '--json')
      assert.equal(JSON.parse(out).added[0].state.status, 'confirmed')
    })
    it('votes, updates, removals', async () => {
      await cli('add', '--public', put('a', 'x'))
      assert.equal((await cli('vote', 'a', 'authentic', '--comment', 'fine')).code, 0)
      assert.match((await cli('votes', 'a')).out, /Ada +authentic .*fine/)
      assert.equal((await cli('update', 'a', put('b', 'second'))).code, 0)
      assert.equal((await cli('cat', 'a')).out, 'second')
      assert.equal((await cli('cat', 'a', '--version', '1')).out, 'x')
      assert.equal((await cli('cat', 'a', '--version', '9')).code, 4)
      assert.equal((await cli('rm', 'a')).code, 0)
      assert.match((await cli('ls')).out, /no files/)
    })
    it('status, chain, peers in words and as documents', async () => {
      for (const args of [
        ['status'],
        ['chain'],
        ['chain', 'log'],
        ['chain', 'verify'],
        ['peers'],
        ['peers', 'export'],
        ['users'],
        ['devices'],
        ['records'],
        ['doctor'],
      ]) {
        const words = await cli(...args)
        assert.equal(words.code, 0, `${args}: ${words.err}`)
        assert.notEqual(words.out, '')
        JSON.parse((await cli(...args, '--json')).out)
      }
    })
    it('a node that is gone: exit code 3; a file that lies: too', async () => {
      await server.stop()
      assert.equal((await cli('ls')).code, 3)
      writeFileSync(join(data, 'node.json'), '{"api": 5}')
      assert.equal((await cli('ls')).code, 3)
      await server.start()
    })
    it('a wrong token: exit code 5', async () => {
      writeFileSync(join(data, 'token'), 'x'.repeat(43))
      assert.equal((await cli('ls')).code, 5)
    })
  })
})
