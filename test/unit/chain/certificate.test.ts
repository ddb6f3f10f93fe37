/** Certificates of forgers: chains, records and citations that no honest node makes, sealed and signed as they like. */
import assert from 'node:assert/strict'
import {
  admissionMessage,
  admissionOf,
  invitedMessage,
  sponsoredMessage,
} from '../../../src/chain/admissions.ts'
import type { BlockHeader, SealedHeader } from '../../../src/chain/block.ts'
import { signCertificate, type UnsignedCertificate } from '../../../src/chain/certificate.ts'
import { checkCertificate } from '../../../src/chain/certificate-check.ts'
import {
  encodeBody,
  encodeHeader,
  genesisOf,
  sealMessage,
  signRecord,
} from '../../../src/chain/codec.ts'
import { nextDifficulty } from '../../../src/chain/difficulty.ts'
import { deviceIdOf, type RecordId, type UserId } from '../../../src/chain/ids.ts'
import { encodeParams, type NetworkParams, networkIdOf } from '../../../src/chain/params.ts'
import { meetsDifficulty } from '../../../src/chain/pow.ts'
import type { SignedRecord, Statement, UnsignedRecord } from '../../../src/chain/record.ts'
import { sha256, signEd25519 } from '../../../src/common/crypto.ts'
import { params as base, content, fileAdd, keyPair, START, userCreate, vote } from './network.ts'
import { invite } from './people.ts'

const FLOOR = 4
const params: NetworkParams = { ...base, difficultyFloor: FLOOR }
const network = networkIdOf(params)

interface Signer {
  readonly key: Uint8Array
  readonly seed: Uint8Array
  user: UserId | null
  say(statement: Statement, change?: Partial<UnsignedRecord>): SignedRecord
}

function signer(word: string): Signer {
  const { key, seed } = keyPair(word)
  let sequence = 0
  let previous: RecordId | null = null
  const self: Signer = {
    key,
    seed,
    user: null,
    say: (statement, change = {}) => {
      const unsigned = {
        network,
        ...statement,
        user: statement.type === 'user.create' ? null : self.user,
        device: deviceIdOf(key),
        sequence,
        previous,
        seen: genesisOf(params).id,
        time: START,
        ...change,
      } as UnsignedRecord
      const record = signRecord(unsigned, (message) => signEd25519(seed, message))
      sequence = record.sequence + 1
      previous = record.id
      self.user ??= record.id
      return record
    },
  }
  return self
}

type Change = (header: BlockHeader) => Partial<BlockHeader>

/** Blocks 100 ms apart with these bodies, sealed by the founder; `change` forges a header before its seal. */
function blocksOf(
  bodies: readonly (readonly SignedRecord[])[],
  change: Change = () => ({}),
): SealedHeader[] {
  const { key, seed } = keyPair('founder')
  const headers = [genesisOf(params).header]
  const sealed: SealedHeader[] = []
  for (const [index, records] of bodies.entries()) {
    const time = START + (index + 1) * 100
    const fields: BlockHeader = {
      version: 1,
      network,
      parent: sealed.at(-1)?.id ?? genesisOf(params).id,
      height: index + 1,
      time,
      difficulty: nextDifficulty(FLOOR, [...headers].reverse(), time),
      records: encodeBody(records).id,
      outcome: new Uint8Array(32),
      miner: key,
      seal: new Uint8Array(64),
      nonce: new Uint8Array(8),
    }
    const forged = { ...fields, ...change(fields) }
    const header = { ...forged, seal: signEd25519(seed, sealMessage(forged)) }
    sealed.push(work(header))
    headers.push(header)
  }
  return sealed
}

function work(header: BlockHeader): SealedHeader {
  const nonce = new Uint8Array(8)
  const view = new DataView(nonce.buffer)
  for (let n = 0; ; n += 1) {
    view.setUint32(4, n)
    const sealed = encodeHeader({ ...header, nonce: Uint8Array.from(nonce) })
    if (meetsDifficulty(sha256(sealed.bytes), header.difficulty)) return sealed
  }
}

