import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toHex } from '../../../src/common/bytes.ts'
import { createLogger, type Logger, silentLogger } from '../../../src/common/logger.ts'
import { KEY_NAMES, type Keystore, openKeystore } from '../../../src/storage/keystore.ts'
import { temporaryDirectories, thrownCode } from './temporary.ts'

describe('storage/keystore', () => {
  const directory = temporaryDirectories()
  const lines: string[] = []
  const logger: Logger = createLogger(
    'debug',
    (line) => void lines.push(line),
    () => 0,
  )
  let next = 0
  const randomBytes = (length: number): Uint8Array => {
    next += 1
    return new Uint8Array(length).fill(next)
  }
  const open = (path: string): Keystore => openKeystore({ path, randomBytes, logger })
  beforeEach(() => void lines.splice(0))

  it('makes secrets once and gives them back', () => {
    const path = join(directory(), 'keys')
    const keystore = open(path)
    assert.equal(keystore.get('device'), undefined)
    keystore.ensure(KEY_NAMES)
    const secrets = KEY_NAMES.map((name) => keystore.require(name))
    assert.equal(new Set(secrets.map(String)).size, KEY_NAMES.length)
    const again = open(path)
    again.ensure(KEY_NAMES)
    assert.deepEqual(
      KEY_NAMES.map((name) => again.get(name)),
      secrets,
    )
  })

  it('is for its owner alone, and corrects permissions with a warning', () => {
    const path = join(directory(), 'keys')
    open(path).ensure(['device'])
    const file = join(path, 'device.key')
    assert.equal(statSync(path).mode & 0o777, 0o700)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(lines.length, 0)
    chmodSync(file, 0o644)
    chmodSync(path, 0o755)
    open(path)
    assert.equal(statSync(path).mode & 0o777, 0o700)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(lines.filter((line) => line.includes('WARN')).length, 2)
  })

  it('finishes a first start that was killed in the middle', () => {
    const path = join(directory(), 'keys')
    open(path).ensure(KEY_NAMES)
    const device = open(path).require('device')
    // Killed after the first secret, in the middle of the second.
    for (const name of ['names.json', ...KEY_NAMES.slice(1).map((key) => `${key}.key`)]) {
      rmSync(join(path, name))
    }
    writeFileSync(join(path, '.tmp-1-user.key'), '{"format":1')
    const keystore = open(path)
    keystore.ensure(KEY_NAMES)
    assert.deepEqual(keystore.require('device'), device)
    for (const name of KEY_NAMES) assert.equal(keystore.require(name).length, 32)
    assert.deepEqual(
      readdirSync(path).filter((name) => name.startsWith('.')),
      [],
    )
  })

  it('KEYSTORE_DAMAGED: a secret that was complete is missing or changed; none is made in its place', () => {
    const path = join(directory(), 'keys')
    open(path).ensure(['device', 'user'])
    const file = join(path, 'device.key')
    const text = readFileSync(file, 'utf8')
    for (const bad of [
      '',
      'x',
      '{}',
      '[]',
      text.slice(0, -10),
      text.replace(/"[0-9a-f]{2}/, '"ff'),
    ]) {
      writeFileSync(file, bad)
      assert.equal(
        thrownCode(() => open(path).get('device')),
        'KEYSTORE_DAMAGED',
      )
      assert.equal(
        thrownCode(() => open(path).ensure(['device'])),
        'KEYSTORE_DAMAGED',
      )
      assert.equal(readFileSync(file, 'utf8'), bad)
    }
    rmSync(file)
    assert.equal(
      thrownCode(() => open(path).ensure(['device'])),
      'KEYSTORE_DAMAGED',
    )
    assert.equal(
      thrownCode(() => open(path).require('recovery')),
      'KEYSTORE_DAMAGED',
    )
    assert.equal(open(path).get('recovery'), undefined)
  })

  it('DATA_FORMAT_NEWER: a secret that is protected in a way this program does not know', () => {
    const path = join(directory(), 'keys')
    open(path).ensure(['device'])
    const file = join(path, 'device.key')
    writeFileSync(file, readFileSync(file, 'utf8').replace('"none"', '"passphrase"'))
    assert.equal(
      thrownCode(() => open(path).get('device')),
      'DATA_FORMAT_NEWER',
    )
  })

  it('stores a secret from elsewhere and forgets one', () => {
    const path = join(directory(), 'keys')
    const keystore = open(path)
    const secret = new Uint8Array(32).fill(200)
    keystore.put('user', secret)
    assert.deepEqual(open(path).require('user'), secret)
    keystore.remove('user')
    keystore.remove('user')
    assert.equal(open(path).get('user'), undefined)
  })

  it('puts no secret into the log', () => {
    const path = join(directory(), 'keys')
    open(path).ensure(['device'])
    chmodSync(join(path, 'device.key'), 0o644)
    const secret = Buffer.from(open(path).require('device')).toString('hex')
    assert.ok(lines.length > 0)
    assert.ok(lines.every((line) => !line.includes(secret)))
  })
})

describe('storage/keystore: under a passphrase', function () {
  this.timeout(20_000)
  const directory = temporaryDirectories()
  const cost = { n: 2, r: 1, p: 1 }
  const open = (path: string): Keystore =>
    openKeystore({
      path,
      randomBytes: (length) => new Uint8Array(randomBytes(length)),
      logger: silentLogger,
      cost,
    })
  const made = (): { path: string; secrets: Uint8Array[] } => {
    const path = join(directory(), 'keys')
    const keystore = open(path)
    keystore.ensure(KEY_NAMES)
    return { path, secrets: KEY_NAMES.map((name) => keystore.require(name)) }
  }
  const secretsOf = (keystore: Keystore): Uint8Array[] =>
    KEY_NAMES.map((name) => keystore.require(name))
  const text = (path: string): string =>
    KEY_NAMES.map((name) => readFileSync(join(path, `${name}.key`), 'utf8')).join('\n')

  it('set: the files say nothing without it, and everything with it', async () => {
    const { path, secrets } = made()
    const keystore = open(path)
    assert.deepEqual([keystore.protected, keystore.locked], [false, false])
    await keystore.protect('correct horse')
    assert.deepEqual([keystore.protected, keystore.locked], [true, false])
    assert.deepEqual(secretsOf(keystore), secrets)
    for (const secret of secrets) assert.equal(text(path).includes(toHex(secret)), false)

    const again = open(path)
    assert.equal(again.locked, true)
    assert.equal(
      thrownCode(() => again.get('device')),
      'KEYS_LOCKED',
    )
    await assert.rejects(again.unlock('wrong horse'), { code: 'PASSPHRASE_WRONG' })
    await assert.rejects(again.unlock(''), { code: 'PASSPHRASE_EMPTY' })
    await again.unlock('correct horse')
    assert.deepEqual(secretsOf(again), secrets)
  })

  it('a secret that comes later is protected too', async () => {
    const { path } = made()
    const keystore = open(path)
    await keystore.protect('a')
    keystore.put('recovery', new Uint8Array(32).fill(7))
    assert.equal(text(path).includes('07'.repeat(32)), false)
    const again = open(path)
    await again.unlock('a')
    assert.deepEqual(again.get('recovery'), new Uint8Array(32).fill(7))
  })

  it('clear: they can be read without it', async () => {
    const { path, secrets } = made()
    const keystore = open(path)
    await keystore.protect('a')
    await keystore.protect(undefined)
    assert.deepEqual([keystore.protected, keystore.locked], [false, false])
    assert.deepEqual(secretsOf(open(path)), secrets)
  })

  it('whatever a crash leaves of a change, either passphrase opens all', async () => {
    const states: (string | undefined)[] = [undefined, 'old', 'new']
    for (const before of states) {
      for (const after of states) {
        const { path, secrets } = made()
        const keystore = open(path)
        if (before !== undefined) await keystore.protect(before)
        const files = KEY_NAMES.map((name) => join(path, `${name}.key`))
        const old = files.map((file) => readFileSync(file))
        await keystore.protect(after)
        const changed = files.map((file) => readFileSync(file))
        for (let done = 1; done < files.length; done++) {
          for (const [index, file] of files.entries()) {
            writeFileSync(file, (index < done ? changed[index] : old[index]) ?? '')
          }
          for (const passphrase of [before, after]) {
            if (passphrase === undefined) continue
            const found = open(path)
            await found.unlock(passphrase)
            assert.deepEqual(secretsOf(found), secrets, `${before} to ${after}, ${done} done`)
          }
        }
      }
    }
  })

  it('finds damage, also to the lock', async () => {
    const { path } = made()
    await open(path).protect('a')
    const file = join(path, 'device.key')
    const content = JSON.parse(readFileSync(file, 'utf8'))
    for (const key of ['lock', 'secret']) {
      const first = content[key].startsWith('0') ? '1' : '0'
      writeFileSync(file, JSON.stringify({ ...content, [key]: first + content[key].slice(1) }))
      assert.equal(
        thrownCode(() => open(path).locked),
        'KEYSTORE_DAMAGED',
      )
    }
  })
})
