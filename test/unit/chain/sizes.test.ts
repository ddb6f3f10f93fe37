/** The largest record of each type that the shapes allow fits into a record, signed again too. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ContentId, RecordId } from '../../../src/chain/ids.ts'
import { MAX_NAME_BYTES } from '../../../src/chain/names.ts'
import type { RecordBody, RecordType, Statement } from '../../../src/chain/record.ts'
import {
  MAX_COMMENT_CHARACTERS,
  MAX_EARLIER_KEYS,
  MAX_FOLDER_DEPTH,
  MAX_METADATA_BYTES,
  MAX_PARENTS,
  MAX_REASON_CHARACTERS,
  MAX_SEALS,
} from '../../../src/chain/record-bodies.ts'
import { cidText, DAG_PB } from '../../../src/common/dag-cbor.ts'
import { MAX_RECORD_BYTES } from '../../../src/common/limits.ts'
import { device, envelopeOf, genesis, userCreate } from './network.ts'
import { privateContent, sealed } from './people.ts'

const id = genesis.id as unknown as RecordId
const key = new Uint8Array(32).fill(255)
const most = Number.MAX_SAFE_INTEGER
const name = 'ä'.repeat((MAX_NAME_BYTES - 1) / 2).padEnd((MAX_NAME_BYTES - 1) / 2 + 1, 'x')
const many = <T>(count: number, item: T): T[] => new Array<T>(count).fill(item)
const root = cidText(DAG_PB, new Uint8Array(32)) as ContentId

const change = { file: id, parents: many(MAX_PARENTS, id) }
const open = {
  root,
  storedSize: most,
  visibility: 'public',
  name,
  folder: many(MAX_FOLDER_DEPTH, name),
  mediaType: `text/${'x'.repeat(122)}`,
  size: most,
  sha256: key,
} as const
const closed = {
  ...privateContent('a'),
  root,
  storedSize: most,
  metadata: new Uint8Array(MAX_METADATA_BYTES),
}
const proof: Extract<RecordBody<'device.add'>['proof'], { type: 'invite' }> = {
  type: 'invite',
  invite: id,
  signature: new Uint8Array(64),
  sponsor: key,
  time: most,
  countersignature: new Uint8Array(64),
}
const reference = { device: key, admission: id }

const largest: { readonly [T in RecordType]: readonly RecordBody<T>[] } = {
  'user.create': [
    {
      ...(userCreate('x').body as RecordBody<'user.create'>),
      name,
      deviceName: name,
      recovery: { to: key, sealed },
      proof,
    },
  ],
  'device.add': [{ name, encryptionKey: key, proof }],
  'device.name': [{ ...reference, name }],
  'device.revoke': [
    {
      ...reference,
      through: { sequence: most, record: id },
      reason: '𝄞'.repeat(MAX_REASON_CHARACTERS),
      recovery: new Uint8Array(64),
    },
  ],
  'user.key': [
    {
      key,
      seals: many(MAX_SEALS, { to: key, sealed }),
      earlier: many(MAX_EARLIER_KEYS, { key, sealed }),
    },
  ],
  'key.copy': [
    { copies: many(MAX_SEALS, { type: 'user', key, to: key, sealed }) },
    { copies: many(MAX_SEALS, { type: 'metadata', version: id, to: key, sealed }) },
  ],
  invite: [{ key, role: 'member', ownDevice: false, expires: most }],
  'invite.cancel': [{ invite: id }],
  'file.add': [open, closed],
  'file.update': [
    { ...open, ...change },
    { ...closed, ...change },
  ],
  'file.remove': [change],
  vote: [{ version: id, verdict: 'suspicious', comment: '𝄞'.repeat(MAX_COMMENT_CHARACTERS) }],
  grant: [{ file: id, user: id, to: key, metadataKey: sealed, expires: most, downloads: most }],
  revoke: [{ grant: id }],
  access: [{ version: id, grant: id }],
  release: [{ access: id, holder: id }],
  'holder.add': [
    {
      ...reference,
      file: id,
      keys: many(MAX_SEALS, { version: id, metadataKey: sealed, contentKey: sealed }),
    },
  ],
  'holder.remove': [{ file: id, device: key, holder: id }],
  'legacy.import': [
    {
      version: id,
      parts: many(3, { kind: 'verifications', sha256: key, size: most, entries: most }),
    },
  ],
  upgrade: [{ ruleVersion: most, activationHeight: most }],
}

describe('the largest record', () => {
  const first = device('first')
  for (const [type, bodies] of Object.entries(largest)) {
    it(`${type} fits`, () => {
      for (const body of bodies) {
        const author = device('sizes')
        author.user = id
        const isFirst = type === 'user.create' || type === 'device.add'
        const statement = { type, user: id, body } as Statement
        const place = { sequence: most, previous: id, time: most }
        const record = author.say(statement, isFirst ? {} : place)
        assert.ok(record.bytes.length <= MAX_RECORD_BYTES, `${record.bytes.length}`)
        if (isFirst) continue
        const again = author.say(statement, { ...place, replaces: envelopeOf(record, first) })
        assert.ok(again.bytes.length <= MAX_RECORD_BYTES, `${again.bytes.length}`)
      }
    })
  }
})

describe('domain strings', () => {
  it('none begins another, whatever follows it', () => {
    const source = new URL('../../../src/', import.meta.url).pathname
    const domains = new Map<string, string>()
    for (const entry of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
      if (!entry.endsWith('.ts')) continue
      const text = readFileSync(join(source, entry), 'utf8')
      // Constants alone: a domain that is written twice would not be one place to look at.
      for (const [, found] of text.matchAll(/const \w*DOMAIN = '([^']+)'/g)) {
        assert.ok(found !== undefined && !domains.has(found), `${found} in ${entry} and elsewhere`)
        domains.set(found, entry)
      }
    }
    assert.ok(domains.size >= 8, [...domains.keys()].join())
    for (const one of domains.keys()) {
      assert.match(one, /^cairn\/[a-z-]+\/1$/)
      for (const other of domains.keys()) {
        assert.ok(one === other || !other.startsWith(one), `${one} begins ${other}`)
      }
    }
  })
})
