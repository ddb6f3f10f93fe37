import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { codeOf } from '../../../src/common/errors.ts'
import { count } from '../../../src/common/plural.ts'
import { localName } from '../../../src/interfaces/cli/actions/get.ts'
import { duration, printable, size, table } from '../../../src/interfaces/cli/format.ts'
import { reasonWords, stateWord, stateWords } from '../../../src/interfaces/cli/states.ts'
import { createProgressBar } from '../../../src/interfaces/cli/terminal.ts'
import { CODE_MEANINGS, EXIT, meaningOf } from '../../../src/interfaces/error-codes.ts'
import { INTERFACE_ERRORS } from '../../../src/interfaces/errors.ts'
import { mediaTypeOf } from '../../../src/interfaces/gateway/media-type.ts'
import { entityRange } from '../../../src/interfaces/gateway/request.ts'
import type { RecordState } from '../../../src/interfaces/http/api-common.ts'
import { contentDisposition, safeMediaType } from '../../../src/interfaces/http/content-headers.ts'
import { hostName, isLoopback } from '../../../src/interfaces/http/guard.ts'
import { matchesEtag, parseRange } from '../../../src/interfaces/http/ranges.ts'
import { ensureToken, weaknessOf } from '../../../src/interfaces/http/token.ts'
import { openLogFile } from '../../../src/interfaces/log-file.ts'

