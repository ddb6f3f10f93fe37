import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { BlockId, RecordId } from '../../../src/chain/ids.ts'
import { cidOf, encode } from '../../../src/common/dag-cbor.ts'
import { codeOf } from '../../../src/common/errors.ts'
import {
  decodeAnswer,
  decodeRequest,
  encodeAnswer,
  encodeRequest,
  headsDigest,
  MAX_BODIES,
  MAX_FRAME_BYTES,
  MAX_HEADERS,
  MAX_LOCATOR_IDS,
  MAX_REQUEST_BYTES,
  MAX_WANTS,
  type SyncRequest,
} from '../../../src/network/sync/messages.ts'
import { fakeDevice } from './fake-chain.ts'

const block = (number: number): BlockId => cidOf(encode(number)) as BlockId
const record = (number: number): RecordId => cidOf(encode(number)) as RecordId

const requests: readonly SyncRequest[] = [
  { type: 'status' },
  { type: 'headers', locator: [block(1), block(2)], limit: 5 },
  { type: 'bodies', ids: [block(1)] },
  { type: 'heads' },
  { type: 'heads', after: { device: new Uint8Array(32), id: record(3) } },
  { type: 'records', wants: [{ head: record(1), have: [record(2)] }], limit: 7 },
]

describe('sync messages', () => {
  it('come back as they were', () => {
    for (const request of requests) {
      assert.deepEqual(decodeRequest(encodeRequest(request)), request)
    }
    const answer = { type: 'bodies', bodies: [Uint8Array.of(1), null], last: true } as const
    assert.deepEqual(decodeAnswer(encodeAnswer(answer)), answer)
    const status = {
      type: 'status',
      params: Uint8Array.of(1),
      tip: block(1),
      height: 3,
      chainwork: 2n ** 255n + 1n,
      time: 9,
      heads: new Uint8Array(32),
    } as const
    assert.deepEqual(decodeAnswer(encodeAnswer(status)), status)
  })

  it('the largest of each kind fits into its bound', () => {
    const ids = (count: number) => Array.from({ length: count }, (_, index) => block(index))
    const records = (count: number) => Array.from({ length: count }, (_, index) => record(index))
    const want = { head: record(1), have: records(MAX_LOCATOR_IDS) }
    for (const request of [
      { type: 'bodies', ids: ids(MAX_BODIES) },
      { type: 'headers', locator: ids(MAX_LOCATOR_IDS), limit: MAX_HEADERS },
      { type: 'records', wants: Array.from({ length: MAX_WANTS }, () => want), limit: 1 },
    ] as const) {
      const bytes = encodeRequest(request)
      assert.ok(bytes.length <= MAX_REQUEST_BYTES, `${request.type} has ${bytes.length} bytes`)
      decodeRequest(bytes)
    }
    const headers = Array.from({ length: MAX_HEADERS }, () => new Uint8Array(1024))
    assert.ok(encodeAnswer({ type: 'headers', headers }).length <= MAX_FRAME_BYTES)
  })

  it('whatever bytes come, only ENCODING is thrown', () => {
    const check = (bytes: Uint8Array): void => {
      for (const read of [decodeRequest, decodeAnswer]) {
        try {
          read(bytes)
        } catch (error) {
          assert.equal(codeOf(error), 'ENCODING')
        }
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check))
    // Real messages with one byte changed come further.
    const encoded = requests.map(encodeRequest)
    fc.assert(
      fc.property(fc.constantFrom(...encoded), fc.nat(), fc.nat(255), (bytes, at, value) => {
        const changed = Uint8Array.from(bytes)
        changed[at % changed.length] = value
        check(changed)
      }),
    )
  })

  it('the digest over heads does not depend on their order', () => {
    const heads = [1, 2, 3, 4].map((number) => ({
      device: fakeDevice(number % 2),
      sequence: number,
      id: record(number),
    }))
    assert.deepEqual(headsDigest(heads), headsDigest([...heads].reverse()))
    assert.notDeepEqual(headsDigest(heads), headsDigest(heads.slice(1)))
  })
})
