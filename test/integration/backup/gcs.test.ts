import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { systemClock } from '../../../src/common/clock.ts'
import type { Destination } from '../../../src/services/backup/destination.ts'
import { createGcsDestination } from '../../../src/services/backup/destinations/gcs.ts'
import { readServiceAccount } from '../../../src/services/backup/destinations/google-token.ts'
import { destinationSuite } from '../../contract/destination.ts'
import { type Google, startGoogle } from '../../helpers/backup/google.ts'

const never = new AbortController().signal
const bytes = Uint8Array.of(1, 2, 3)

function open(google: Google, credentials = google.credentials, bucket = 'vault'): Destination {
  const name = 'gcs vault'
  const account = readServiceAccount(credentials, name)
  const endpoint = new URL(google.origin)
  return createGcsDestination(
    { clock: systemClock },
    { name, bucket, account, endpoint, prefix: 'backups/' },
  )
}

describe('backups in Google Cloud Storage', () => {
  let google: Google
  let at: Destination

  beforeEach(async () => {
    google = await startGoogle('vault')
    at = open(google)
  })
  afterEach(async () => {
    await at.close()
    await google.stop()
  })

  destinationSuite('Google Cloud Storage', async () => ({
    destination: open(google),
    again: async () => open(google),
    end: async () => {},
  }))

  it('asks for one token and uses it until it is withdrawn', async () => {
    await at.put('a/b', bytes, { signal: never, label: '42 blocks' })
    await at.get('a/b', never)
    assert.equal(google.tokens(), 1)
    google.withdraw()
    assert.deepEqual(await at.get('a/b', never), bytes)
    assert.equal(google.tokens(), 2)
    const stored = google.objects.get('backups/a/b')
    assert.deepEqual(stored?.metadata, {
      sha256: '039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81',
      label: '42 blocks',
    })
  })

  it('refuses another key and a bucket that is not there, and says so', async () => {
    const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const pem = other.export({ type: 'pkcs8', format: 'pem' })
    const credentials = JSON.stringify({ ...JSON.parse(google.credentials), private_key: pem })
    const stranger = open(google, credentials)
    await assert.rejects(stranger.put('a/b', bytes, { signal: never }), {
      code: 'DESTINATION_REFUSED',
      message: /invalid_grant/,
    })
    await stranger.close()
    const elsewhere = open(google, google.credentials, 'other')
    await assert.rejects(elsewhere.list('', never), { code: 'DESTINATION_REFUSED' })
    await assert.rejects(elsewhere.put('a/b', bytes, { signal: never }), {
      code: 'DESTINATION_REFUSED',
    })
    await elsewhere.close()
    assert.equal(google.objects.size, 0)
  })

  it('notices other bytes than the service has a digest of', async () => {
    await at.put('a/b', bytes, { signal: never })
    const stored = google.objects.get('backups/a/b')
    assert.ok(stored)
    // A body that was changed on the way, behind the service's digest.
    const digested = stored.bytes
    Object.defineProperty(stored, 'bytes', {
      get: (() => {
        let reads = 0
        return () => (reads++ === 0 ? digested : Buffer.of(9, 9, 9))
      })(),
    })
    await assert.rejects(at.get('a/b', never), { code: 'DESTINATION_DIFFERS' })
  })

  it('says what is wrong with a key', () => {
    const good: unknown = JSON.parse(google.credentials)
    const wrong: readonly [string, RegExp][] = [
      ['{', /no JSON/],
      ['[]', /no key of a service account/],
      [JSON.stringify({ type: 'authorized_user' }), /no key of a service account/],
      [JSON.stringify({ type: 'service_account', client_email: 'a' }), /incomplete/],
      [JSON.stringify(Object.assign({}, good, { private_key: 'x' })), /cannot be read/],
      [JSON.stringify(Object.assign({}, good, { token_uri: 'http://a.example/' })), /TLS/],
    ]
    for (const [text, message] of wrong) {
      assert.throws(() => readServiceAccount(text, 'gcs'), { code: 'DESTINATION_SETTING', message })
    }
  })
})
