import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { utf8 } from '../../../../src/common/bytes.ts'
import {
  decodeLegacy,
  encodeLegacy,
  LEGACY_KINDS,
  type LegacyKind,
  type LegacyPart,
  legacyName,
} from '../../../../src/services/legacy/container.ts'
import { dict, float, pythonJson } from '../../../../src/services/legacy/python-json.ts'
import { readLegacy } from '../../../../src/services/legacy/read.ts'
import type { LegacyContents } from '../../../../src/services/legacy/types.ts'

const fixtures = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'legacy')
const part = (kind: LegacyKind, text: string): LegacyPart => ({ kind, bytes: utf8(text) })
const fixture = (kind: LegacyKind): LegacyPart => ({
  kind,
  bytes: new Uint8Array(readFileSync(join(fixtures, legacyName(kind)))),
})
const sentences = ({ findings }: LegacyContents): string[] =>
  findings.map(({ part: of, place, says }) => `${of}: ${place} ${says}`)

const hash = (digits: string): string => digits.padEnd(64, 'a')
const block = (index: number, change: object = {}) => ({
  index,
  timestamp: 1_732_857_600 + index,
  data:
    index === 0
      ? { type: 'genesis' }
      : {
          type: 'file_upload',
          file_name: `f${index}`,
          file_hash: `h${index}`,
          file_size: 1,
          uploader: 'John',
        },
  previous_hash: index === 0 ? '0' : hash(`00${index - 1}`),
  nonce: 1,
  hash: hash(`00${index}`),
  ...change,
})
const chainOf = (...blocks: unknown[]): LegacyPart =>
  part('blockchain', JSON.stringify({ difficulty: 2, chain: blocks }))
const vote = (user: string, authentic: boolean, weight: number) => ({
  user,
  is_authentic: authentic,
  comment: '',
  timestamp: '2025-11-29T12:00:00',
  reputation_weight: weight,
})

