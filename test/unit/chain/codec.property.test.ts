import assert from 'node:assert/strict'
import * as reference from '@ipld/dag-cbor'
import fc from 'fast-check'
import { headerShape } from '../../../src/chain/block.ts'
import {
  decodeBody,
  decodeHeader,
  decodeRecord,
  encodeBody,
  encodeHeader,
  genesisOf,
  recordMessage,
  verifyRecord,
} from '../../../src/chain/codec.ts'
import type { RecordId } from '../../../src/chain/ids.ts'
import { checkName } from '../../../src/chain/names.ts'
import { decodeParams, encodeParams, networkIdOf } from '../../../src/chain/params.ts'
import type { SignedRecord } from '../../../src/chain/record.ts'
import { recordBodies } from '../../../src/chain/record-bodies.ts'
import { concatBytes, toHex, utf8 } from '../../../src/common/bytes.ts'
import { CairnError } from '../../../src/common/errors.ts'
import {
  access,
  content,
  device,
  deviceAdd,
  envelopeOf,
  fileAdd,
  fileRemove,
  fileUpdate,
  genesis,
  params,
  type TestDevice,
  upgrade,
  userCreate,
  vote,
} from './network.ts'
import {
  accessUnder,
  byKit,
  deviceName,
  grant,
  holderAdd,
  holderRemove,
  invite,
  inviteCancel,
  invitedUser,
  keyCopy,
  legacyImport,
  privateAdd,
  privateContent,
  release,
  revoke,
  revokeDevice,
  userKey,
  userOf,
} from './people.ts'

/** One record of each type, and one that replaces another. */
function everyType(): SignedRecord[] {
  const admin = device('founder')
  const phone = device('phone')
  const first = admin.say(userCreate('Zoë', { type: 'founder' }))
  const added = phone.say(deviceAdd(admin, phone))
  const file = admin.say(fileAdd('Überblick.txt'))
  const again = phone.say(fileAdd('Überblick.txt'), { replaces: envelopeOf(file, admin) })
  assert.equal(again.identity, file.id)
  return [
    first,
    added,
    file,
    again,
    admin.say(fileUpdate(file.id, [file.id, file.id])),
    admin.say(fileRemove(file.id, [file.id])),
    admin.say({ type: 'vote', body: { ...vote(file.id).body, comment: 'no 𝄞' } as never }),
    admin.say(access(file.id)),
    admin.say(upgrade(2, 5_000)),
    ...peopleTypes(admin, phone, added.id, file.id),
  ]
}

function peopleTypes(
  admin: TestDevice,
  phone: TestDevice,
  added: RecordId,
  file: RecordId,
): SignedRecord[] {
  const ann = device('ann')
  const target = { device: phone, admission: added }
  const answer = { word: 'one', invite: file, sponsor: admin }
  const lost = { sequence: 1, record: file }
  return [
    ann.say(invitedUser(ann, 'ann', answer)),
    ...(['recovery', 'restore'] as const).map((type) => {
      const back = device(type)
      return back.say(byKit(back, userOf(admin), 'founder', type))
    }),
    admin.say(deviceName(target)),
    admin.say(revokeDevice(target, lost)),
    admin.say(revokeDevice(target, lost, 'founder')),
    admin.say(userKey('one')),
    admin.say(keyCopy(file)),
    admin.say(invite('one')),
    admin.say(inviteCancel(file)),
    admin.say(privateAdd('secret')),
    admin.say({
      type: 'file.update',
      body: { ...privateContent('secret'), file, parents: [file] },
    }),
    admin.say(grant(file, userOf(ann))),
    admin.say(grant(file, userOf(ann), { expires: 1, downloads: 2 })),
    admin.say(revoke(file)),
    admin.say(accessUnder(file, file)),
    admin.say(release(file)),
    admin.say(release(file, file)),
    admin.say(holderAdd(file, target, file)),
    admin.say(holderRemove(file, phone, file)),
    admin.say(legacyImport(file)),
  ]
}

const records = everyType()

/** Decoding gives an error that counts against the sender, or a value with another id. */
function changed(
  bytes: Uint8Array,
  at: number,
  flip: number,
  id: string,
  read: (bytes: Uint8Array) => { id: string },
): { id: string } | undefined {
  const altered = bytes.slice()
  const index = at % bytes.length
  altered[index] = (altered[index] ?? 0) ^ flip
  try {
    const value = read(altered)
    assert.notEqual(value.id, id)
    return value
  } catch (error) {
    assert.ok(error instanceof CairnError && error.verdict === 'reject', String(error))
    return undefined
  }
}

const anywhere = [fc.nat(), fc.integer({ min: 1, max: 255 })] as const

