import assert from 'node:assert/strict'
import { type BlockHeader, NONCE_BYTES } from '../../../src/chain/block.ts'
import {
  decodeBody,
  decodeHeader,
  decodeRecord,
  encodeBody,
  encodeHeader,
  sealMessage,
  signRecord,
  verifyRecord,
  verifySeal,
} from '../../../src/chain/codec.ts'
import { nextDifficulty } from '../../../src/chain/difficulty.ts'
import { CHAIN_ERRORS } from '../../../src/chain/errors.ts'
import type { BlockId, NetworkId, RecordId } from '../../../src/chain/ids.ts'
import { checkBlock, evaluateBlock } from '../../../src/chain/outcome.ts'
import { checkWork, meetsDifficulty } from '../../../src/chain/pow.ts'
import type { UnsignedRecord } from '../../../src/chain/record.ts'
import { RULE_VERSION } from '../../../src/chain/state/rules.ts'
import { checkHeader, earliestTime, MAX_AHEAD_MS } from '../../../src/chain/validate.ts'
import { concatBytes } from '../../../src/common/bytes.ts'
import { signEd25519 } from '../../../src/common/crypto.ts'
import { cidText, digestOf, encode, RAW } from '../../../src/common/dag-cbor.ts'
import { CairnError } from '../../../src/common/errors.ts'
import { MAX_BODY_BYTES, MAX_RECORD_BYTES } from '../../../src/common/limits.ts'
import {
  contextAt,
  device,
  deviceAdd,
  fileAdd,
  founded,
  genesis,
  join,
  keyPair,
  network,
  params,
  START,
  type TestDevice,
  upgrade,
  userCreate,
  vote,
} from './network.ts'

/** The error that `run` throws: its code, and the verdict that its table gives. */
function refused(code: keyof typeof CHAIN_ERRORS | 'ENCODING', run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof CairnError, String(error))
    assert.equal(error.code, code)
    assert.equal(error.verdict, code === 'ENCODING' ? 'reject' : CHAIN_ERRORS[code].verdict)
    assert.doesNotMatch(error.message, /\?|\{/, 'every detail of the message is filled in')
    return true
  })
}

const easy = { ...params, difficultyFloor: 1 }

function header(change: Partial<BlockHeader> = {}): BlockHeader {
  return {
    version: 1,
    network,
    parent: genesis.id,
    height: 1,
    time: START + 1,
    difficulty: 1,
    records: genesis.header.records,
    outcome: new Uint8Array(32),
    miner: keyPair('founder').key,
    seal: new Uint8Array(64),
    nonce: new Uint8Array(NONCE_BYTES),
    ...change,
  }
}

function check(change: Partial<BlockHeader>, now = START + 10, ancestors = [genesis.header]): void {
  checkHeader(encodeHeader(header(change)), { params: easy, network, ancestors, now })
}

const otherNetwork = cidText(0x71, new Uint8Array(32)) as NetworkId