describe('codes', () => {
  it('each error of the interfaces stands in the table', () => {
    for (const code of Object.keys(INTERFACE_ERRORS)) assert.ok(code in CODE_MEANINGS, code)
  })
  const top = join(import.meta.dirname, '..', '..', '..', 'src')
  it('each error that can reach a person stands in the table', () => {
    const layers = /^(interfaces|node|services|storage)[/\\]/
    for (const name of readdirSync(top, { recursive: true, encoding: 'utf8' })) {
      if (!layers.test(name) || !name.endsWith('errors.ts')) continue
      const source = readFileSync(join(top, name), 'utf8')
      for (const [, code = ''] of source.matchAll(/^ {2}([A-Z_]+): \{/gm)) {
        assert.ok(code in CODE_MEANINGS, `${name}: ${code}`)
      }
    }
  })
  it('each code in the table is thrown somewhere', () => {
    const sources = readdirSync(top, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('error-codes.ts'))
      .map((name) => readFileSync(join(top, name), 'utf8'))
      .join('\n')
    for (const code of Object.keys(CODE_MEANINGS)) {
      if (/^E[A-Z]+$/.test(code) && code !== 'ENCODING') continue
      assert.match(sources, new RegExp(`\\b${code}\\b`), code)
    }
  })
  it('an unknown code is a failure', () => {
    assert.deepEqual(meaningOf('toString'), { http: 500, exit: EXIT.failed })
    assert.deepEqual(Object.values(EXIT), [0, 1, 2, 3, 4, 5, 6, 7])
  })
})

describe('ranges', () => {
  it('agree with slicing', () => {
    const header = fc.tuple(fc.nat(120), fc.nat(120)).map(([a, b]) => `bytes=${a}-${b}`)
    fc.assert(
      fc.property(header, fc.nat(100), (text, length) => {
        const [from = 0, to = 0] = text.slice(6).split('-').map(Number)
        const range = parseRange(text, length)
        if (to < from) assert.equal(range, undefined)
        else if (from >= length) assert.equal(range, 'unsatisfiable')
        else assert.deepEqual(range, { start: from, end: Math.min(to + 1, length) })
      }),
    )
  })
  it('of the end, and nonsense', () => {
    assert.deepEqual(parseRange('bytes=-5', 3), { start: 0, end: 3 })
    assert.equal(parseRange('bytes=-0', 3), 'unsatisfiable')
    assert.equal(parseRange('bytes=-5', 0), 'unsatisfiable')
    for (const text of ['bytes=-', 'bytes=a-b', 'bytes=1-2,3-4', 'items=1-2', '', undefined]) {
      assert.equal(parseRange(text, 10), undefined)
    }
  })
  it('entity-bytes', () => {
    assert.deepEqual(entityRange('0:*', 10), { start: 0, end: 10 })
    assert.deepEqual(entityRange('2:3', 10), { start: 2, end: 4 })
    assert.deepEqual(entityRange('-3:-2', 10), { start: 7, end: 9 })
    assert.deepEqual(entityRange('20:30', 10), { start: 10, end: 10 })
    assert.throws(() => entityRange('1-2', 10), { code: 'BAD_REQUEST' })
  })
  it('ETags', () => {
    assert.ok(matchesEtag('"a", W/"b"', '"b"'))
    assert.ok(matchesEtag('*', '"b"'))
    assert.ok(!matchesEtag('"a"', '"b"') && !matchesEtag(undefined, '"b"'))
  })
})

describe('headers', () => {
  it('no name breaks out of Content-Disposition, hides its end or loses its letters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
        const header = contentDisposition('attachment', name)
        assert.match(
          header,
          /^attachment; filename="[^"\\\r\n]*"(; filename\*=UTF-8''[\w.!#$&+^`|~%-]*)?$/,
        )
      }),
    )
    assert.equal(contentDisposition('inline', 'a b.txt'), 'inline; filename="a b.txt"')
    assert.ok(!contentDisposition('inline', 'a\u202egpj.exe').includes('202e'))
    assert.match(contentDisposition('inline', '日本.txt'), /filename\*=UTF-8''%E6%97%A5/)
  })
  it('only media types are sent as such', () => {
    assert.equal(safeMediaType('text/plain; charset=utf-8'), 'text/plain; charset=utf-8')
    for (const type of ['text/html\r\nX: y', 'nothing', '', 'a/b; c']) {
      assert.equal(safeMediaType(type), 'application/octet-stream')
    }
  })
  it('hosts', () => {
    assert.equal(hostName('LOCALHOST:80'), 'localhost')
    assert.equal(hostName('[::1]:80'), '::1')
    for (const host of ['', 'a:b', 'a@b', 'a/b', undefined, 'a b'])
      assert.equal(hostName(host), undefined)
    assert.ok(isLoopback('127.0.0.1') && isLoopback('::1') && isLoopback('localhost'))
    assert.ok(!isLoopback('0.0.0.0') && !isLoopback('127.evil.example') && !isLoopback('::'))
  })
  it('media types by name, else by content', async () => {
    assert.equal(await mediaTypeOf(new Uint8Array(0), ['a.css']), 'text/css; charset=utf-8')
    assert.equal(await mediaTypeOf(Buffer.from('%PDF-1.7'), ['report']), 'application/pdf')
    assert.equal(await mediaTypeOf(Buffer.from('grüße'), []), 'text/plain; charset=utf-8')
    assert.equal(
      await mediaTypeOf(Buffer.from('grüß').subarray(0, 3), []),
      'text/plain; charset=utf-8',
    )
    assert.equal(await mediaTypeOf(Buffer.from([0, 1, 2]), []), 'application/octet-stream')
  })
})

