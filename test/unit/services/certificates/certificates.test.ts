import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import {
  admissionMessage,
  invitedMessage,
  sponsoredMessage,
} from '../../../../src/chain/admissions.ts'
import { decodeCertificate, signCertificate } from '../../../../src/chain/certificate.ts'
import { checkCertificate } from '../../../../src/chain/certificate-check.ts'
import type { CertificateFacts } from '../../../../src/chain/certificate-facts.ts'
import type { ContentId, UserId, VersionId } from '../../../../src/chain/ids.ts'
import { networkIdOf } from '../../../../src/chain/params.ts'
import { meetsDifficulty } from '../../../../src/chain/pow.ts'
import type { RecordBody } from '../../../../src/chain/record.ts'
import { detailsShape } from '../../../../src/chain/record-bodies.ts'
import { utf8 } from '../../../../src/common/bytes.ts'
import { publicKeyOf, sha256, signEd25519 } from '../../../../src/common/crypto.ts'
import { cidText, encode, RAW } from '../../../../src/common/dag-cbor.ts'
import { encryptMetadata } from '../../../../src/common/metadata-cipher.ts'
import { sealPurposes } from '../../../../src/services/access/seals.ts'
import {
  type CertificatesService,
  createCertificates,
} from '../../../../src/services/certificates/certificates.ts'
import {
  certificatePage,
  checkCertificatePage,
} from '../../../../src/services/certificates/page.ts'
import { runsOf } from '../../../../src/services/certificates/runs.ts'
import {
  type ChainNode,
  createChainNode,
  handClock,
  seedOf,
  testParams,
  userStatement,
} from '../../../helpers/chain-node.ts'
import { unlike } from '../../../helpers/unlike.ts'

const START = 1_700_000_100_000
const { signal } = new AbortController()
const params = { ...testParams(), difficultyFloor: 2 }
const metadataKey = sha256(utf8('metadata key'))
const HOSTILE = 'a <script>alert(1)<script> & "b" \'c\'.txt'

function publicBody(name: string): RecordBody<'file.add'> {
  const digest = sha256(utf8(name))
  return {
    root: cidText(RAW, digest) as ContentId,
    storedSize: 9,
    visibility: 'public',
    name,
    folder: ['Contracts'],
    mediaType: 'text/plain',
    size: 9,
    sha256: digest,
  }
}

function privateBody(network: string, name: string): RecordBody<'file.add'> {
  const { root } = publicBody(name)
  const details = {
    name,
    folder: [],
    mediaType: 'text/plain',
    size: 9,
    sha256: sha256(utf8(name)),
  }
  const bound = sealPurposes(network as never).metadata(root)
  return {
    root,
    storedSize: 1_000,
    visibility: 'private',
    header: new Uint8Array(40),
    metadata: encryptMetadata(
      metadataKey,
      encode(detailsShape.write(details) ?? null),
      bound,
      (length) => new Uint8Array(length).fill(3),
    ),
    userKey: sha256(utf8('x')),
    metadataKey: new Uint8Array(80),
    contentKey: new Uint8Array(80),
  }
}

const failsAs = (check: string) => (error: unknown) => {
  const { code, details } = error as { code: string; details: { check: string } }
  assert.deepEqual([code, details.check], ['CERTIFICATE_INVALID', check])
  return true
}

/** The proof inside of a page. */
function proofOf(page: Uint8Array): Uint8Array {
  const found = /"proof":"([^"]*)"/.exec(new TextDecoder().decode(page))?.[1]
  return new Uint8Array(Buffer.from(found ?? assert.fail('no proof'), 'base64'))
}

