import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { concatBytes, fromHex, toHex, utf8 } from '../../../src/common/bytes.ts'
import {
  type ContentCipher,
  createContentCipher,
  newHeader,
} from '../../../src/common/content-cipher.ts'
import {
  CONTENT_FORMAT,
  headerBytes,
  plainSizeOf,
  plainStartOf,
  type StreamFormat,
  segmentAt,
  segmentCount,
  segmentsOf,
  storedSizeOf,
} from '../../../src/common/content-format.ts'
import { decryptContent, encryptContent } from '../../../src/common/content-stream.ts'

interface Published extends StreamFormat {
  readonly key: string
  readonly associatedData: string
  readonly plain: string
  readonly stored: string
}
interface Content {
  readonly name: string
  readonly key: string
  readonly header: string
  readonly associatedData: string
  readonly plainSize: number
  readonly plainSha256: string
  readonly storedSize: number
  readonly segmentSha256: readonly string[]
}
const vectors: {
  readonly published: { readonly vectors: readonly Published[] }
  readonly contents: { readonly vectors: readonly Content[] }
} = JSON.parse(readFileSync(new URL('../../vectors/content.json', import.meta.url), 'utf8'))

/** Segments of 24 plain bytes after one of 8 or 0. */
const SMALL: StreamFormat = { digest: 'sha256', keyBytes: 16, segmentBytes: 48 }
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

async function* pieces(bytes: Uint8Array, length = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.slice(at, at + length)
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = []
  for await (const each of source) all.push(each)
  return all
}

const decrypt = async (
  cipher: ContentCipher,
  stored: Uint8Array,
  range: { offset?: number; length?: number; storedSize?: number; piece?: number } = {},
): Promise<Uint8Array> => {
  const { piece = 7, storedSize = stored.length, ...rest } = range
  const read = (from: number, to: number): AsyncIterable<Uint8Array> =>
    pieces(stored.subarray(from, Math.max(to, from)), piece)
  return concatBytes(await collect(decryptContent(cipher, { storedSize, ...rest }, read)))
}

const small = (key: Uint8Array = randomBytes(16), header = newHeader(randomBytes, SMALL)) =>
  createContentCipher({ key, header, format: SMALL })

function bytesNamed(name: string, length: number): Uint8Array {
  const parts: Uint8Array[] = []
  for (let counter = 0; counter * 32 < length; counter++) {
    const number = Buffer.alloc(4)
    number.writeUInt32BE(counter)
    parts.push(createHash('sha256').update(name).update(number).digest())
  }
  return concatBytes(parts).subarray(0, length)
}