interface Forged {
  readonly bodies: readonly (readonly SignedRecord[])[]
  /** Default: every record, in order. */
  readonly cited?: UnsignedCertificate['cited']
  readonly subject: { readonly height: number; readonly index: number }
  readonly change?: Change
  readonly runs?: (headers: readonly SealedHeader[]) => UnsignedCertificate['runs']
}

const bytesOf = (headers: readonly SealedHeader[]): Uint8Array[] =>
  headers.map(({ bytes }) => bytes)

function certificate({ bodies, cited, subject, change, runs }: Forged): Uint8Array {
  const headers = blocksOf(bodies, change)
  const places = bodies.flatMap((records, at) =>
    records.map((_, index) => ({ height: at + 1, index })),
  )
  const founder = keyPair('founder')
  return signCertificate(
    {
      version: 1,
      parameters: encodeParams(params),
      runs: runs?.(headers) ?? [{ height: 1, headers: bytesOf(headers) }],
      bodies: bodies.flatMap((records, at) =>
        records.length === 0 ? [] : [{ height: at + 1, bytes: encodeBody(records).bytes }],
      ),
      cited: cited ?? places,
      subject,
      stated: {
        height: 9,
        authorActive: true,
        authenticWeight: 0,
        suspiciousWeight: 0,
        authenticVotes: 0,
        suspiciousVotes: 0,
        weights: [],
      },
      maker: founder.key,
      time: START,
    },
    (message) => signEd25519(founder.seed, message),
  )
}

function refused(check: string, forged: Forged): void {
  assert.throws(
    () => checkCertificate(certificate(forged)),
    (error: Error & { code: string; details: { check: string } }) => {
      assert.deepEqual(
        [error.code, error.details.check],
        ['CERTIFICATE_INVALID', check],
        error.message,
      )
      return true
    },
  )
}

/** The founder, a member Bob, and a file of the founder's. */
function world() {
  const ada = signer('founder')
  const bob = signer('bob')
  const founding = ada.say(userCreate('ada', { type: 'founder' }))
  const joined = bob.say(userCreate('bob'))
  const file = ada.say(fileAdd('deed'))
  const bodies = [[founding, joined], [file], [], [], [], []] as SignedRecord[][]
  return { ada, bob, founding, joined, file, bodies, subject: { height: 2, index: 0 } }
}

/** `bodies` with one more record in block 3. */
function withThird(
  bodies: readonly SignedRecord[][],
  ...records: SignedRecord[]
): SignedRecord[][] {
  return bodies.map((body, at) => (at === 2 ? records : body))
}

