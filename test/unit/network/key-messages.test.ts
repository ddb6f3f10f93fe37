import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { DeviceId, RecordId } from '../../../src/chain/ids.ts'
import { encode } from '../../../src/common/dag-cbor.ts'
import { codeOf } from '../../../src/common/errors.ts'
import { silentLogger } from '../../../src/common/logger.ts'
import {
  decodeKeyAnswer,
  decodeKeyRequest,
  encodeKeyAnswer,
  encodeKeyRequest,
  type KeyAnswer,
  MAX_KEY_MESSAGE_BYTES,
  REFUSALS,
} from '../../../src/network/key-release/messages.ts'
import { createKeyServer } from '../../../src/network/key-release/server.ts'

const ACCESS = 'bafyreicasbri4gj36aabqz5klpvecbsi356ito72m3kglkdn5kueyuf5o4' as RecordId
const READER = '12D3KooWReader' as DeviceId
const never = new AbortController().signal
const KEY: KeyAnswer = { type: 'key', sealed: new Uint8Array(80).fill(3) }

describe('messages about keys', () => {
  it('come out as they went in, within their bound', () => {
    assert.deepEqual(decodeKeyRequest(encodeKeyRequest({ access: ACCESS })), { access: ACCESS })
    const answers: KeyAnswer[] = [
      KEY,
      { ...KEY, metadataKey: new Uint8Array(80) },
      ...REFUSALS.map((code): KeyAnswer => ({ type: 'refused', code })),
      { type: 'refused', code: 'ACCESS_DENIED', reason: 'R'.repeat(64) },
    ]
    for (const answer of answers) {
      const bytes = encodeKeyAnswer(answer)
      assert.ok(bytes.length <= MAX_KEY_MESSAGE_BYTES)
      assert.deepEqual(decodeKeyAnswer(bytes), answer)
    }
  })

  it('anything else is refused with a code, whatever its bytes', () => {
    const malformed = (read: () => unknown): void =>
      assert.throws(read, (error: unknown) => codeOf(error) === 'ENCODING')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
        malformed(() => decodeKeyRequest(bytes))
        malformed(() => decodeKeyAnswer(bytes))
      }),
    )
    for (const value of [
      { type: 'key', sealed: new Uint8Array(81) },
      { type: 'key', sealed: new Uint8Array(80), more: 1 },
      { type: 'refused', code: 'OTHER' },
      { type: 'refused', code: 'BUSY', reason: 'x'.repeat(65) },
    ]) {
      malformed(() => decodeKeyAnswer(encode(value)))
    }
  })
})

describe('the answering side', () => {
  const serverOf = (release: () => Promise<KeyAnswer>, now = { time: 0 }) =>
    createKeyServer(
      { holder: { release }, clock: { now: () => now.time }, logger: silentLogger },
      { capacity: 3, perSecond: 1 },
    )
  const request = encodeKeyRequest({ access: ACCESS })

  it('BUSY: a peer that asks too often, and nobody else', async () => {
    const now = { time: 0 }
    const server = serverOf(async () => KEY, now)
    const ask = async (from: DeviceId): Promise<string> => {
      const answer = decodeKeyAnswer(await server.answer(request, from, never))
      return answer.type === 'key' ? 'key' : answer.code
    }
    for (let count = 0; count < 3; count += 1) assert.equal(await ask(READER), 'key')
    assert.equal(await ask(READER), 'BUSY')
    assert.equal(await ask('12D3KooWOther' as DeviceId), 'key')
    now.time += 1000
    assert.equal(await ask(READER), 'key')
    assert.equal(await ask(READER), 'BUSY')
  })

  it('BUSY: what fails inside is not told to a peer', async () => {
    const server = serverOf(() => Promise.reject(new Error('the disk is full')))
    const answer = decodeKeyAnswer(await server.answer(request, READER, never))
    assert.deepEqual(answer, { type: 'refused', code: 'BUSY' })
  })

  it('MALFORMED costs as much as a question', async () => {
    let asked = 0
    const server = serverOf(async () => {
      asked += 1
      return KEY
    })
    for (const code of ['MALFORMED', 'MALFORMED', 'MALFORMED', 'BUSY']) {
      const answer = decodeKeyAnswer(await server.answer(new Uint8Array(9), READER, never))
      assert.deepEqual(answer, { type: 'refused', code })
    }
    assert.equal(asked, 0)
  })
})