describe('chain errors', () => {
  const { admin, chain } = founded()
  const bob = join(chain, 'bob')
  const next = (): ReturnType<typeof contextAt> => contextAt(chain.height + 1, admin.id)
  const evaluate = (...records: ReturnType<TestDevice['say']>[]): unknown =>
    evaluateBlock(chain.view, next(), records)

  const cases: Record<keyof typeof CHAIN_ERRORS, () => void> = {
    RECORD_SIZE: () => {
      refused('RECORD_SIZE', () => decodeRecord(new Uint8Array(MAX_RECORD_BYTES + 1)))
      const large = encode({ records: ['x'.repeat(MAX_RECORD_BYTES)] })
      refused('RECORD_SIZE', () => decodeBody(large))
    },
    RECORD_SIGNATURE: () => {
      const record = admin.say(fileAdd('a'), {})
      assert.ok(verifyRecord(record))
      const forged = decodeRecord(record.bytes.slice())
      const bytes = record.bytes.slice()
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      assert.ok(verifyRecord(forged))
      assert.equal(verifyRecord(decodeRecord(bytes)), false)
    },
    RECORD_NETWORK: () => {
      refused('RECORD_NETWORK', () => evaluate(admin.say(fileAdd('a'), { network: otherNetwork })))
    },
    RECORD_NOT_INCLUDABLE: () => {
      const not = (record: ReturnType<TestDevice['say']>): void =>
        refused('RECORD_NOT_INCLUDABLE', () => evaluate(record))
      // A gap, a place that is taken, a line that does not continue, another user, an unknown device.
      not(admin.say(fileAdd('a'), { sequence: 2 }))
      not(admin.say(userCreate('again'), { sequence: 0, previous: null }))
      not(admin.say(fileAdd('a'), { previous: genesis.id as unknown as RecordId }))
      not(admin.say(fileAdd('a'), { user: bob.user ?? null }))
      const stranger = device('stranger')
      not(
        stranger.say(fileAdd('a'), { sequence: 1, user: bob.user ?? null, previous: bob.previous }),
      )
      // A founder's proof by somebody else.
      not(device('liar').say(userCreate('liar', { type: 'founder' })))
      // Countersigned by another user's device, by no device, for another key.
      const added = device('added')
      const wrong = deviceAdd(bob, added, admin.user)
      not(added.say(wrong))
      const unknown = device('unknown sponsor')
      not(
        device('added 2').say(deviceAdd(unknown, device('added 2'), bob.user), {
          user: bob.user ?? null,
        }),
      )
      not(device('added 3').say(deviceAdd(bob, device('added 4')), { user: bob.user ?? null }))
      // Twice in one body.
      const once = admin.say(fileAdd('once'), {})
      refused('RECORD_NOT_INCLUDABLE', () => evaluate(once, once))
    },
    BODY_SIZE: () => {
      refused('BODY_SIZE', () => decodeBody(new Uint8Array(MAX_BODY_BYTES + 1)))
      const record = admin.say(fileAdd('a'), {})
      const many = new Array(Math.ceil(MAX_BODY_BYTES / record.bytes.length)).fill(record)
      refused('BODY_SIZE', () => encodeBody(many))
    },
    BLOCK_BODY: () => {
      const body = encodeBody([admin.say(fileAdd('a'), {})])
      assert.notEqual(body.id, header().records)
      assert.equal(decodeBody(body.bytes).id, body.id)
    },
    BLOCK_VERSION: () => refused('BLOCK_VERSION', () => check({ version: 0 })),
    BLOCK_NETWORK: () => refused('BLOCK_NETWORK', () => check({ network: otherNetwork })),
    BLOCK_PARENT_UNKNOWN: () => {
      refused('BLOCK_PARENT_UNKNOWN', () => check({}, START, []))
      refused('BLOCK_PARENT_UNKNOWN', () => check({ parent: null }))
    },
    BLOCK_PARENT_INVALID: () => assert.equal(CHAIN_ERRORS.BLOCK_PARENT_INVALID.verdict, 'reject'),
    BLOCK_HEIGHT: () => {
      refused('BLOCK_HEIGHT', () => check({ height: 2 }))
      refused('BLOCK_HEIGHT', () => check({ height: 0 }))
    },
    BLOCK_DIFFICULTY: () => {
      const parent = { ...genesis.header, difficulty: 16 }
      const hard = { params, network, ancestors: [parent], now: START + 10 }
      hard.params = { ...params, difficultyFloor: 16 }
      const wanted = nextDifficulty(16, hard.ancestors, START + 1)
      assert.equal(wanted, 16)
      let sealed = encodeHeader(header({ difficulty: wanted }))
      for (let n = 1; !meetsDifficulty(digestOf(sealed.id), wanted); n++) {
        const nonce = new Uint8Array(NONCE_BYTES).fill(n)
        sealed = encodeHeader(header({ difficulty: wanted, nonce }))
      }
      checkHeader(sealed, hard)
      refused('BLOCK_DIFFICULTY', () => checkHeader(encodeHeader(header()), hard))
    },
    BLOCK_POW: () => {
      refused('BLOCK_POW', () => checkWork(encodeHeader(header({ difficulty: 2 ** 50 }))))
      refused('BLOCK_POW', () => check({ difficulty: 2 ** 50 }))
      checkWork(encodeHeader(header({ difficulty: 1 })))
    },
    BLOCK_TIME: () => {
      refused('BLOCK_TIME', () => check({ time: START }))
      refused('BLOCK_TIME', () => check({ time: START - 1 }))
      const ancestors = Array.from({ length: 12 }, (_, i) => ({
        ...genesis.header,
        height: 11 - i,
        time: 100 - i,
      }))
      assert.equal(earliestTime(ancestors), 96)
      refused('BLOCK_TIME', () => check({ height: 12, time: 95 }, START, ancestors))
      check({ height: 12, time: 96 }, START, ancestors)
    },
    TIME_AHEAD: () => {
      const now = START - 1_000_000
      check({ time: now + 2_000_000 }, now + 2_000_000 - MAX_AHEAD_MS)
      refused('TIME_AHEAD', () => check({ time: START + 2 }, now))
      // One wrong clock at the tip does not stop everybody: the least time is never too early.
      check({ time: START + 1 }, now)
    },
    BLOCK_SEAL: () => {
      const unsealed = header()
      const seal = signEd25519(keyPair('founder').seed, sealMessage(unsealed))
      assert.ok(verifySeal({ ...unsealed, seal }))
      assert.ok(verifySeal({ ...unsealed, seal, nonce: new Uint8Array(NONCE_BYTES).fill(9) }))
      assert.equal(verifySeal(unsealed), false)
      assert.equal(verifySeal({ ...unsealed, seal, time: unsealed.time + 1 }), false)
      assert.equal(verifySeal({ ...unsealed, seal, miner: bob.key }), false)
    },
    BLOCK_OUTCOME: () => {
      const effect = evaluateBlock(chain.view, next(), [])
      const good = header({ height: next().height, miner: admin.key, outcome: effect.digest })
      checkBlock(chain.view, { params, network }, good, [])
      const bad = { ...good, outcome: new Uint8Array(32) }
      refused('BLOCK_OUTCOME', () => checkBlock(chain.view, { params, network }, bad, []))
    },
    MINER_NOT_ACTIVE: () => {
      const newcomer = device('newcomer')
      const context = contextAt(chain.height + 1, newcomer.id)
      refused('MINER_NOT_ACTIVE', () => evaluateBlock(chain.view, context, []))
      // Admitted by a record of this block: fine.
      evaluateBlock(chain.view, context, [newcomer.say(userCreate('newcomer'), {})])
    },
    RULES_UNKNOWN: () => {
      const { admin: founder, chain: fresh } = founded()
      const height = fresh.height + 500
      assert.equal(fresh.outcome(founder.say(upgrade(RULE_VERSION + 1, height))), 'applied')
      evaluateBlock(fresh.view, contextAt(height - 1, founder.id), [])
      refused('RULES_UNKNOWN', () => evaluateBlock(fresh.view, contextAt(height, founder.id), []))
    },
  }
  for (const [code, run] of Object.entries(cases)) it(code, run)

  it('every message of the table can be made without a gap', () => {
    for (const entry of Object.values(CHAIN_ERRORS)) assert.match(entry.says, /\.$/)
  })
})