describe('certificates of forgers', () => {
  it('the honest one is good', () => {
    const { bodies, subject, file } = world()
    const facts = checkCertificate(certificate({ bodies, subject }))
    assert.equal(facts.version, file.identity)
    assert.deepEqual([facts.confirmations, facts.fromGenesis, facts.gaps], [5, true, 0])
    assert.equal(facts.seen?.height, 0)
  })

  it('headers keep to work, difficulty, time and place', () => {
    const { bodies, subject } = world()
    const at = (height: number, change: Partial<BlockHeader>): Change => {
      return (header) => (header.height === height ? change : {})
    }
    refused('header', { bodies, subject, change: at(5, { difficulty: FLOOR }) })
    refused('header', { bodies, subject, change: at(5, { time: START - 5 }) })
    refused('header', { bodies, subject, change: at(5, { height: 7 }) })
    refused('header', { bodies, subject, change: at(3, { parent: genesisOf(params).id }) })
    refused('header', { bodies, subject, change: at(1, { parent: null }) })
    refused('header', { bodies, subject, change: at(4, { network: networkIdOf(base) }) })
    refused('header', { bodies, subject, change: at(4, { version: 2 as never }) })
    refused('seal', { bodies, subject, change: at(4, { miner: keyPair('bob').key }) })
    const other = { ...base, salt: new Uint8Array(16) }
    refused('header', { bodies, subject, change: at(1, { parent: genesisOf(other).id }) })
  })

  it('also where the headers before them are left out', () => {
    const { bodies, subject } = world()
    const from2 = (headers: readonly SealedHeader[]) => [
      { height: 1, headers: bytesOf(headers.slice(0, 2)) },
      { height: 4, headers: bytesOf(headers.slice(3)) },
    ]
    const facts = checkCertificate(certificate({ bodies, subject, runs: from2 }))
    assert.deepEqual([facts.gaps, facts.confirmations, facts.tip.height], [1, 1, 2])
    const at = (change: Partial<BlockHeader>): Change => {
      return (header) => (header.height === 5 ? change : {})
    }
    refused('header', { bodies, subject, runs: from2, change: at({ difficulty: 1 }) })
    refused('header', { bodies, subject, runs: from2, change: at({ height: 6 }) })
    refused('header', { bodies, subject, runs: from2, change: at({ network: networkIdOf(base) }) })
    // A difficulty without its work.
    const lazy = (headers: readonly SealedHeader[]) => {
      const last = headers.at(-1) ?? assert.fail()
      const idle = encodeHeader({ ...last.header, difficulty: 2 ** 50, seal: last.header.seal })
      return [...from2(headers).slice(0, 1), { height: 6, headers: [idle.bytes] }]
    }
    refused('header', { bodies, subject, runs: lazy })
  })

  it('runs lie apart, in order, and bodies in them', () => {
    const { bodies, subject } = world()
    const cut = (...parts: [number, number][]) => {
      return (headers: readonly SealedHeader[]) =>
        parts.map(([from, to]) => ({ height: from, headers: bytesOf(headers.slice(from - 1, to)) }))
    }
    refused('header', { bodies, subject, runs: cut([1, 2], [3, 6]) })
    refused('header', { bodies, subject, runs: cut([1, 4], [3, 6]) })
    refused('header', { bodies, subject, runs: cut([4, 6], [1, 2]) })
    refused('body', { bodies, subject, runs: cut([2, 6]) })
    const shifted = (headers: readonly SealedHeader[]) => [
      { height: 2, headers: bytesOf(headers.slice(0, 3)) },
    ]
    refused('header', { bodies, subject, runs: shifted })
  })

  it('records are signed by their devices, in order, of this network', () => {
    const { ada, bodies, subject, file } = world()
    const forged = signRecord(file, (message) => signEd25519(keyPair('bob').seed, message))
    const swapped = bodies.map((body) => body.map((each) => (each === file ? forged : each)))
    refused('record', { bodies: swapped, subject })
    const places = [
      { height: 1, index: 0 },
      { height: 2, index: 0 },
    ]
    assert.ok(checkCertificate(certificate({ bodies, subject, cited: places })))
    refused('record', { bodies, subject, cited: [...places, subject] })
    refused('record', { bodies, subject, cited: [...places, { height: 1, index: 1 }] })
    refused('record', { bodies, subject, cited: [...places, { height: 2, index: 1 }] })
    refused('record', { bodies, subject, cited: [...places, { height: 3, index: 0 }] })
    const foreign = ada.say(fileAdd('elsewhere'), { network: networkIdOf(base) })
    refused('record', { bodies: withThird(bodies, foreign), subject })
  })

  it('devices are admitted, once, with proof, and speak for their own user', () => {
    const { ada, bob, bodies, subject, founding } = world()
    refused('member', { bodies, subject: { height: 2, index: 0 }, cited: [subject] })
    const unknown = withThird(bodies, bob.say(fileAdd('of nobody')))
    const third = { height: 3, index: 0 }
    refused('member', { bodies: unknown, subject: third, cited: [{ height: 1, index: 0 }, third] })
    const mallory = signer('mallory')
    const claims = mallory.say(userCreate('mallory', { type: 'founder' }))
    refused('member', { bodies: withThird(bodies, claims), subject })
    refused('member', { bodies: withThird(bodies, founding), subject })
    const borrowed = bob.say(fileAdd('not his'), { user: ada.user })
    refused('member', { bodies: withThird(bodies, borrowed), subject })
    const older = ada.say(fileAdd('older'), { sequence: 1, previous: founding.id })
    refused('member', { bodies: withThird(bodies, older), subject })
    const odd = ada.say({ type: 'access', body: { version: founding.id } }, { sequence: 2 })
    refused('member', { bodies: withThird(bodies, odd), subject })
  })

  it('a device that only stores for others states nothing', () => {
    const { ada, bodies } = world()
    const backup = signer('backup')
    const asked = ada.say(invite('store', { ownDevice: true, role: 'backup' }))
    backup.user = ada.user
    const { key: encryptionKey } = keyPair('encryption')
    const user = ada.user ?? assert.fail()
    const admission = { network, user, device: deviceIdOf(backup.key), encryptionKey }
    const proof = {
      type: 'invite' as const,
      invite: asked.id,
      signature: signEd25519(keyPair('invite store').seed, invitedMessage(admission, asked.id)),
      sponsor: ada.key,
      time: START,
      countersignature: signEd25519(ada.seed, sponsoredMessage(admission, asked.id, START)),
    }
    const added = backup.say({
      type: 'device.add',
      user,
      body: { name: 'box', encryptionKey, proof },
    })
    assert.equal(admissionOf(added as never).device, admission.device)
    const good = withThird(bodies, asked, added)
    const subject = { height: 2, index: 0 }
    assert.equal(checkCertificate(certificate({ bodies: good, subject })).members.length, 3)
    const file = backup.say(fileAdd('from the box'))
    const forged = {
      bodies: withThird(bodies, asked, added, file),
      subject: { height: 3, index: 2 },
    }
    refused('member', forged)
    // An invite that gives what its maker does not have.
    const bold = signer('bob')
    const joined = bold.say(userCreate('bob'))
    const admin = bold.say(invite('bold', { role: 'admin' }))
    const [founding] = bodies[0] ?? []
    assert.ok(founding)
    const [, file2] = bodies
    const again = [[founding, joined], file2 ?? [], [admin], []]
    refused('member', { bodies: again, subject })
  })

  it('an update belongs to whose file it is', () => {
    const { ada, bob, bodies, file } = world()
    const update = (who: Signer): SignedRecord => {
      const body = { ...content('new'), file: file.identity, parents: [file.identity] }
      return who.say({ type: 'file.update', body })
    }
    const subject = { height: 3, index: 0 }
    const own = { bodies: withThird(bodies, update(ada)), subject }
    assert.equal(checkCertificate(certificate(own)).change, 'updated')
    refused('subject', { bodies: withThird(bodies, update(bob)), subject })
    const alone = [
      { height: 1, index: 0 },
      { height: 3, index: 0 },
    ]
    refused('subject', { ...own, cited: alone })
  })

  it('votes are about this version, by others, once each', () => {
    const { ada, bob, bodies, file, founding, subject } = world()
    const good = withThird(bodies, bob.say(vote(file.identity)))
    assert.equal(checkCertificate(certificate({ bodies: good, subject })).votes.length, 1)
    const twice = withThird(bodies, bob.say(vote(file.identity)), bob.say(vote(file.identity)))
    refused('record', { bodies: twice, subject })
    refused('record', { bodies: withThird(bodies, bob.say(vote(founding.id))), subject })
    refused('record', { bodies: withThird(bodies, ada.say(vote(file.identity))), subject })
  })

  it('a countersignature by a device of another user admits nobody', () => {
    const { ada, bob, bodies, subject } = world()
    const phone = signer('phone')
    phone.user = ada.user
    const { key: encryptionKey } = keyPair('encryption')
    const user = ada.user ?? assert.fail()
    const message = admissionMessage({
      network,
      user,
      device: deviceIdOf(phone.key),
      encryptionKey,
    })
    const proof = {
      type: 'device' as const,
      device: bob.key,
      signature: signEd25519(bob.seed, message),
    }
    const added = phone.say({ type: 'device.add', user, body: { name: 'x', encryptionKey, proof } })
    refused('member', { bodies: withThird(bodies, added), subject })
  })
})