describe('content cipher', () => {
  vectors.published.vectors.forEach((vector, index) => {
    it(`opens and makes what Tink publishes: vector ${index}`, async () => {
      const stored = fromHex(vector.stored)
      const cipher = createContentCipher({
        key: fromHex(vector.key),
        header: stored.subarray(0, headerBytes(vector)),
        associatedData: fromHex(vector.associatedData),
        format: vector,
      })
      const plain = fromHex(vector.plain)
      assert.equal(toHex(await decrypt(cipher, stored)), vector.plain)
      assert.equal(
        toHex(concatBytes(await collect(encryptContent(cipher, pieces(plain, 11))))),
        vector.stored,
      )
      assert.equal(storedSizeOf(plain.length, vector), stored.length)
      assert.equal(plainSizeOf(stored.length, vector), plain.length)
    })
  })

  for (const vector of vectors.contents.vectors) {
    it(`makes segments of 1 MiB as another program does: ${vector.name}`, async () => {
      const plain = bytesNamed(vector.name, vector.plainSize)
      assert.equal(sha256(plain), vector.plainSha256)
      const cipher = createContentCipher({
        key: fromHex(vector.key),
        header: fromHex(vector.header),
        associatedData: fromHex(vector.associatedData),
      })
      const seen = createHash('sha256')
      const segments = await collect(
        encryptContent(cipher, pieces(plain, 100_003), { onPlain: (bytes) => seen.update(bytes) }),
      )
      assert.deepEqual(segments.map(sha256), vector.segmentSha256)
      assert.ok(segments.slice(0, -1).every(({ length }) => length === CONTENT_FORMAT.segmentBytes))
      assert.equal(seen.digest('hex'), vector.plainSha256)
      const stored = concatBytes(segments)
      assert.equal(stored.length, vector.storedSize)
      assert.equal(storedSizeOf(vector.plainSize), vector.storedSize)
      assert.equal(plainSizeOf(vector.storedSize), vector.plainSize)
      assert.equal(sha256(await decrypt(cipher, stored, { piece: 1_048_576 })), vector.plainSha256)
    })
  }

  it('any range of any content, from any pieces', async () => {
    const format: StreamFormat = { ...SMALL, segmentBytes: 64 }
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 400 }),
        fc.nat(420),
        fc.nat(420),
        fc.integer({ min: 1, max: 130 }),
        async (plain, offset, length, piece) => {
          const header = newHeader(randomBytes, format)
          const cipher = createContentCipher({ key: randomBytes(16), header, format })
          const segments = await collect(encryptContent(cipher, pieces(plain, piece)))
          assert.equal(segments.length, segmentCount(plain.length, format))
          const stored = concatBytes(segments)
          const wanted = plain.subarray(offset, offset + length)
          assert.deepEqual(
            [...(await decrypt(cipher, stored, { offset, length, piece }))],
            [...wanted],
          )
          // The slices alone say the same.
          const parts: Uint8Array[] = []
          for (const { segment, from, to } of segmentsOf(plain.length, offset, length, format)) {
            const bytes = segments[segment]
            assert.ok(bytes)
            parts.push(cipher.open(bytes, segment, segment === segments.length - 1).slice(from, to))
          }
          assert.deepEqual([...concatBytes(parts)], [...wanted])
        },
      ),
      { numRuns: 150 },
    )
  })

  it('a plain offset lies where the format says', () => {
    for (const offset of [0, 1_048_519, 1_048_520, 2_097_079, 2_097_080, 5_000_000_000_000]) {
      const segment = segmentAt(offset)
      assert.equal(segment, Math.floor((offset + 40) / 1_048_560))
      assert.ok(plainStartOf(segment) <= offset && offset < plainStartOf(segment + 1))
    }
    assert.equal(segmentAt(1_048_519), 0)
    assert.equal(segmentAt(1_048_520), 1)
  })

  it('sizes that no content has are refused', () => {
    for (const bytes of [0, 55, -1, 1.5, 1_048_576 + 16, 2 ** 53, Number.NaN]) {
      assert.throws(() => plainSizeOf(bytes), { code: 'CIPHER_SIZE' }, String(bytes))
    }
    assert.equal(plainSizeOf(56), 0)
    assert.equal(plainSizeOf(1_048_576 + 17), 1_048_521)
    assert.throws(() => storedSizeOf(-1), { code: 'CIPHER_SIZE' })
    assert.throws(() => storedSizeOf(2 ** 52), { code: 'CIPHER_SIZE' })
  })

  describe('what was changed is named', () => {
    const plain = utf8(
      'five segments of this text, of thirty-two bytes, but for the first and last ones',
    )
    const make = async (): Promise<{
      key: Uint8Array
      cipher: ContentCipher
      all: Uint8Array[]
    }> => {
      const key = randomBytes(16)
      const header = newHeader(randomBytes, SMALL)
      const all = await collect(encryptContent(small(key, header), pieces(plain)))
      return { key, cipher: small(key, header), all }
    }
    const changes: readonly [
      string,
      (all: Uint8Array[], other: Uint8Array[]) => Uint8Array[],
      string,
    ][] = [
      ['cut after a segment', (all) => all.slice(0, 2), 'CIPHER_TRUNCATED'],
      ['two exchanged', ([a, b, c, ...d]) => [a, c, b, ...d] as Uint8Array[], 'CIPHER_ORDER'],
      ['one twice', ([a, b, c, ...d]) => [a, b, b, c, ...d] as Uint8Array[], 'CIPHER_ORDER'],
      ['one left out', ([a, _b, c, ...d]) => [a, c, ...d] as Uint8Array[], 'CIPHER_ORDER'],
      ['the first one again', ([a, b, ...c]) => [a, a, b, ...c] as Uint8Array[], 'CIPHER_ORDER'],
      ['the first one missing', (all) => all.slice(1), 'CIPHER_ORDER'],
      [
        'one of another content',
        ([a, , ...c], o) => [a, o[1], ...c] as Uint8Array[],
        'CIPHER_DAMAGED',
      ],
      [
        'the first of another content',
        ([, ...b], o) => [o[0], ...b] as Uint8Array[],
        'CIPHER_HEADER',
      ],
      [
        'one bit',
        ([a, b, ...c]) => [a, b?.with(5, (b[5] ?? 0) ^ 1), ...c] as Uint8Array[],
        'CIPHER_DAMAGED',
      ],
    ]
    for (const [name, change, code] of changes) {
      it(name, async () => {
        const { cipher, all } = await make()
        const other = await make()
        await assert.rejects(decrypt(cipher, concatBytes(change(all, other.all))), { code })
      })
    }
    it('bytes after the end', async () => {
      const { cipher, all } = await make()
      // A last segment that is full, so that what follows is a segment of its own.
      const full = await collect(encryptContent(cipher, pieces(plain.subarray(0, 8 + 32))))
      const stored = concatBytes([...full, all[1] ?? plain])
      await assert.rejects(decrypt(cipher, stored), { code: 'CIPHER_TRAILING' })
      const read = (): AsyncIterable<Uint8Array> => pieces(concatBytes([...all, plain]), 5)
      const storedSize = concatBytes(all).length
      await assert.rejects(collect(decryptContent(cipher, { storedSize }, read)), {
        code: 'CIPHER_TRAILING',
      })
    })
    it('a source that ends early', async () => {
      const { cipher, all } = await make()
      const stored = concatBytes(all)
      await assert.rejects(decrypt(cipher, stored.subarray(0, -3), { storedSize: stored.length }), {
        code: 'CIPHER_TRUNCATED',
      })
    })
    it('another key', async () => {
      const { cipher, all } = await make()
      await assert.rejects(decrypt(small(randomBytes(16), cipher.header), concatBytes(all)), {
        code: 'CIPHER_KEY',
      })
    })
    it('other associated data', async () => {
      const { key, cipher, all } = await make()
      const bound = { key, header: cipher.header, format: SMALL, associatedData: utf8('other') }
      await assert.rejects(decrypt(createContentCipher(bound), concatBytes(all)), {
        code: 'CIPHER_KEY',
      })
    })
    it('an empty content of another key', async () => {
      const stored = concatBytes(await collect(encryptContent(small(), pieces(utf8('')))))
      const header = stored.subarray(0, headerBytes(SMALL))
      await assert.rejects(decrypt(small(randomBytes(16), header), stored), { code: 'CIPHER_KEY' })
    })
    it('a header that is none', () => {
      for (const header of [new Uint8Array(40), new Uint8Array(39).fill(40), randomBytes(41)]) {
        assert.throws(() => createContentCipher({ key: randomBytes(32), header }), {
          code: 'CIPHER_HEADER',
        })
      }
    })
  })
})
