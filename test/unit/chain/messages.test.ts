/** The code against vectors that other libraries made from the document. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  type Admission,
  admissionMessage,
  admissionOf,
  invitedMessage,
  RECOVERED_DOMAIN,
  RESTORED_DOMAIN,
  sponsoredMessage,
} from '../../../src/chain/admissions.ts'
import { decodeRecord, signRecord, verifyRecord } from '../../../src/chain/codec.ts'
import type { SignedRecord } from '../../../src/chain/record.ts'
import { recordBodies } from '../../../src/chain/record-bodies.ts'
import { revocationMessage } from '../../../src/chain/state/devices.ts'
import { fromHex, toHex } from '../../../src/common/bytes.ts'
import { verifyEd25519 } from '../../../src/common/crypto.ts'
import { type Messages, makeMessages } from '../../vectors/make-messages.ts'
import { keyPair, network } from './network.ts'
import { asAdmission } from './people.ts'

const root = new URL('../../vectors/', import.meta.url)
const vector = JSON.parse(readFileSync(new URL('messages.json', root), 'utf8')) as Messages
const records = vector.records.map(({ bytes }) => decodeRecord(fromHex(bytes)))

function recordOf(type: string, at = 0): SignedRecord {
  return records.filter((record) => record.type === type)[at] ?? assert.fail(type)
}

describe('vectors of what is signed beside records', () => {
  it('are what their script makes today', () => {
    assert.deepEqual(vector, JSON.parse(JSON.stringify(makeMessages())))
  })

  it('records of these types', () => {
    for (const [i, record] of records.entries()) {
      const { id, type, bytes } = vector.records[i] ?? assert.fail()
      assert.equal(record.id, id)
      assert.equal(record.type, type)
      assert.equal(record.network, network)
      assert.ok(verifyRecord(record), type)
      // The code writes the same bytes.
      assert.equal(toHex(signRecord(record, () => record.signature).bytes), bytes)
    }
    const listed = JSON.parse(readFileSync(new URL('records.json', root), 'utf8')) as {
      bytes: string
    }[]
    const types = [...records, ...listed.map(({ bytes }) => decodeRecord(fromHex(bytes)))]
    assert.deepEqual(
      [...new Set<string>(types.map(({ type }) => type))].sort(),
      Object.keys(recordBodies).sort(),
    )
  })

  it('the messages, each signed by the key that is named', () => {
    const byInvite = asAdmission(recordOf('device.add'))
    const ann = asAdmission(recordOf('user.create'))
    const revoked = recordOf('device.revoke')
    if (revoked.type !== 'device.revoke') assert.fail()
    const device: Admission = admissionOf(byInvite)
    const user: Admission = admissionOf(ann)
    const { proof } = ann.body
    if (proof.type !== 'invite') assert.fail()
    const made = [
      admissionMessage(device),
      admissionMessage(device, RECOVERED_DOMAIN),
      admissionMessage(device, RESTORED_DOMAIN),
      invitedMessage(device, proof.invite),
      invitedMessage(user, proof.invite),
      sponsoredMessage(device, proof.invite, proof.time),
      sponsoredMessage(user, proof.invite, proof.time),
      revocationMessage(network, revoked.body),
    ]
    const key = (word: string): string => toHex(keyPair(word).key)
    const keys = [
      'founder',
      'founder other',
      'founder other',
      'invite one',
      'invite one',
      'founder',
    ]
    keys.push('founder', 'founder other')
    assert.deepEqual(
      made.map((message) => toHex(message)),
      vector.messages.map(({ message }) => message),
    )
    for (const [i, { key: by, message, signature }] of vector.messages.entries()) {
      assert.equal(by, key(keys[i] ?? ''))
      assert.ok(verifyEd25519(fromHex(by), fromHex(message), fromHex(signature)))
    }
  })

  it('stand in the document', () => {
    const text = readFileSync(new URL('../../../docs/PROTOCOL.md', import.meta.url), 'utf8')
    for (const { domain } of vector.messages) assert.ok(text.includes(`\`${domain}\``), domain)
    assert.ok(text.includes(vector.messages[0]?.signature ?? assert.fail()))
    assert.ok(text.includes(vector.records[0]?.id ?? assert.fail()))
  })
})
