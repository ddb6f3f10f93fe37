import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { concatBytes, fromHex, toHex, utf8 } from '../../../src/common/bytes.ts'
import { publicKeyOf } from '../../../src/common/crypto.ts'
import { decode, encode } from '../../../src/common/dag-cbor.ts'
import { openSealed, SEAL_OVERHEAD_BYTES, sealTo } from '../../../src/common/hpke.ts'
import { secretFromWords, wordsFromSecret } from '../../../src/common/mnemonic.ts'
import { lockWithPassphrase, unlockWithPassphrase } from '../../../src/common/passphrase.ts'
import { recoveryKeys } from '../../../src/common/recovery-keys.ts'

const hpke: Readonly<Record<string, string>> = JSON.parse(
  readFileSync(new URL('../../vectors/hpke.json', import.meta.url), 'utf8'),
)
const of = (name: string): Uint8Array => fromHex(hpke[name] ?? '')

describe('sealing', () => {
  it('opens the message of RFC 9180', async () => {
    const sealed = concatBytes([of('enc'), of('ciphertext')])
    const plain = await openSealed(of('skRm'), sealed, { info: of('info'), aad: of('aad') })
    assert.equal(toHex(plain), hpke.plaintext)
    assert.equal(toHex(publicKeyOf('x25519', of('skRm'))), hpke.pkRm)
  })
  it('opens what it seals, for this key and purpose alone', async () => {
    const secret = randomBytes(32)
    const publicKey = publicKeyOf('x25519', secret)
    const context = { info: utf8('network file version') }
    const plain = randomBytes(64)
    const sealed = await sealTo(publicKey, plain, context)
    assert.equal(sealed.length, plain.length + SEAL_OVERHEAD_BYTES)
    assert.deepEqual([...(await openSealed(secret, sealed, context))], [...plain])
    assert.notDeepEqual(await sealTo(publicKey, plain, context), sealed)
    const broken = { code: 'SEAL_BROKEN' }
    await assert.rejects(openSealed(randomBytes(32), sealed, context), broken)
    await assert.rejects(openSealed(secret, sealed, { info: utf8('other') }), broken)
    await assert.rejects(openSealed(secret, sealed, { ...context, aad: utf8('a') }), broken)
    for (let at = 0; at < sealed.length; at += 13) {
      await assert.rejects(
        openSealed(secret, sealed.with(at, (sealed[at] ?? 0) ^ 1), context),
        broken,
      )
    }
    await assert.rejects(openSealed(secret, sealed.subarray(0, 47), context), broken)
    await assert.rejects(openSealed(secret, sealed.fill(0, 0, 32), context), broken)
  })
  it('refuses what is no public key', async () => {
    for (const key of [new Uint8Array(31), new Uint8Array(33), new Uint8Array(32)]) {
      await assert.rejects(sealTo(key, utf8('x'), { info: utf8('') }), { code: 'SEAL_KEY' })
    }
  })
})

/** Of the vectors that BIP-39 names (github.com/trezor/python-mnemonic), those of 24 words. */
const BIP39: readonly (readonly [string, string])[] = [
  ['00'.repeat(32), `${'abandon '.repeat(23)}art`],
  [
    '7f'.repeat(32),
    `${'legal winner thank year wave sausage worth useful '.repeat(2)}legal winner thank year wave sausage worth title`,
  ],
  [
    '80'.repeat(32),
    `${'letter advice cage absurd amount doctor acoustic avoid '.repeat(2)}letter advice cage absurd amount doctor acoustic bless`,
  ],
  ['ff'.repeat(32), `${'zoo '.repeat(23)}vote`],
  [
    'f585c11aec520db57dd353c69554b21a89b20fb0650966fa0a9d6f74fd989d8f',
    'void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing screen patrol group space point ten exist slush involve unfold',
  ],
]

