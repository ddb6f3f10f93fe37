import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import * as reference from '@ipld/dag-cbor'
import {
  decodeBody,
  decodeHeader,
  decodeRecord,
  genesisOf,
  verifyRecord,
  verifySeal,
} from '../../../src/chain/codec.ts'
import { CHAIN_ERRORS } from '../../../src/chain/errors.ts'
import { decodeParams, networkIdOf } from '../../../src/chain/params.ts'
import { REASONS } from '../../../src/chain/reasons.ts'
import { recordBodies } from '../../../src/chain/record-bodies.ts'
import { checkHeader } from '../../../src/chain/validate.ts'
import { fromHex, toHex } from '../../../src/common/bytes.ts'
import { sha256 } from '../../../src/common/crypto.ts'
import { link } from '../../../src/common/dag-cbor.ts'
import { makeVectors } from '../../vectors/make.ts'
import { genesis, network, params } from './network.ts'

const root = new URL('../../vectors/', import.meta.url)
const load = <T>(name: string): T => JSON.parse(readFileSync(new URL(name, root), 'utf8')) as T

interface RecordVector {
  name: string
  bytes: string
  id: string
  identity: string
  signed: string
}
interface BlockVector {
  id: string
  header: string
  signed: string
  body: { id: string; bytes: string }
  outcome: string
  outcomes: { record: string; outcome: string; code?: string }[]
  late: []
  changes: [string, string | null, string | null][]
}

describe('test vectors', () => {
  it('are what the code makes today', () => {
    for (const [name, value] of Object.entries(makeVectors())) {
      assert.deepEqual(load(name), JSON.parse(JSON.stringify(value)), name)
    }
  })

  it('a network and its genesis block', () => {
    const vector = load<{
      params: string
      network: string
      genesis: { id: string; header: string; body: string }
    }>('network.json')
    const read = decodeParams(fromHex(vector.params))
    assert.equal(networkIdOf(read), vector.network)
    const block = genesisOf(read)
    assert.equal(block.id, vector.genesis.id)
    assert.equal(toHex(block.bytes), vector.genesis.header)
    assert.equal(toHex(block.body.bytes), vector.genesis.body)
  })

  it('records', () => {
    for (const vector of load<RecordVector[]>('records.json')) {
      const record = decodeRecord(fromHex(vector.bytes))
      assert.equal(record.id, vector.id)
      assert.equal(record.identity, vector.identity)
      assert.ok(verifyRecord(record), vector.name)
    }
  })

  it('a block', () => {
    const vector = load<BlockVector>('block.json')
    const header = decodeHeader(fromHex(vector.header))
    assert.equal(header.id, vector.id)
    const ancestors = [genesis.header]
    checkHeader(header, { params, network, ancestors, now: header.header.time })
    assert.ok(verifySeal(header.header))
    const body = decodeBody(fromHex(vector.body.bytes))
    assert.equal(body.id, vector.body.id)
    assert.equal(header.header.records, body.id)
    assert.equal(toHex(header.header.outcome), vector.outcome)
  })

  it('an outcome digest can be made from the vector alone', () => {
    const { changes, outcomes, late, outcome } = load<BlockVector>('block.json')
    const bytes = (hex: string | null): Uint8Array | null => (hex === null ? null : fromHex(hex))
    const value = [
      changes.map(([key, before, after]) => [key, bytes(before), bytes(after)]),
      outcomes.map(({ record, outcome: what, code }) => [link(record), what, code ?? null]),
      late,
    ]
    assert.equal(toHex(sha256(reference.encode(value))), outcome)
  })

  it('stand in the document, with every code', () => {
    const text = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8')
    const { network: id, genesis: first } = load<{ network: string; genesis: { id: string } }>(
      'network.json',
    )
    const block = load<BlockVector>('block.json')
    const codes = [...Object.keys(REASONS), ...Object.keys(CHAIN_ERRORS)].map(
      (code) => `\`${code}\``,
    )
    for (const word of [id, first.id, block.id, block.outcome, ...codes]) {
      assert.ok(text.includes(word), word)
    }
    for (const type of Object.keys(recordBodies)) assert.ok(text.includes(`| \`${type}\` |`), type)
  })
})
