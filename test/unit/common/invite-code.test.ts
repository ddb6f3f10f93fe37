import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import jsQR from 'jsqr'
import { cidOf } from '../../../src/common/dag-cbor.ts'
import {
  decodeInvite,
  encodeInvite,
  INVITE_KINDS,
  type Invite,
  MAX_INVITE_CHARS,
} from '../../../src/common/invite-code.ts'
import { qrText } from '../../../src/interfaces/cli/qr.ts'

const PEER = '12D3KooWGjnPcwjC6nGEVdFmLkJP9jmgaCiZj1mUyFQpfJTRYcLZ'
const invite: Invite = {
  kind: 'member',
  network: cidOf(new Uint8Array([1])),
  addresses: [
    `/ip4/192.168.1.20/tcp/4001/p2p/${PEER}`,
    `/ip6/fd00::1/tcp/4001/p2p/${PEER}`,
    '/dns4/cairn.example/tcp/4001',
  ],
  secret: Uint8Array.from(randomBytes(32)),
  expires: 1_800_000_000_000,
}

describe('invite code', () => {
  it('says what was put in', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...INVITE_KINDS),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.subarray([...invite.addresses]),
        fc.nat(),
        (kind, secret, addresses, expires) => {
          const each = { ...invite, kind, secret, addresses, expires }
          assert.deepEqual(decodeInvite(encodeInvite(each)), each)
        },
      ),
    )
  })
  it('is read in capitals, in lines, and with lookalikes', () => {
    const code = encodeInvite(invite)
    assert.match(code, /^cairn:[a-z1345-9]+$/)
    assert.ok(code.length < 400, `${code.length}`)
    const lines = code.replace(/.{50}/g, '$&\r\n  ')
    const alike = code.slice(6).replaceAll('o', '0').replaceAll('1', 'l').replaceAll('z', '2')
    for (const typed of [code.toUpperCase(), ` ${lines}\n`, `cairn:${alike}`]) {
      assert.deepEqual(decodeInvite(typed), invite)
    }
  })
  it('each single change is found', () => {
    const code = encodeInvite(invite)
    for (let at = 6; at < code.length; at++) {
      const other = code[at] === 'y' ? 'b' : 'y'
      assert.throws(() => decodeInvite(code.slice(0, at) + other + code.slice(at + 1)), {
        code: 'INVITE_CHECKSUM',
      })
    }
    assert.throws(() => decodeInvite(code.slice(0, -1)), { code: 'INVITE_CHECKSUM' })
    assert.throws(() => decodeInvite(`${code}y`), { code: 'INVITE_CHECKSUM' })
    assert.throws(() => decodeInvite('cairn:'), { code: 'INVITE_CHECKSUM' })
  })
  it('what is none is named', () => {
    const code = encodeInvite(invite)
    const cases: readonly (readonly [string, string])[] = [
      ['', 'INVITE_PREFIX'],
      ['https://example.org', 'INVITE_PREFIX'],
      [code.slice(6), 'INVITE_PREFIX'],
      [`${code}!`, 'INVITE_CHARACTER'],
      [`cairn:\u001b[31m`, 'INVITE_CHARACTER'],
      [`cairn:${'y'.repeat(MAX_INVITE_CHARS)}`, 'INVITE_LENGTH'],
      [`cairn:${' '.repeat(1e6)}`, 'INVITE_LENGTH'],
    ]
    for (const [text, expected] of cases)
      assert.throws(() => decodeInvite(text), { code: expected })
    assert.throws(
      () => decodeInvite('cairn:\u001b[31m'),
      (error: { message?: string }) => !(error.message ?? '').includes('\u001b'),
    )
  })
  it('any text gives an invite or a named error', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        assert.throws(() => decodeInvite(`cairn:${text}`), { code: /^INVITE_/ })
      }),
    )
  })
  it('its fields have bounds', () => {
    const wrong: readonly Partial<Invite>[] = [
      { secret: new Uint8Array(31) },
      { expires: -1 },
      { addresses: Array(9).fill('/ip4/1.1.1.1/tcp/1') },
      { addresses: ['x'.repeat(257)] },
      { kind: 'owner' as never },
    ]
    for (const part of wrong) {
      assert.throws(() => encodeInvite({ ...invite, ...part }), { code: 'INVITE_CONTENT' })
    }
    const long = Array.from({ length: 8 }, (_, index) => `/dns4/${'x'.repeat(200)}${index}`)
    assert.throws(() => encodeInvite({ ...invite, addresses: long }), { code: /^INVITE_/ })
  })
})

/** What sets colours in a terminal. */
const COLOURS = new RegExp(`${String.fromCharCode(27)}\\[[\\d;]*m`, 'g')

describe('QR picture', () => {
  /** The picture as a camera sees it: 4 by 4 points for each module, on what the terminal shows around. */
  const see = (picture: string, drawnIsLight: boolean): string | undefined => {
    const lines = picture.replace(COLOURS, '').trimEnd().split('\n')
    const rows = lines.flatMap((line) => [
      [...line].map((each) => '█▀'.includes(each)),
      [...line].map((each) => '█▄'.includes(each)),
    ])
    const scale = 4
    const width = (rows[0]?.length ?? 0) * scale
    const pixels = new Uint8ClampedArray(width * rows.length * scale * 4)
    for (let y = 0; y < rows.length * scale; y++) {
      for (let x = 0; x < width; x++) {
        const drawn = rows[Math.floor(y / scale)]?.[Math.floor(x / scale)] ?? false
        pixels.fill(drawn === drawnIsLight ? 255 : 0, (y * width + x) * 4, (y * width + x) * 4 + 3)
        pixels[(y * width + x) * 4 + 3] = 255
      }
    }
    const read = jsQR.default(pixels, width, rows.length * scale, {
      inversionAttempts: 'dontInvert',
    })
    return read?.data
  }
  it('another program reads the code in it', () => {
    const code = encodeInvite(invite).toUpperCase()
    const picture = qrText(code)
    const columns = Math.max(
      ...picture
        .replace(COLOURS, '')
        .split('\n')
        .map((l) => l.length),
    )
    assert.ok(columns <= 80, `${columns}`)
    const read = see(picture, false)
    assert.equal(read, code)
    assert.deepEqual(decodeInvite(read ?? ''), invite)
  })
  it('without colours, on a dark terminal', () => {
    const picture = qrText('CAIRN:TEST', { colour: false })
    assert.ok(!picture.includes('\u001b'))
    assert.equal(see(picture, true), 'CAIRN:TEST')
  })
})