describe('codec', () => {
  it('there is one of each type', () => {
    const types = new Set<string>(records.map(({ type }) => type))
    assert.deepEqual([...types].sort(), Object.keys(recordBodies).sort())
  })

  it('a body has the fields of its visibility, and no others', () => {
    const record = records.find(({ type }) => type === 'file.add') ?? assert.fail()
    const whole = reference.decode<Record<string, unknown>>(record.bytes)
    const root = (whole.body as { root: unknown }).root
    const read = (body: object): SignedRecord =>
      decodeRecord(reference.encode({ ...whole, body: { ...body, root } }))
    const { visibility: _, ...unsaid } = content('a')
    const [open, closed] = [content('a'), privateContent('a')]
    assert.deepEqual(read(closed).body, { ...closed, root: content('Überblick.txt').root })
    for (const body of [
      { ...open, visibility: 'private' },
      { ...closed, visibility: 'public' },
      { ...open, header: new Uint8Array(40) },
      { ...closed, name: 'a' },
      { ...open, visibility: 'secret' },
      { ...open, visibility: '__proto__' },
      { ...open, visibility: ['public'] },
      unsaid,
    ]) {
      assert.throws(() => read(body), { code: 'ENCODING' })
    }
  })

  it('a record reads back as what was signed', () => {
    for (const record of records) {
      const back = decodeRecord(record.bytes)
      assert.deepEqual(back, record)
      assert.ok(verifyRecord(back))
    }
  })

  it('the signature covers the domain and the map without it, in canonical form', () => {
    for (const record of records) {
      const { signature: _, ...rest } = reference.decode<Record<string, unknown>>(record.bytes)
      const message = concatBytes([utf8('cairn/record/1'), reference.encode(rest)])
      assert.deepEqual(recordMessage(record), message)
    }
  })

  it('a body is a map with the records inline, and each keeps its bytes', () => {
    for (const count of [0, 1, 9, 23, 24, 255, 256, 300]) {
      const list = Array.from({ length: count }, (_, i) => records[i % records.length])
      const body = encodeBody(list.filter((r) => r !== undefined))
      const whole = reference.decode<{ records: unknown[] }>(body.bytes)
      assert.equal(toHex(reference.encode(whole)), toHex(body.bytes))
      const back = decodeBody(body.bytes)
      assert.equal(back.id, body.id)
      assert.deepEqual(back.records, body.records)
    }
  })

  it('a header reads back, and its nonce is its last 8 bytes', () => {
    const nonce = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
    const header = { ...genesis.header, parent: genesis.id, height: 1, nonce }
    const sealed = encodeHeader(header)
    assert.deepEqual(decodeHeader(sealed.bytes), sealed)
    assert.deepEqual(sealed.bytes.subarray(-8), nonce)
  })

  it('every change of one byte of a record is refused, or gives another id and a bad signature', () => {
    fc.assert(
      fc.property(fc.constantFrom(...records), ...anywhere, (record, at, flip) => {
        const other = changed(record.bytes, at, flip, record.id, decodeRecord)
        if (other !== undefined) assert.equal(verifyRecord(other as SignedRecord), false)
      }),
      { numRuns: 1_000 },
    )
  })

  it('every change of one byte of a header or body is refused, or gives another id', () => {
    const body = encodeBody(records)
    fc.assert(
      fc.property(...anywhere, (at, flip) => {
        changed(body.bytes, at, flip, body.id, decodeBody)
        changed(genesis.bytes, at, flip, genesis.id, decodeHeader)
      }),
      { numRuns: 1_000 },
    )
  })

  it('any bytes are read or refused, never another error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const read of [decodeRecord, decodeHeader, decodeBody, decodeParams]) {
          try {
            read(bytes)
          } catch (error) {
            assert.ok(error instanceof CairnError && error.verdict === 'reject')
          }
        }
      }),
    )
  })

  it('every network has a genesis block that passes its own shape', () => {
    const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
    fc.assert(
      fc.property(
        bytes(32),
        bytes(16),
        fc.maxSafeNat(),
        fc.integer({ min: 0, max: 2 ** 40 }),
        (founder, salt, time, difficultyFloor) => {
          const network = { ...params, founder, salt, time, difficultyFloor }
          assert.deepEqual(decodeParams(encodeParams(network)), network)
          const block = genesisOf(network)
          assert.equal(block.header.network, networkIdOf(network))
          assert.deepEqual(decodeHeader(block.bytes).header, block.header)
          assert.deepEqual(
            headerShape.read(headerShape.write(block.header) as never, ''),
            block.header,
          )
        },
      ),
    )
  })

  it('a name is what every system can show and store', () => {
    const good = ['a', 'Überblick 2024.pdf', '日本', '...', 'a.b', 'x'.repeat(255), 'ä'.repeat(127)]
    for (const name of good) assert.equal(checkName(name), undefined, name)
    const bad = ['', '.', '..', 'a/b', 'a\\b', 'a\u0000', 'a\u007f', 'a\u009f', '\u2066a', '\ud800']
    for (const name of [...bad, 'x'.repeat(256), 'ä'.repeat(128), 'x'.repeat(10_000)]) {
      assert.match(checkName(name) ?? '', /^(is|has|means) /)
    }
  })
})