describe('words for people', () => {
  it('why a record does nothing', () => {
    const state = { status: 'confirmed', outcome: 'rejected', code: 'ACCESS_REVOKED', height: 7 }
    const why = 'The owner took the grant back (ACCESS_REVOKED)'
    assert.equal(stateWord(state as RecordState), `rejected: ${why}`)
    assert.equal(stateWords(state as RecordState), `rejected in block 7: ${why}`)
    assert.equal(reasonWords('OF_LATER'), 'OF_LATER')
  })

  it('sizes, counts, durations', () => {
    assert.deepEqual([0, 999, 1000, 1_500_000, 999_999, 123_456_789].map(size), [
      '0 B',
      '999 B',
      '1.0 kB',
      '1.5 MB',
      '1.0 MB',
      '123 MB',
    ])
    assert.deepEqual([count(1, 'file'), count(2, 'file')], ['1 file', '2 files'])
    assert.deepEqual([1000, 120_000, 7_200_000, 200_000_000].map(duration), [
      '1 s',
      '2 min',
      '2 h',
      '2 days',
    ])
  })
  it('text of others cannot steer the terminal', () => {
    assert.equal(printable('a\x1b[2Jb\rc\u202ed'), 'a\ufffd[2Jb\ufffdc\ufffdd')
    assert.ok(!table(['x'], [['\x1b[31m']]).includes('\x1b'))
    assert.equal(table(['a', 'b'], [['日本', 'x']]), 'a     b\n日本  x')
  })
  it('names of others stay in their folder', () => {
    assert.equal(localName('../../etc/passwd'), '.._.._etc_passwd')
    assert.deepEqual(['..', '.', '', 'a\nb'].map(localName), ['_', '_', 'file', 'a_b'])
  })
  it('progress goes to terminals only', () => {
    let text = ''
    const output = { write: (part: string) => (text += part) }
    createProgressBar(output, 'x', size).update(1, 2)
    assert.equal(text, '')
    let now = 0
    const bar = createProgressBar({ ...output, isTTY: true, columns: 80 }, 'x', size, () => now)
    bar.update(500, 1000)
    now = 10
    bar.update(600, 1000)
    bar.end()
    assert.equal(text.match(/%/g)?.length, 1)
    assert.ok(text.includes('50%') && text.endsWith('\r\x1b[K'))
  })
})

describe('files of the data directory', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'cairn-small-'))
  })
  afterEach(() => rm(dir, { recursive: true }))

  it('the token is made once, long, and readable by its owner alone', async () => {
    const token = await ensureToken(dir)
    assert.match(token, /^[\w-]{43}$/)
    assert.equal(await ensureToken(dir), token)
    assert.equal(statSync(join(dir, 'token')).mode & 0o777, 0o600)
    await writeFile(join(dir, 'token'), 'short')
    assert.notEqual(await ensureToken(dir), 'short')
  })
  it('a token that the operator gives takes the place of the other, and stays', async () => {
    const made = await ensureToken(dir)
    const given = '0123456789abcdef'.repeat(2).replace('89', 'zY')
    assert.equal(await ensureToken(dir, given), given)
    assert.equal(statSync(join(dir, 'token')).mode & 0o777, 0o600)
    assert.equal(await ensureToken(dir, made), made)
    assert.equal(await ensureToken(dir), made)
  })
  it('a token that can be guessed is not taken, and not repeated', async () => {
    const weak = ['short', 'a'.repeat(64), 'password'.repeat(8), 'sixteen-letters-'.repeat(3)]
    for (const token of [...weak, `${'x'.repeat(20)} ${'y'.repeat(20)}`]) {
      assert.notEqual(weaknessOf(token), undefined, token)
      await assert.rejects(ensureToken(dir, token), (error: Error) => {
        assert.equal(codeOf(error), 'TOKEN_WEAK')
        return !error.message.includes(token)
      })
    }
    assert.equal(existsSync(join(dir, 'token')), false)
  })
  it('random tokens of 32 characters pass, also of digits alone', () => {
    for (let round = 0; round < 2000; round += 1) {
      const bytes = randomBytes(32)
      const digits = [...bytes].map((byte) => byte % 10).join('')
      for (const token of [bytes.toString('hex').slice(32), bytes.toString('base64'), digits]) {
        assert.equal(weaknessOf(token), undefined, token)
      }
    }
  })
  it('the log has a bound', () => {
    const log = openLogFile(dir, 1000)
    for (let line = 0; line < 100; line += 1) log.write('x'.repeat(50))
    log.close()
    const sizes = ['cairn.log', 'cairn.log.1'].map((name) => statSync(join(dir, 'logs', name)).size)
    assert.ok(
      sizes.every((bytes) => bytes > 0 && bytes < 1200),
      `${sizes}`,
    )
  })
})