describe('data of a forerunner', () => {
  it('the examples of its documents are read, and what is odd in them is told', () => {
    const found = readLegacy(LEGACY_KINDS.map(fixture))
    assert.deepEqual(found.counts, {
      blocks: 1,
      uploads: 1,
      downloads: 0,
      filesWithVotes: 1,
      votes: 1,
      contracts: 1,
      grants: 1,
      users: 3,
    })
    assert.deepEqual(found.blocks[0], {
      index: 0,
      time: { time: Date.UTC(2024, 10, 29, 5, 20), assumedUtc: true },
      kind: 'upload',
      fileName: 'document.pdf',
      fileHash: 'abc123...',
      fileSize: 1_024_000,
      user: { name: 'John', verified: false },
    })
    assert.deepEqual(found.votes[0]?.votes[0]?.time, {
      time: Date.UTC(2025, 10, 29, 12),
      assumedUtc: true,
    })
    assert.deepEqual(found.contracts[0]?.grants[0], {
      user: { name: 'Alice', verified: false },
      granted: { time: Date.UTC(2025, 10, 29, 12), assumedUtc: true },
      maxDownloads: 5,
      downloadsUsed: 2,
    })
    assert.deepEqual(sentences(found), [
      'blockchain: chain[0].hash is 00abc123..., which is no SHA-256',
      'blockchain: chain[0].data is an upload; a first block should hold none',
      'verifications: verifications["abc123..."].total_votes is 5; the votes that are listed come to 1',
      'verifications: verifications["abc123..."].positive_votes is 4; the votes that are listed come to 1',
      'verifications: verifications["abc123..."].negative_votes is 1; the votes that are listed come to 0',
      'contracts: contracts["abc123..."].permissions["Alice"].downloads_used is 2; the access log has 1 of that name',
    ])
  })

  it('four of five votes may well come to 85.5: the weights do', () => {
    const votes = [
      vote('a', true, 1.5),
      vote('b', true, 1.5),
      vote('c', true, 1.5),
      vote('d', true, 1.5),
      vote('e', false, 1.0175),
    ]
    const of = (score: number): LegacyPart =>
      part(
        'verifications',
        JSON.stringify({
          verifications: {
            h1: {
              votes,
              authenticity_score: score,
              total_votes: 5,
              positive_votes: 4,
              negative_votes: 1,
            },
          },
          reputation: { a: 1.5 },
        }),
      )
    assert.deepEqual(sentences(readLegacy([of(85.5)])), [])
    assert.match(
      sentences(readLegacy([of(80)])).join(),
      /authenticity_score is 80; the weights of the votes give 85\.5/,
    )
  })

  it('links, zeros, order, times', () => {
    assert.deepEqual(sentences(readLegacy([chainOf(block(0), block(1), block(2))])), [])
    const cases: [unknown[], RegExp][] = [
      [[block(0), block(1, { previous_hash: hash('00f') })], /chain\[1\]\.previous_hash is 00f/],
      [[block(0), block(1, { hash: hash('0f') })], /chain\[1\]\.hash is 0f.* asks for 2 zeros/],
      [[block(0), block(2)], /chain\[1\]\.index is 2; its place is 1/],
      [[block(0), block(1, { timestamp: 5 })], /chain\[1\]\.timestamp lies before/],
      [[block(0), block(1, { timestamp: 'soon' })], /chain\[1\]\.timestamp is no time/],
      [[block(0), 7], /chain\[1\] is no block/],
      [[block(0), block(1, { data: { type: 'file_upload' } })], /\.data\.uploader is missing/],
      [[block(0), block(1, { data: 5 })], /of a kind that is not known/],
      [[], /chain has no blocks/],
    ]
    for (const [blocks, says] of cases) {
      assert.match(sentences(readLegacy([chainOf(...blocks)])).join('\n'), says)
    }
  })

  it('what cannot be read names its place', () => {
    const cases: [LegacyPart, RegExp][] = [
      [
        part('blockchain', '{\n  "chain": [1, 2,]\n}'),
        /blockchain\.json .* at line 2, column 18: /,
      ],
      [part('blockchain', '{"chain": [1'), /at line 1, column 13: it is not JSON/],
      [part('contracts', ''), /contracts\.json .* at line 1, column 1/],
      [part('contracts', '{"a": 01}'), /column 8/],
      [part('contracts', "{'a': 1}"), /column 2/],
      [part('contracts', '[]'), /it is no object of contracts/],
      [part('blockchain', '{"blocks": []}'), /there is no list "chain" in it/],
      [part('verifications', '{}'), /there is no object "verifications"/],
      [
        part('contracts', `{"a":${'['.repeat(100)}`),
        /column 37: values stand inside of more than 32/,
      ],
      [part('contracts', `{"a":[${'0,'.repeat(1_500_001)}0]}`), /more than 1500000 values/],
      [part('blockchain', `{"chain":[${'0,'.repeat(200_001)}0]}`), /more than 200000 entries/],
      [{ kind: 'contracts', bytes: Uint8Array.of(0x7b, 0xff, 0x7d) }, /it is not UTF-8/],
    ]
    for (const [bad, says] of cases) {
      assert.throws(
        () => readLegacy([bad]),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'LEGACY_JSON')
          assert.match(error.message, says)
          return true
        },
      )
    }
  })

  it('hostile values do no harm', () => {
    const json = fc.json({ maxDepth: 6 })
    fc.assert(
      fc.property(json, json, json, (chain, votes, contracts) => {
        const parts = [
          part('blockchain', `{"difficulty": 2, "chain": [${chain}]}`),
          part('verifications', `{"verifications": {"x": ${votes}}, "reputation": ${chain}}`),
          part('contracts', `{"__proto__": ${contracts}, "constructor": ${votes}}`),
        ]
        const found = readLegacy(parts)
        assert.ok(found.findings.length <= 100 && found.findings.length <= found.findingCount)
        JSON.stringify(found)
      }),
    )
    const many = Array.from({ length: 5_000 }, () => 'x\u202e'.repeat(500))
    const found = readLegacy([chainOf(...many)])
    assert.ok(JSON.stringify(found.findings).length < 30_000 && found.findingCount >= 5_000)
    assert.equal(({} as { polluted?: string }).polluted, undefined)
  })

  it('the container keeps the exact bytes, in one order, and refuses all else', () => {
    const parts = LEGACY_KINDS.map(fixture)
    const encoded = encodeLegacy([...parts].reverse())
    assert.deepEqual(decodeLegacy(encoded), parts)
    const [first] = parts
    assert.ok(first)
    for (const bad of [
      new Uint8Array(),
      utf8('{}'),
      encoded.subarray(1),
      encoded.subarray(0, -1),
      encodeLegacy([first, first]),
    ]) {
      assert.throws(() => decodeLegacy(bad), { code: 'LEGACY_CONTAINER' })
    }
  })

  it('JSON as Python writes it', () => {
    const value = dict({ b: float(1), a: [1, float(0.1), null, true, 'é\u007f"\n'], c: new Map() })
    assert.equal(
      pythonJson(value, false),
      '{"a": [1, 0.1, null, true, "\\u00e9\\u007f\\"\\n"], "b": 1.0, "c": {}}',
    )
    assert.equal(pythonJson(dict({ b: 1, a: [2] }), true), '{\n  "b": 1,\n  "a": [\n    2\n  ]\n}')
  })
})
