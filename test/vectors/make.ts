/**
 * Test vectors of the protocol: `node test/vectors/make.ts` writes the files beside this one. A change of them
 * is a change of the protocol.
 *
 * Bytes are lower-case hexadecimal. Keys are Ed25519 seeds: SHA-256 of "test key <name>".
 */
import { writeFileSync } from 'node:fs'
import { NONCE_BYTES } from '../../src/chain/block.ts'
import { encodeBody, encodeHeader, recordMessage, sealMessage } from '../../src/chain/codec.ts'
import { nextDifficulty } from '../../src/chain/difficulty.ts'
import { evaluateBlock } from '../../src/chain/outcome.ts'
import type { RecordId } from '../../src/chain/ids.ts'
import { encodeParams } from '../../src/chain/params.ts'
import { chainworkAfter, chainworkToBytes, GENESIS_CHAINWORK, targetOf } from '../../src/chain/pow.ts'
import { createMapView } from '../../src/chain/view.ts'
import { toHex } from '../../src/common/bytes.ts'
import { sha256Hex, signEd25519 } from '../../src/common/crypto.ts'
import {
  access,
  contextAt,
  device,
  deviceAdd,
  envelopeOf,
  fileAdd,
  fileRemove,
  fileUpdate,
  genesis,
  network,
  params,
  START,
  upgrade,
  userCreate,
  vote,
} from '../unit/chain/network.ts'

export type Vectors = Readonly<Record<string, unknown>>

export function makeVectors(): Vectors {
  const founder = device('founder')
  const phone = device('phone')
  const admission = founder.say(userCreate('Zoë', { type: 'founder' }))
  const added = phone.say(deviceAdd(founder, phone))
  const early = phone.say(access(genesis.id as unknown as RecordId))
  const file = founder.say(fileAdd('report.txt'))
  const again = phone.say(fileAdd('report.txt'), { replaces: envelopeOf(file, founder) })
  const named = {
    'user.create': admission,
    'device.add': added,
    'access (of a version that is not in the chain)': early,
    'file.add': file,
    'file.add (signed again by another device)': again,
    'file.update': founder.say(fileUpdate(file.id, [file.id], 'report 2.txt')),
    'file.remove': founder.say(fileRemove(file.id, [file.id])),
    'vote (on a file of one’s own)': founder.say(vote(file.id)),
    upgrade: founder.say(upgrade(2, 1_000)),
  }
  const records = Object.entries(named).map(([name, record]) => ({
    name,
    bytes: toHex(record.bytes),
    id: record.id,
    identity: record.identity,
    device: record.device,
    signed: toHex(recordMessage(record)),
  }))

  const body = encodeBody(Object.values(named))
  const time = START + 2_000
  const effect = evaluateBlock(
    createMapView(new Map()),
    { ...contextAt(1, founder.id), time },
    body.records,
  )
  const unsealed = {
    version: 1,
    network,
    parent: genesis.id,
    height: 1,
    time,
    difficulty: nextDifficulty(params.difficultyFloor, [genesis.header], time),
    records: body.id,
    outcome: effect.digest,
    miner: founder.key,
    seal: new Uint8Array(64),
    nonce: new Uint8Array(NONCE_BYTES),
  }
  const sealed = { ...unsealed, seal: signEd25519(founder.seed, sealMessage(unsealed)) }
  const header = encodeHeader({ ...sealed, nonce: search(encodeHeader(sealed).bytes) })
  const orNull = (bytes: Uint8Array | undefined): string | null =>
    bytes === undefined ? null : toHex(bytes)

  return {
    'network.json': {
      params: toHex(encodeParams(params)),
      network,
      genesis: { id: genesis.id, header: toHex(genesis.bytes), body: toHex(genesis.body.bytes) },
    },
    'records.json': records,
    'block.json': {
      id: header.id,
      header: toHex(header.bytes),
      signed: toHex(sealMessage(sealed)),
      body: { id: body.id, bytes: toHex(body.bytes) },
      chainwork: toHex(chainworkToBytes(chainworkAfter(GENESIS_CHAINWORK, header.header))),
      outcome: toHex(effect.digest),
      outcomes: effect.outcomes,
      late: effect.late,
      changes: effect.changes.map(({ key, before, after }) => [key, orNull(before), orNull(after)]),
    },
    'work.json': [1, 2, 3, 256, 65_536, 1_000_003, Number.MAX_SAFE_INTEGER].map((difficulty) => ({
      difficulty,
      greatestDigest: toHex(targetOf(difficulty)),
    })),
  }
}

/** Tries nonces until the hash begins with 16 zero bits: difficulty 65,536. */
function search(header: Uint8Array): Uint8Array {
  const nonce = header.subarray(-NONCE_BYTES)
  const view = new DataView(nonce.buffer, nonce.byteOffset, NONCE_BYTES)
  for (let n = 0n; !sha256Hex(header).startsWith('0000'); n++) view.setBigUint64(0, n)
  return nonce.slice()
}

if (import.meta.main) {
  for (const [name, value] of Object.entries(makeVectors())) {
    writeFileSync(new URL(name, import.meta.url), `${JSON.stringify(value, null, 2)}\n`)
  }
}
