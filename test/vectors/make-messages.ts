/**
 * Vectors of what people's devices sign beside records, and of a record of each type that `records.json` has not:
 * `node test/vectors/make-messages.ts` writes `messages.json`. Made from `docs/PROTOCOL.md` with @ipld/dag-cbor and
 * node:crypto alone, so that the code under test is compared with something else than itself.
 *
 * Bytes are lower-case hexadecimal. Keys are Ed25519 seeds: SHA-256 of "test key <name>".
 */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import * as cbor from '@ipld/dag-cbor'
import { CID } from 'multiformats/cid'
import { create } from 'multiformats/hashes/digest'

export interface MessageVector {
  readonly name: string
  readonly domain: string
  readonly message: string
  readonly key: string
  readonly signature: string
}

export interface StatementVector {
  readonly type: string
  readonly bytes: string
  readonly id: string
}

export interface Messages {
  readonly messages: readonly MessageVector[]
  readonly records: readonly StatementVector[]
}

const hash = (bytes: Uint8Array): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(bytes).digest())
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const linkOf = (bytes: Uint8Array, codec: number = cbor.code): CID =>
  CID.createV1(codec, create(0x12, hash(bytes)))

interface Key {
  readonly key: Uint8Array
  sign(message: Uint8Array): Uint8Array
}

function keyOf(name: string): Key {
  const seed = hash(Buffer.from(`test key ${name}`))
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const secret = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(secret).export({ format: 'der', type: 'spki' })
  return {
    key: Uint8Array.from(spki.subarray(-32)),
    sign: (message) => Uint8Array.from(sign(null, message, secret)),
  }
}

/** The network of `network.json`: its file holds the parameters, whose hash is its id. */
const params = JSON.parse(
  readFileSync(new URL('network.json', import.meta.url), 'utf8'),
) as { params: string; genesis: { header: string } }
const network = linkOf(Buffer.from(params.params, 'hex'))
const seen = linkOf(Buffer.from(params.genesis.header, 'hex'))

const sealed = new Uint8Array(80).fill(7)
const time = 1_700_000_000_000
/** Stands for any record that is named. */
const named = linkOf(cbor.encode('a record'))
const root = linkOf(cbor.encode('a root'), 0x55)