describe('certificates', () => {
  const clock = handClock(START)
  let ada: ChainNode
  let bob: ChainNode
  let certificates: CertificatesService
  let version: VersionId
  let sealedVersion: VersionId
  let page: Uint8Array
  let facts: CertificateFacts
  let opens = true

  const both = async (): Promise<void> => {
    for (const [from, to] of [
      [ada, bob],
      [bob, ada],
    ] as const) {
      const tip = from.store.tip()
      for (let height = 1; height <= tip.height; height += 1) {
        const id = from.store.idAt(height) ?? assert.fail()
        const header = from.store.headerBytes(id) ?? assert.fail()
        await to.chain.acceptBlock(header, from.store.body(id) ?? assert.fail(), from.device)
      }
      const records = from.store.pending().map(({ record }) => record.bytes)
      await to.chain.acceptRecords(records, from.device)
    }
  }
  const mine = async (node: ChainNode): Promise<void> => {
    clock.time += 2_000
    await node.mine()
    await both()
  }
  const serviceOf = (node: ChainNode, name: string) =>
    createCertificates(
      {
        store: node.store,
        signer: { device: node.device, sign: (message) => signEd25519(seedOf(name), message) },
        clock,
        metadataKeyOf: async () => (opens ? metadataKey : undefined),
      },
      params,
    )

  before(async () => {
    ada = createChainNode('ada', { clock, params })
    bob = createChainNode('bob', { clock, params })
    await ada.chain.start()
    await bob.chain.start()
    await ada.join()
    await mine(ada)
    await bob.join()
    await both()
    await mine(ada)
    // A phone of Bob's, countersigned by his laptop, adds the file.
    const added = await bob.publish({ type: 'file.add', body: publicBody(HOSTILE) })
    version = added.identity
    sealedVersion = (
      await bob.publish({
        type: 'file.add',
        body: privateBody(bob.store.tip().header.network, 'secret plan'),
      })
    ).identity
    await both()
    await mine(ada)
    await ada.publish({
      type: 'vote',
      body: { version, verdict: 'authentic', comment: 'it is mine <b>' },
    })
    for (let n = 0; n < 3; n += 1) {
      await bob.publish({ type: 'file.add', body: publicBody(`later ${n}`) })
      await both()
      await mine(n % 2 === 0 ? bob : ada)
    }
    certificates = serviceOf(ada, 'ada')
    page = await certificates.of(version, signal)
    facts = checkCertificatePage(page)
  })
  after(async () => {
    await ada.chain.stop()
    await bob.chain.stop()
  })

  it('shows version, author, blocks, votes', () => {
    assert.equal(facts.details?.name, HOSTILE)
    assert.equal(facts.version, version)
    assert.equal(facts.author.userName, 'bob')
    assert.equal(facts.maker.userName, 'ada')
    assert.deepEqual(
      facts.members.map(({ userName, by }) => [userName, by]),
      [
        ['ada', 'founder'],
        ['bob', 'open'],
      ],
    )
    assert.equal(facts.tip.height, ada.store.tip().height)
    assert.equal(facts.confirmations, facts.tip.height - facts.block.height + 1)
    assert.equal(facts.fromGenesis, true)
    assert.equal(facts.containedWork, ada.store.tip().chainwork.toString())
    assert.ok((facts.seen?.height ?? -1) < facts.block.height)
    assert.deepEqual(
      facts.votes.map(({ userName, verdict, weight }) => [userName, verdict, weight]),
      [['ada', 'authentic', 100]],
    )
    assert.deepEqual(facts.stated.score, 100)
    assert.equal(facts.sealers.length, 2)
  })

  it('the page has no markup but its own, and no script that runs', () => {
    const text = new TextDecoder().decode(page)
    assert.equal(text.match(/<script/g)?.length, 1)
    assert.ok(!text.includes('<b>'))
    assert.match(text, /&lt;script&gt;alert\(1\)&lt;script&gt;/)
    assert.match(text, /default-src 'none'/)
  })

  it('any changed, lost or added byte is found', () => {
    const changes = fc.record({
      at: fc.nat(page.length - 1),
      bit: fc.nat(7),
      how: fc.constantFrom('flip', 'cut', 'drop', 'double'),
    })
    fc.assert(
      fc.property(changes, ({ at, bit, how }) => {
        const changed =
          how === 'flip'
            ? page.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte))
            : how === 'cut'
              ? page.subarray(0, at)
              : how === 'drop'
                ? new Uint8Array([...page.subarray(0, at), ...page.subarray(at + 1)])
                : new Uint8Array([...page.subarray(0, at + 1), ...page.subarray(at)])
        try {
          checkCertificatePage(changed)
        } catch (error) {
          const { code } = error as { code: string }
          return code === 'CERTIFICATE_INVALID' || code === 'CERTIFICATE_NONE'
        }
        return false
      }),
      { numRuns: 400 },
    )
  })

  it('any changed byte of the proof is found, also where a maker signs it again', () => {
    const encoded = proofOf(page)
    fc.assert(
      fc.property(fc.nat(encoded.length - 1), fc.nat(7), (at, bit) => {
        const changed = encoded.map((byte, index) => (index === at ? byte ^ (1 << bit) : byte))
        assert.throws(() => checkCertificate(changed), { code: 'CERTIFICATE_INVALID' })
      }),
      { numRuns: 300 },
    )
    // What chain and records show does not hang on the maker: a forger who signs again gets no further.
    const original = decodeCertificate(encoded)
    const again = (change: (certificate: typeof original) => typeof original): Uint8Array => {
      const { signature: _, ...unsigned } = change(original)
      return signCertificate(unsigned, (message) => signEd25519(seedOf('ada'), message))
    }
    const flip = (bytes: Uint8Array, at: number): Uint8Array =>
      bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))
    assert.equal(checkCertificate(again((same) => same)).version, version)
    const run = original.runs[0] ?? assert.fail()
    const headers = (change: (list: readonly Uint8Array[]) => Uint8Array[]) =>
      again((same) => ({ ...same, runs: [{ ...run, headers: change(run.headers) }] }))
    const length = run.headers[3]?.length ?? assert.fail()
    const flipped = (back: number) =>
      headers((list) => list.map((bytes, at) => (at === 3 ? flip(bytes, length - back) : bytes)))
    // The last byte is the nonce's: the block's id changes, and with it what follows does not follow.
    assert.throws(() => checkCertificate(flipped(1)), failsAs('header'))
    // A forged seal with work of its own, on the last block, which nothing follows.
    const last = run.headers.at(-1) ?? assert.fail()
    const sealless = flip(last, last.length - 20)
    const nonces = Array.from({ length: 64 }, (_, nonce) => {
      const bytes = Uint8Array.from(sealless)
      bytes[bytes.length - 1] = nonce
      return bytes
    })
    const worked = nonces.find((bytes) => meetsDifficulty(sha256(bytes), 2)) ?? assert.fail()
    const sealed = headers((list) => [...list.slice(0, -1), worked])
    assert.throws(() => checkCertificate(sealed), failsAs('seal'))
    assert.equal(checkCertificate(sealed, { seals: false }).version, version)
    assert.throws(() => checkCertificate(headers((list) => list.slice(1))), failsAs('header'))
    assert.throws(
      () => checkCertificate(headers((list) => [...list.slice(0, 2), ...list.slice(3)])),
      failsAs('header'),
    )
    const body = original.bodies[0] ?? assert.fail()
    const other = original.bodies[1] ?? assert.fail()
    const swapped = [{ ...body, bytes: other.bytes }, ...original.bodies.slice(1)]
    assert.throws(
      () => checkCertificate(again((s) => ({ ...s, bodies: swapped }))),
      failsAs('body'),
    )
    const without = original.bodies.slice(1)
    assert.throws(
      () => checkCertificate(again((s) => ({ ...s, bodies: without }))),
      failsAs('record'),
    )
    assert.throws(
      () => checkCertificate(again((s) => ({ ...s, cited: s.cited.slice(1) }))),
      failsAs('member'),
    )
    assert.throws(
      () => checkCertificate(again((s) => ({ ...s, cited: [...s.cited].reverse() }))),
      (error) =>
        /record|member/.test(String((error as { details: { check: string } }).details.check)),
    )
    const founder = original.cited[0] ?? assert.fail()
    assert.throws(
      () => checkCertificate(again((s) => ({ ...s, subject: founder }))),
      failsAs('subject'),
    )
    assert.throws(
      () => checkCertificate(again((s) => ({ ...s, metadataKey }))),
      failsAs('metadata'),
    )
    assert.throws(
      () => checkCertificate(again((s) => ({ ...s, parameters: flip(s.parameters, 20) }))),
      (error) => (error as { code: string }).code === 'CERTIFICATE_INVALID',
    )
  })

  it('a maker who is no member signs in vain', () => {
    const { signature: _, ...unsigned } = decodeCertificate(proofOf(page))
    const maker = publicKeyOf('ed25519', seedOf('mallory'))
    const forged = signCertificate({ ...unsigned, maker }, (message) =>
      signEd25519(seedOf('mallory'), message),
    )
    assert.throws(() => checkCertificate(forged), failsAs('member'))
  })

  it('a page with other words than its proof is found out', () => {
    const text = new TextDecoder().decode(page).replaceAll('bob', 'eve')
    assert.throws(() => checkCertificatePage(utf8(text)), failsAs('page'))
    const other = certificatePage({ ...facts, signed: 0 }, proofOf(page))
    assert.throws(() => checkCertificatePage(other), failsAs('page'))
    assert.throws(() => checkCertificatePage(utf8('<html>')), { code: 'CERTIFICATE_NONE' })
    assert.throws(() => checkCertificatePage(new Uint8Array(60_000_000)), {
      code: 'CERTIFICATE_NONE',
    })
  })

  it('a private version is opened by its metadata key, or stays closed', async () => {
    const opened = checkCertificatePage(await certificates.of(sealedVersion, signal))
    assert.equal(opened.details?.name, 'secret plan')
    opens = false
    const closed = await certificates.of(sealedVersion, signal)
    opens = true
    assert.equal(checkCertificatePage(closed).details, null)
    assert.ok(!new TextDecoder().decode(closed).includes('secret plan'))
    const { signature: _, ...unsigned } = decodeCertificate(proofOf(closed))
    const wrong = signCertificate({ ...unsigned, metadataKey: sha256(metadataKey) }, (message) =>
      signEd25519(seedOf('ada'), message),
    )
    assert.throws(() => checkCertificate(wrong), failsAs('metadata'))
  })

  it('updates, further devices and their order', async () => {
    const phone = createChainNode('phone', { clock, params })
    const user = bob.chain.user as UserId
    const network = bob.store.tip().header.network
    const encryptionKey = publicKeyOf('x25519', seedOf('phone encryption'))
    const message = admissionMessage({ network, user, device: phone.device, encryptionKey })
    await phone.chain.start()
    for (let height = 1; height <= bob.store.tip().height; height += 1) {
      const id = bob.store.idAt(height) ?? assert.fail()
      const header = bob.store.headerBytes(id) ?? assert.fail()
      await phone.chain.acceptBlock(header, bob.store.body(id) ?? assert.fail(), bob.device)
    }
    await phone.publish({
      type: 'device.add',
      user,
      body: {
        name: 'phone',
        encryptionKey,
        proof: {
          type: 'device',
          device: publicKeyOf('ed25519', seedOf('bob')),
          signature: signEd25519(seedOf('bob'), message),
        },
      },
    })
    const update = await phone.publish({
      type: 'file.update',
      body: { ...publicBody('second'), file: version, parents: [version] },
    })
    clock.time += 2_000
    // Both in one block, which the phone seals with the block that admits it.
    await phone.mine()
    const made = checkCertificatePage(await serviceOf(phone, 'phone').of(update.identity, signal))
    assert.equal(made.change, 'updated')
    assert.equal(made.file, version)
    assert.equal(made.author.deviceName, 'phone')
    assert.deepEqual(
      made.members.map(({ by }) => by),
      ['open', 'device'],
    )
    await phone.chain.stop()
  })

  it('a member on an invite: the invite, who made it and who answered it are contained', async () => {
    const rules = { ...params, admission: 'invite' as const }
    const time = clock.now()
    const host = createChainNode('ada', { clock, params: rules })
    const guest = createChainNode('carol', { clock, params: rules })
    await host.chain.start()
    await guest.chain.start()
    await host.join()
    const oneTime = seedOf('one-time key')
    const invite = await host.publish({
      type: 'invite',
      body: {
        key: publicKeyOf('ed25519', oneTime),
        role: 'member',
        ownDevice: false,
        expires: time + 60_000,
      },
    })
    const statement = userStatement('carol', rules)
    if (statement.type !== 'user.create') assert.fail()
    const { encryptionKey, userKey, recoveryKey, restoreKey } = statement.body
    const admission = {
      network: networkIdOf(rules),
      user: null,
      device: guest.device,
      encryptionKey,
      userKeys: { userKey, recoveryKey, restoreKey },
    }
    const proof = {
      type: 'invite' as const,
      invite: invite.identity,
      signature: signEd25519(oneTime, invitedMessage(admission, invite.identity)),
      sponsor: publicKeyOf('ed25519', seedOf('ada')),
      time,
      countersignature: signEd25519(
        seedOf('ada'),
        sponsoredMessage(admission, invite.identity, time),
      ),
    }
    await guest.publish({ ...statement, body: { ...statement.body, proof } })
    const added = await guest.publish({ type: 'file.add', body: publicBody('of a guest') })
    const records = guest.store.pending().map(({ record }) => record.bytes)
    await host.chain.acceptRecords(records, guest.device)
    clock.time += 2_000
    while ((await host.mine()) !== undefined) clock.time += 2_000
    const made = createCertificates(
      {
        store: host.store,
        signer: { device: host.device, sign: (message) => signEd25519(seedOf('ada'), message) },
        clock,
        metadataKeyOf: async () => undefined,
      },
      rules,
    )
    const page = await made.of(added.identity, signal)
    const shown = checkCertificatePage(page)
    assert.deepEqual(
      shown.members.map(({ userName, by }) => [userName, by]),
      [
        ['ada', 'founder'],
        ['carol', 'invite'],
      ],
    )
    // Without the invite nothing shows that she was admitted.
    const { signature: _, ...unsigned } = decodeCertificate(proofOf(page))
    const found = host.store.record(invite.id)?.place ?? assert.fail()
    const cited = unsigned.cited.filter(
      ({ height, index }) => height !== found.height || index !== found.index,
    )
    assert.equal(cited.length, unsigned.cited.length - 1)
    const without = signCertificate({ ...unsigned, cited }, (message) =>
      signEd25519(seedOf('ada'), message),
    )
    assert.throws(() => checkCertificate(without), failsAs('member'))
    await host.chain.stop()
    await guest.chain.stop()
  })

  it('what is pending, refused or unknown has no certificate', async () => {
    const pending = await bob.publish({ type: 'file.add', body: publicBody('pending') })
    const service = serviceOf(bob, 'bob')
    await assert.rejects(service.of(pending.identity, signal), { code: 'CERTIFICATE_PENDING' })
    await assert.rejects(service.of(unlike(version) as VersionId, signal), {
      code: 'CERTIFICATE_PENDING',
    })
    const user = ada.chain.user as VersionId
    await assert.rejects(service.of(user, signal), { code: 'CERTIFICATE_REFUSED' })
  })

  it('a page of format 1 stays right in every later version', () => {
    const path = join(import.meta.dirname, '../../../fixtures/certificate-1.html')
    const old = checkCertificatePage(new Uint8Array(readFileSync(path)))
    assert.deepEqual(
      [old.details?.name, old.confirmations, old.votes[0]?.comment, old.sealers.length],
      ['deed.txt', 2, 'I was there', 2],
    )
  })

  it('what cannot be seen, or turns the direction of writing, is shown as a mark', () => {
    const every = Array.from({ length: 0x110000 }, (_, point) => point)
      .filter((point) => /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(String.fromCodePoint(point)))
      .map((point) => String.fromCodePoint(point))
      .join('')
    const shown = new TextDecoder().decode(
      certificatePage({ ...facts, network: every }, proofOf(page)),
    )
    assert.ok(!/[\p{Cf}\p{Zl}\p{Zp}]/u.test(shown))
  })

  it('of a long chain the headers between are left out', () => {
    const wanted = { subject: 90_000, seen: 89_990, others: [1, 90_000, 99_999], tip: 100_000 }
    const runs = runsOf({ ...wanted, ancestors: 17, limit: 1_000 })
    assert.deepEqual(runs, [
      { from: 1, to: 1 },
      { from: 89_983, to: 90_481 },
      { from: 99_982, to: 99_999 },
    ])
    assert.deepEqual(runsOf({ ...wanted, ancestors: 17, limit: 100_000 }), [
      { from: 1, to: 100_000 },
    ])
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5_000 }),
        fc.array(fc.integer({ min: 1, max: 5_000 }), { maxLength: 20 }),
        fc.integer({ min: 800, max: 6_000 }),
        (subject, others, limit) => {
          const init = { subject, seen: subject - 1, others, tip: 5_000, ancestors: 17, limit }
          const found = runsOf(init)
          const inside = (height: number) =>
            found.some(({ from, to }) => from <= height && height <= to)
          const size = found.reduce((sum, { from, to }) => sum + to - from + 1, 0)
          assert.ok([subject, ...others].every(inside) && size <= limit, `${size}`)
          for (const [at, run] of found.entries()) {
            const before = found[at - 1]
            assert.ok(run.from >= 1 && run.to <= 5_000 && run.from > (before?.to ?? -1) + 1)
          }
        },
      ),
    )
  })
})
