import assert from 'node:assert/strict'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLogger, type Logger } from '../../../src/common/logger.ts'
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
