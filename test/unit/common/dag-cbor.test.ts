import assert from 'node:assert/strict'
import * as reference from '@ipld/dag-cbor'
import fc from 'fast-check'
import { CID } from 'multiformats/cid'
import { fromHex, toHex } from '../../../src/common/bytes.ts'
import { sha256 } from '../../../src/common/crypto.ts'
import {
  CborLink,
  type CborValue,
  cidOf,
  cidText,
  DAG_CBOR,
  decode,
  digestOf,
  encode,
  encodeSmall,
  isLink,
  link,
  linkTo,
  RAW,
} from '../../../src/common/dag-cbor.ts'
import { CairnError } from '../../../src/common/errors.ts'

const MAX = 1 << 20

const cid = fc
  .tuple(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.constantFrom(DAG_CBOR, RAW))
  .map(([digest, codec]) => link(cidText(codec, digest)))

const { tree: value } = fc.letrec<{ tree: CborValue }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger(),
    fc.integer({ min: -300, max: 70_000 }),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    cid,
    fc.array(tie('tree'), { maxLength: 30 }),
    fc.dictionary(
      fc.string({ unit: 'binary', maxLength: 40 }).filter((key) => key !== '__proto__'),
      tie('tree'),
      { maxKeys: 30, noNullPrototype: true },
    ),
  ),
}))

/** With the links as CID objects, as the reference implementation reads them. */
function withCids(input: CborValue): unknown {
  if (input instanceof CborLink) return CID.parse(input.text)
  if (input === null || typeof input !== 'object' || input instanceof Uint8Array) return input
  if (Array.isArray(input)) return input.map(withCids)
  return Object.fromEntries(Object.entries(input).map(([k, v]) => [k, withCids(v as CborValue)]))
}

const refusesBytes = (bytes: Uint8Array): void =>
  assert.throws(
    () => decode(bytes, MAX),
    (error) =>
      error instanceof CairnError && error.code === 'ENCODING' && error.verdict === 'reject',
  )

describe('canonical DAG-CBOR', () => {
  it('writes the bytes that the reference implementation writes, and reads them back', () => {
    fc.assert(
      fc.property(value, (input) => {
        const bytes = encode(input)
        assert.equal(toHex(bytes), toHex(reference.encode(input)))
        assert.deepEqual(encodeSmall(input), bytes)
        const back = decode(bytes, MAX)
        assert.deepEqual(withCids(back), reference.decode(bytes))
        assert.deepEqual(encode(back), bytes)
      }),
      { numRuns: 400 },
    )
  })

  it('accepts no bytes that the reference implementation would write differently', () => {
    const check = (bytes: Uint8Array): void => {
      let read: CborValue
      try {
        read = decode(bytes, MAX)
      } catch (error) {
        assert.ok(error instanceof CairnError && error.code === 'ENCODING')
        return
      }
      assert.equal(toHex(reference.encode(withCids(read))), toHex(bytes))
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), check), { numRuns: 2_000 })
    fc.assert(
      fc.property(value, fc.nat(), fc.integer({ min: 1, max: 255 }), (input, at, flip) => {
        const bytes = encode(input)
        const index = at % bytes.length
        bytes[index] = (bytes[index] ?? 0) ^ flip
        check(bytes)
      }),
      { numRuns: 1_000 },
    )
  })

  for (const [name, hex] of Object.entries({
    'a number in a longer form': '1801',
    'a number in two bytes for one': '1900ff',
    'a number in eight bytes for four': '1b00000000ffffffff',
    'a text in a longer form': '780161',
    'an indefinite list': '9f01ff',
    'an indefinite map': 'bf616101ff',
    'an indefinite text': '7f6161ff',
    'keys out of order': 'a2626161016162',
    'keys that are longer first': 'a262616101616202',
    'the same key twice': 'a2616101616102',
    'a key that is a number': 'a10101',
    'a half float': 'f93c00',
    'a float': 'fb3ff8000000000000',
    undefined: 'f7',
    'another simple value': 'f820',
    'another tag': 'c001',
    'the tag in a longer form': 'd9002a4100',
    'a link without its first byte': 'd82a41ff',
    'text that is not UTF-8': '61ff',
    'a surrogate in text': '63eda080',
    'a list that ends too early': '8201',
    'a list that claims the world': '9affffffff',
    'bytes that end too early': '4201',
    'bytes after the end': '0000',
    nothing: '',
    'a key that changes what an object is': 'a1695f5f70726f746f5f5f01',
    'lists in lists without end': `${'81'.repeat(5_000)}00`,
  })) {
    it(`refuses ${name}`, () => refusesBytes(fromHex(hex)))
  }

  it('refuses a link with a number in a longer form', () => {
    const digest = '00'.repeat(32)
    decode(fromHex(`d82a58250001711220${digest}`), MAX)
    // The codec 0x71 as a varint of two bytes.
    refusesBytes(fromHex(`d82a58260001f1001220${digest}`))
  })

  it('refuses a text of a CID that is not the one text of its bytes', () => {
    const text = cidText(DAG_CBOR, new Uint8Array(32))
    assert.throws(() => link(`${text.slice(0, -1)}b`))
    assert.throws(() => encode(linkTo(`${text.slice(0, -1)}b`)))
  })

  it('refuses more bytes than its caller allows', () => {
    assert.throws(() => decode(encode('abc'), 3))
    assert.equal(decode(encode('abc'), 4), 'abc')
  })

  it('does not write floats', () => {
    for (const number of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      assert.throws(() => encode(number), CairnError)
    }
  })

  it('leaves undefined entries out', () => {
    assert.deepEqual(encode({ a: 1, b: undefined }), encode({ a: 1 }))
  })

  it('has the CID texts of the reference implementation', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const text = cidOf(bytes)
        const parsed = CID.parse(text)
        assert.equal(parsed.toString(), text)
        assert.equal(parsed.code, DAG_CBOR)
        assert.deepEqual(parsed.multihash.digest, sha256(bytes))
        assert.deepEqual(digestOf(text), sha256(bytes))
        assert.ok(link(text).equals(parsed))
        assert.ok(isLink(linkTo(text), [DAG_CBOR]) && isLink(parsed, [DAG_CBOR]))
        assert.ok(!isLink(parsed, [RAW]))
      }),
    )
  })

  it('reads other CIDs as links that are not ours', () => {
    const other = CID.parse('QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG')
    const read = decode(reference.encode(other), MAX)
    assert.ok(read instanceof CborLink)
    assert.equal(read.text, other.toString())
    assert.ok(!isLink(read, [DAG_CBOR, RAW, 0x70]))
    assert.equal(toHex(encode(read)), toHex(reference.encode(other)))
  })
})