describe('recovery words', () => {
  for (const [secret, words] of BIP39) {
    it(`of BIP-39: ${secret.slice(0, 8)}`, () => {
      assert.equal(wordsFromSecret(fromHex(secret)).join(' '), words)
      assert.equal(toHex(secretFromWords(words)), secret)
    })
  }
  it('are read however they are typed', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.constantFrom(' ', '\n', ' \t ', ', ', ';\r\n'),
        fc.constantFrom('', '.', ')', ':'),
        fc.boolean(),
        fc.integer({ min: 4, max: 8 }),
        (secret, blank, mark, capitals, letters) => {
          const typed = wordsFromSecret(secret).map((word, index) => {
            const short = word.slice(0, letters)
            return `${mark === '' ? '' : `${index + 1}${mark}`} ${capitals ? short.toUpperCase() : short}`
          })
          assert.deepEqual(secretFromWords(`  ${typed.join(blank)}.\n`), secret)
        },
      ),
      { numRuns: 50 },
    )
  })
  it('a wrong one is named by its position, with near ones', () => {
    const words = wordsFromSecret(new Uint8Array(32))
    assert.throws(
      () => secretFromWords(words.with(6, 'abandno').join(' ')),
      (error: { code?: string; message?: string; details?: Record<string, unknown> }) =>
        error.code === 'WORDS_UNKNOWN' &&
        error.details?.position === 7 &&
        /Perhaps: abandon/.test(error.message ?? ''),
    )
    assert.throws(() => secretFromWords(words.with(0, 'aba').join(' ')), { code: 'WORDS_UNKNOWN' })
    assert.throws(
      () => secretFromWords(words.with(23, '\u001b[31m'.repeat(99)).join(' ')),
      (error: { message?: string }) => !(error.message ?? '').includes('\u001b'),
    )
  })
  it('too few, too many, swapped', () => {
    const words = wordsFromSecret(fromHex(BIP39[4]?.[0] ?? ''))
    for (const wrong of [words.slice(1), [...words, 'zoo'], [], Array(5000).fill('zoo')]) {
      assert.throws(() => secretFromWords(wrong.join(' ')), { code: 'WORDS_COUNT' })
    }
    const swapped = [words[1], words[0], ...words.slice(2)]
    assert.throws(() => secretFromWords(swapped.join(' ')), { code: 'WORDS_CHECKSUM' })
  })
  // Computed by another program (Python, cryptography).
  it('give the same keys for ever, each its own', () => {
    const { signing, encryption, backup } = recoveryKeys(new Uint8Array(32))
    assert.deepEqual([signing, encryption, backup].map(toHex), [
      '00'.repeat(32),
      'fc7499e26c428a07d31ee1f9dd000503b01d1c2d44000b4685d79156f186c159',
      'b288506fb107656fe137f0f01bc8e10a3a41be18d7ff4ed6facebf7639aa4837',
    ])
  })
})

describe('a secret under a passphrase', () => {
  const cost = { n: 1024, r: 8, p: 1 }
  const lock = (secret: Uint8Array, passphrase: string) =>
    lockWithPassphrase(secret, passphrase, { randomBytes, cost })

  it('comes back, in either form of the letters', async () => {
    const secret = randomBytes(32)
    const locked = await lock(secret, 'Caf\u00e9 \ufb01ne')
    assert.deepEqual([...(await unlockWithPassphrase(locked, 'Cafe\u0301 fine'))], [...secret])
    assert.notDeepEqual(await lock(secret, 'Caf\u00e9'), await lock(secret, 'Caf\u00e9'))
    assert.equal((await unlockWithPassphrase(await lock(new Uint8Array(), 'x'), 'x')).length, 0)
  })
  it('a wrong passphrase and damage are told apart', async () => {
    const locked = await lock(randomBytes(100), 'right')
    await assert.rejects(unlockWithPassphrase(locked, 'wrong'), { code: 'PASSPHRASE_WRONG' })
    await assert.rejects(unlockWithPassphrase(locked, ''), { code: 'PASSPHRASE_EMPTY' })
    await assert.rejects(lock(randomBytes(1), ''), { code: 'PASSPHRASE_EMPTY' })
    for (let at = 0; at < locked.length; at++) {
      await assert.rejects(
        unlockWithPassphrase(locked.with(at, (locked[at] ?? 0) ^ 1), 'right'),
        (error: { code?: string }) =>
          error.code === 'LOCKED_DAMAGED' || error.code === 'LOCKED_NEWER',
        `byte ${at}`,
      )
    }
    for (const bytes of [
      new Uint8Array(),
      locked.subarray(1),
      locked.subarray(0, -1),
      utf8('{}'),
    ]) {
      await assert.rejects(unlockWithPassphrase(bytes, 'right'), { code: 'LOCKED_DAMAGED' })
    }
  })
  it('a file cannot ask for all of the memory', async () => {
    const { createHash } = await import('node:crypto')
    const value = decode(await lock(randomBytes(8), 'x'), 1000) as Record<string, unknown>
    const { check: _, ...content } = value
    for (const kdf of [
      { n: 2 ** 30, r: 8, p: 1 },
      { n: 1024, r: 60_000, p: 1 },
      { n: 1024, r: 8, p: 60_000 },
      { n: 1000, r: 8, p: 1 },
      { n: 0, r: 8, p: 1 },
      { n: 1024, r: 0, p: 1 },
      { n: 1024, r: 8, p: 0 },
    ]) {
      const changed = { ...content, kdf: { ...kdf, salt: new Uint8Array(16) } }
      const digest = createHash('sha256')
        .update(encode(changed as never))
        .digest()
      const file = encode({ ...changed, check: Uint8Array.from(digest.subarray(0, 8)) } as never)
      await assert.rejects(unlockWithPassphrase(file, 'x'), {
        code: 'LOCKED_DAMAGED',
        message: /it asks for the cost/,
      })
    }
  })
  it('another format is not taken for damage', async () => {
    await assert.rejects(unlockWithPassphrase(encode({ format: 2 }), 'x'), { code: 'LOCKED_NEWER' })
  })
})
