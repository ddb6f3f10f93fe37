import assert from 'node:assert/strict'
import { encode } from '../../../src/common/dag-cbor.ts'
import { MAX_RECORD_BYTES } from '../../../src/common/limits.ts'
import {
  decodeAnswer,
  decodeQuestion,
  encodeAnswer,
  encodeQuestion,
  MAX_ADDRESSES,
  MAX_PAIR_FRAME_BYTES,
  type PairAnswer,
  type PairQuestion,
  REFUSALS,
} from '../../../src/network/pair/messages.ts'
import { NETWORK } from './fake-chain.ts'

const key = new Uint8Array(32).fill(1)
const signature = new Uint8Array(64).fill(2)
const id = 'bafyreihtc7wdkuwksb76fkmdjhl3jawdaucwahf366uuqatqleogcz3yra' as never

describe('pair: messages', () => {
  const questions: PairQuestion[] = [
    { type: 'hello', network: null },
    { type: 'hello', network: NETWORK },
    { type: 'claims', device: key, encryptionKey: key, signature },
    {
      type: 'claims',
      device: key,
      encryptionKey: key,
      signature,
      userKeys: { userKey: key, recoveryKey: key, restoreKey: key },
    },
    { type: 'admission', record: new Uint8Array(MAX_RECORD_BYTES) },
  ]
  const answers: PairAnswer[] = [
    { type: 'here', params: key, tip: id, time: 1, invite: null, user: id },
    {
      type: 'here',
      params: key,
      tip: id,
      time: 1,
      invite: { id, role: 'backup', ownDevice: true, expires: 2 },
      user: null,
    },
    { type: 'sponsored', sponsor: key, time: 1, countersignature: signature },
    { type: 'welcome', addresses: Array.from({ length: MAX_ADDRESSES }, () => 'a'.repeat(512)) },
    ...REFUSALS.map((code) => ({ type: 'refused', code }) as const),
  ]

  it('each comes back as it went, within one frame', () => {
    for (const question of questions) {
      const bytes = encodeQuestion(question)
      assert.ok(bytes.length <= MAX_PAIR_FRAME_BYTES)
      assert.deepEqual(decodeQuestion(bytes), question)
    }
    for (const answer of answers) {
      const bytes = encodeAnswer(answer)
      assert.ok(bytes.length <= MAX_PAIR_FRAME_BYTES)
      assert.deepEqual(decodeAnswer(bytes), answer)
    }
  })

  const broken: readonly (readonly [string, unknown])[] = [
    ['no map', []],
    ['another type', { type: 'take-me' }],
    ['a field too many', { type: 'hello', network: null, more: 1 }],
    ['a short key', { type: 'claims', device: key.subarray(1), encryptionKey: key, signature }],
    ['no signature', { type: 'claims', device: key, encryptionKey: key }],
    [
      'half of a person',
      { type: 'claims', device: key, encryptionKey: key, signature, userKeys: { userKey: key } },
    ],
    ['an empty record', { type: 'admission', record: new Uint8Array() }],
    [
      'a record that is too large',
      { type: 'admission', record: new Uint8Array(MAX_RECORD_BYTES + 1) },
    ],
  ]
  for (const [name, value] of broken) {
    it(`ENCODING: ${name}`, () => {
      assert.throws(() => decodeQuestion(encode(value as never)), { code: 'ENCODING' })
    })
  }

  it('ENCODING: more addresses, or longer ones, than an answer may have', () => {
    for (const addresses of [
      Array.from({ length: MAX_ADDRESSES + 1 }, () => 'a'),
      ['a'.repeat(513)],
      [''],
    ]) {
      assert.throws(() => decodeAnswer(encode({ type: 'welcome', addresses })), {
        code: 'ENCODING',
      })
    }
  })
})