describe('malformed records (ENCODING)', () => {
  const { admin } = founded()
  const sign = (message: Uint8Array): Uint8Array => signEd25519(admin.seed, message)
  const malformed = (name: string, change: object, body?: object): void => {
    it(name, () => {
      const record = admin.say(fileAdd('a'), {})
      const altered = { ...record, ...change, ...(body && { body: { ...record.body, ...body } }) }
      refused('ENCODING', () => signRecord(altered as unknown as UnsignedRecord, sign))
    })
  }

  malformed('sequence 0 without an admission', { sequence: 0, previous: null })
  malformed('sequence 0 with a previous record', { sequence: 0 })
  malformed('no previous record', { previous: null })
  malformed('no user', { user: null })
  malformed('a time that is no whole number', { time: 1.5 })
  malformed('a negative time', { time: -1 })
  malformed('a name with a slash', {}, { name: 'a/b' })
  malformed('a name with a backslash', {}, { name: 'a\\b' })
  malformed('a name with a line break', {}, { name: 'a\nb' })
  malformed('a name with a C1 control character', {}, { name: 'a\u0085b' })
  malformed('a name that is written backwards', {}, { name: 'a\u202egpj.exe' })
  malformed('a name of 256 bytes', {}, { name: 'ä'.repeat(128) })
  malformed('no name', {}, { name: '' })
  malformed('the folder above', {}, { folder: ['..'] })
  malformed('too many folders', {}, { folder: new Array(33).fill('a') })
  malformed('a media type with a line break', {}, { mediaType: 'text/plain\r\nSet-Cookie: a' })
  malformed('a size that is negative', {}, { size: -1 })
  malformed('a hash that is too short', {}, { sha256: new Uint8Array(31) })
  it('a second admission of a device', () => {
    const record = admin.say(userCreate('again'), { sequence: 0, previous: null })
    refused('ENCODING', () => signRecord({ ...record, sequence: 1 }, sign))
    refused('ENCODING', () =>
      signRecord({ ...record, sequence: 1, previous: record.id } as UnsignedRecord, sign),
    )
  })
  it('a comment of 1,001 characters', () => {
    const body = (comment: string): UnsignedRecord['body'] =>
      ({
        ...(vote(admin.previous ?? assert.fail()).body as object),
        comment,
      }) as UnsignedRecord['body']
    const base = admin.say(vote(admin.previous ?? assert.fail()), {})
    const make = (comment: string) =>
      signRecord({ ...base, body: body(comment) } as UnsignedRecord, sign)
    make('𝄞'.repeat(1_000))
    refused('ENCODING', () => make('𝄞'.repeat(1_001)))
  })
  it('a type that version 1 does not know', () => {
    const record = admin.say(fileAdd('a'), {})
    const at = record.bytes.findIndex(
      (_, i) => new TextDecoder().decode(record.bytes.subarray(i, i + 8)) === 'file.add',
    )
    const bytes = record.bytes.slice()
    bytes[at + 7] = 'x'.charCodeAt(0)
    refused('ENCODING', () => decodeRecord(bytes))
  })
  it('bytes after the end', () => {
    const record = admin.say(fileAdd('a'), {})
    refused('ENCODING', () => decodeRecord(concatBytes([record.bytes, Uint8Array.of(0)])))
    refused('ENCODING', () => decodeHeader(concatBytes([genesis.bytes, Uint8Array.of(0)])))
    refused('ENCODING', () => decodeBody(concatBytes([genesis.body.bytes, Uint8Array.of(0)])))
  })
  it('a link to something that is not dag-cbor', () => {
    const seen = cidText(RAW, new Uint8Array(32)) as BlockId
    const parent = { ...genesis.header, parent: seen }
    assert.throws(() => decodeHeader(encodeHeader(parent).bytes.map((b) => b)), CairnError)
  })
})