export function makeMessages(): Messages {
  const [founder, phone, ann, kit, one] = [
    keyOf('founder'),
    keyOf('phone'),
    keyOf('ann'),
    keyOf('founder other'),
    keyOf('invite one'),
  ]
  const encryptionKey = keyOf('encryption').key
  const ofDevice = { network, user: named, device: phone.key, encryptionKey }
  const ofUser = {
    network,
    device: ann.key,
    encryptionKey,
    userKey: kit.key,
    recoveryKey: kit.key,
    restoreKey: kit.key,
  }
  const revocation = { network, device: phone.key, sequence: 7, record: named }
  const message = (name: string, domain: string, by: Key, value: object): MessageVector => {
    const bytes = Buffer.concat([Buffer.from(domain), cbor.encode(value)])
    return { name, domain, message: hex(bytes), key: hex(by.key), signature: hex(by.sign(bytes)) }
  }
  const messages = [
    message('a device, by another one', 'cairn/admission/1', founder, ofDevice),
    message('a device, by the kit', 'cairn/recovered/1', kit, ofDevice),
    message('a device, by a backup', 'cairn/restored/1', kit, ofDevice),
    message('a device, by an invite', 'cairn/invited/1', one, { ...ofDevice, invite: named }),
    message('a user, by an invite', 'cairn/invited/1', one, { ...ofUser, invite: named }),
    message('a device, by a sponsor', 'cairn/sponsored/1', founder, {
      ...ofDevice,
      invite: named,
      time,
    }),
    message('a user, by a sponsor', 'cairn/sponsored/1', founder, { ...ofUser, invite: named, time }),
    message('a revocation, by the kit', 'cairn/revocation/1', kit, revocation),
  ]
  const signatureOf = (at: number): Uint8Array =>
    Uint8Array.from(Buffer.from(messages[at]?.signature ?? '', 'hex'))

  const device = phone.key
  const change = { file: named, parents: [named] }
  const content = {
    root,
    storedSize: 1_000,
    visibility: 'private',
    header: new Uint8Array(40).fill(1),
    metadata: new Uint8Array(256).fill(2),
    userKey: encryptionKey,
    metadataKey: sealed,
    contentKey: sealed,
  }
  const proof = {
    type: 'invite',
    invite: named,
    sponsor: founder.key,
    time,
  }
  const bodies: [type: string, body: object][] = [
    [
      'user.create',
      {
        name: 'Ann',
        deviceName: 'laptop',
        encryptionKey,
        userKey: kit.key,
        recoveryKey: kit.key,
        restoreKey: kit.key,
        recovery: { to: encryptionKey, sealed },
        proof: { ...proof, signature: signatureOf(4), countersignature: signatureOf(6) },
      },
    ],
    [
      'device.add',
      {
        name: 'phone',
        encryptionKey,
        proof: { ...proof, signature: signatureOf(3), countersignature: signatureOf(5) },
      },
    ],
    [
      'device.add',
      { name: 'phone', encryptionKey, proof: { type: 'recovery', signature: signatureOf(1) } },
    ],
    [
      'device.add',
      { name: 'phone', encryptionKey, proof: { type: 'restore', signature: signatureOf(2) } },
    ],
    ['device.name', { device, admission: named, name: 'old phone' }],
    [
      'device.revoke',
      {
        device,
        admission: named,
        through: { sequence: 7, record: named },
        reason: 'lost',
        recovery: signatureOf(7),
      },
    ],
    [
      'user.key',
      { key: device, seals: [{ to: encryptionKey, sealed }], earlier: [{ key: kit.key, sealed }] },
    ],
    [
      'key.copy',
      {
        copies: [
          { type: 'user', key: kit.key, to: encryptionKey, sealed },
          { type: 'metadata', version: named, to: encryptionKey, sealed },
        ],
      },
    ],
    ['invite', { key: one.key, role: 'member', ownDevice: false, expires: time }],
    ['invite.cancel', { invite: named }],
    ['file.add', content],
    ['file.update', { ...content, ...change }],
    ['grant', { file: named, user: named, to: encryptionKey, metadataKey: sealed }],
    [
      'grant',
      {
        file: named,
        user: named,
        to: encryptionKey,
        metadataKey: sealed,
        expires: time,
        downloads: 3,
      },
    ],
    ['revoke', { grant: named }],
    ['access', { version: named, grant: named }],
    ['release', { access: named }],
    ['release', { access: named, holder: named }],
    [
      'holder.add',
      {
        file: named,
        device,
        admission: named,
        keys: [{ version: named, metadataKey: sealed, contentKey: sealed }],
      },
    ],
    ['holder.remove', { file: named, device, holder: named }],
    [
      'legacy.import',
      {
        version: named,
        parts: [{ kind: 'contracts', sha256: hash(cbor.encode('contracts')), size: 9, entries: 2 }],
      },
    ],
  ]
  const records = bodies.map(([type, body]) => {
    const first = type === 'user.create' || type === 'device.add'
    const by = type === 'user.create' ? ann : first ? phone : founder
    const unsigned = {
      network,
      type,
      user: type === 'user.create' ? null : named,
      device: by.key,
      sequence: first ? 0 : 1,
      previous: first ? null : named,
      seen,
      time,
      body,
    }
    const signed = Buffer.concat([Buffer.from('cairn/record/1'), cbor.encode(unsigned)])
    const bytes = cbor.encode({ ...unsigned, signature: by.sign(signed) })
    return { type, bytes: hex(bytes), id: linkOf(bytes).toString() }
  })
  return { messages, records }
}

if (import.meta.main) {
  const file = new URL('messages.json', import.meta.url)
  writeFileSync(file, `${JSON.stringify(makeMessages(), null, 2)}\n`)
}
