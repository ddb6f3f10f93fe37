import assert from 'node:assert/strict'
import { zstdDecompressSync } from 'node:zlib'
import { CarReader } from '@ipld/car'
import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { decodeRecord } from '../../../../src/chain/codec.ts'
import { deviceIdOf } from '../../../../src/chain/ids.ts'
import { encodeParams, networkIdOf } from '../../../../src/chain/params.ts'
import { concatBytes, utf8 } from '../../../../src/common/bytes.ts'
import { publicKeyOf, signEd25519 } from '../../../../src/common/crypto.ts'
import { cidOf, encode } from '../../../../src/common/dag-cbor.ts'
import { backupRoot } from '../../../../src/common/recovery-keys.ts'
import { cidBytes, readCar, writeCar } from '../../../../src/services/backup/car.ts'
import {
  type BackupKey,
  backupKeyOf,
  backupKeyOfKit,
  checkRecipient,
  decryptWith,
  encryptFor,
  lockKey,
  parseBackupKey,
  unlockKey,
} from '../../../../src/services/backup/keys.ts'
import {
  folderOf,
  manifestNumber,
  manifestTime,
  readManifest,
  signManifest,
  type UnsignedManifest,
} from '../../../../src/services/backup/manifest.ts'
import { encodePerson, openPerson, packPerson } from '../../../../src/services/backup/person.ts'
import { openSegment, packSegment, paddedSize } from '../../../../src/services/backup/segment.ts'
import { createChainNode, handClock, seedOf, testParams } from '../../../helpers/chain-node.ts'

const key = backupKeyOfKit(seedOf('kit'))
const other = backupKeyOfKit(seedOf('other kit'))
const header = (n: number) => encode([n, 'header'])
const body = (n: number) => encode({ records: [n] })
const blocks = [1, 2, 3].map((n) => ({ header: header(n), body: body(n) }))
const records = [utf8('one'), utf8('two')].map((each) => encode({ record: each }))
const root = cidOf(header(3))

describe('backup keys', () => {
  it('have the form of age', async () => {
    assert.match(key.identity, /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/)
    assert.match(key.recipient, /^age1[02-9ac-hj-np-z]{58}$/)
    assert.deepEqual(parseBackupKey(`# made today\n\n  ${key.identity}  \n`), key)
    assert.equal(checkRecipient(key.recipient), key.recipient)
    assert.equal(await identityToRecipient(key.identity), key.recipient)
  })

  it('refuse what is none', () => {
    const wrong = ['', 'age', key.identity.replace(/.$/, 'Q'), key.recipient, '# only a comment']
    for (const text of wrong) assert.throws(() => parseBackupKey(text), { code: 'BACKUP_KEY' })
    assert.throws(() => checkRecipient(key.identity.toLowerCase()), { code: 'BACKUP_KEY' })
  })

  it('open what was encrypted for them, and nothing else', async () => {
    const sealed = await encryptFor(key.recipient, utf8('words'))
    assert.deepEqual(await decryptWith(key, sealed, 'x'), utf8('words'))
    await assert.rejects(decryptWith(other, sealed, 'x'), { code: 'BACKUP_DAMAGED' })
    assert.notDeepEqual(await encryptFor(key.recipient, utf8('words')), sealed, 'a fresh key')
    const sealedAt = sealed.length - 1
    sealed[sealedAt] = (sealed[sealedAt] ?? 0) ^ 1
    await assert.rejects(decryptWith(key, sealed, 'x'), { code: 'BACKUP_DAMAGED' })
  })

  it('stand under a passphrase, which can be another one without a new key', async () => {
    const salt = seedOf('salt').subarray(16)
    await assert.rejects(lockKey(key, '', { salt }), { code: 'PASSPHRASE_EMPTY' })
    const slot = await lockKey(key, 'pässword', { salt, logN: 5 })
    assert.deepEqual(await unlockKey(slot, 'pa\u0308ssword', 'disk'), key)
    await assert.rejects(unlockKey(slot, 'password', 'disk'), { code: 'BACKUP_PASSPHRASE' })
    // One that asks for a gigabyte is not tried.
    const text = Buffer.from(slot).toString('latin1')
    const greedy = Buffer.from(text.replace(/^(-> scrypt \S+) 5$/m, '$1 20'), 'latin1')
    assert.equal(greedy.length, slot.length + 1)
    const used = process.cpuUsage().user
    await assert.rejects(unlockKey(greedy, 'pässword', 'disk'), { code: 'BACKUP_PASSPHRASE' })
    assert.ok(process.cpuUsage().user - used < 500_000, 'half a second')
    const again = await lockKey(key, 'another', { salt, logN: 5 })
    assert.deepEqual(await unlockKey(again, 'another', 'disk'), key)
    const encrypter = new Encrypter()
    encrypter.setScryptWorkFactor(4)
    encrypter.setPassphrase('third')
    const theirs = await encrypter.encrypt(key.identity)
    assert.deepEqual(await unlockKey(theirs, 'third', 'disk'), key)
    const decrypter = new Decrypter()
    decrypter.addPassphrase('another')
    assert.match(
      await decrypter.decrypt(again, 'text'),
      /^# .*\n# public key: age1.*\nAGE-SECRET-KEY-1/,
    )
  })
})

describe('archives', () => {
  const car = writeCar(
    root,
    [header(1), body(1)].map((bytes) => ({ cid: cidBytes(cidOf(bytes)), bytes })),
  )

  it('are read by other readers', async () => {
    const reader = await CarReader.fromBytes(car)
    assert.deepEqual((await reader.getRoots()).map(String), [root])
    const found: Uint8Array[] = []
    for await (const { cid, bytes } of reader.blocks()) {
      assert.equal(String(cid), cidOf(bytes))
      found.push(bytes)
    }
    assert.deepEqual(found, [header(1), body(1)])
  })

  it('give back their blocks, or say that they are damaged', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (parts) => {
        const all = parts.map((bytes) => ({ cid: cidBytes(cidOf(bytes)), bytes }))
        assert.deepEqual([...readCar(writeCar(root, all), 'x')], all)
      }),
    )
    for (let at = 0; at < car.length; at++) {
      const cut = car.subarray(0, at)
      const changed = Uint8Array.from(car)
      changed[at] = (changed[at] ?? 0) ^ 0xff
      for (const bytes of [cut, changed]) {
        try {
          const count = [...readCar(bytes, 'x')].length
          assert.ok(count < 2 || at < 70, `byte ${at}`)
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'BACKUP_DAMAGED', `byte ${at}`)
        }
      }
    }
  })
})

describe('segments', () => {
  it('give back blocks and records', async () => {
    const packed = await packSegment({ blocks, records }, { root, recipient: key.recipient })
    assert.deepEqual(await openSegment(packed, key, 'x'), { blocks, records })
    const none = await packSegment({ blocks: [], records }, { root, recipient: key.recipient })
    assert.deepEqual(await openSegment(none, key, 'x'), { blocks: [], records })
  })

  it('are age, then zstd, then an archive', async () => {
    const packed = await packSegment({ blocks, records }, { root, recipient: key.recipient })
    const decrypter = new Decrypter()
    decrypter.addIdentity(key.identity)
    const reader = await CarReader.fromBytes(zstdDecompressSync(await decrypter.decrypt(packed)))
    assert.equal(await reader.has((await reader.getRoots())[0] ?? assert.fail()), true)
  })

  it('say little by their size', async () => {
    const sizes = new Set<number>()
    for (const length of [1, 100, 300, 500]) {
      const record = encode(Uint8Array.from({ length }, (_, at) => (at * 31) ^ (at >> 3)))
      const packed = await packSegment(
        { blocks: [], records: [record] },
        { root, recipient: key.recipient },
      )
      sizes.add(packed.length)
    }
    assert.equal(sizes.size, 1)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), (size) => {
        const padded = paddedSize(size)
        assert.ok(padded >= size && (padded <= size * 1.13 || padded === 1024))
      }),
    )
  })

  it('that are damaged say so', async () => {
    const wrap = (bytes: Uint8Array) => encryptFor(key.recipient, bytes)
    await assert.rejects(openSegment(await wrap(utf8('no zstd')), key, 'x'), {
      code: 'BACKUP_DAMAGED',
    })
    await assert.rejects(openSegment(utf8('no age'), key, 'x'), { code: 'BACKUP_DAMAGED' })
    const half = { blocks: [], records: [header(1)] }
    const packed = await packSegment(half, { root, recipient: key.recipient })
    await assert.rejects(openSegment(packed, key, 'x'), { code: 'BACKUP_DAMAGED' })
  })
})

describe('manifests', () => {
  const seed = seedOf('ada')
  const sign = (message: Uint8Array) => signEd25519(seed, message)
  let unsigned: UnsignedManifest

  before(async () => {
    const node = createChainNode('ada', { clock: handClock(1_700_000_001_000) })
    const admission = await node.join()
    unsigned = {
      version: 1,
      network: node.chain.network,
      user: admission.id,
      device: publicKeyOf('ed25519', seed),
      admission: admission.bytes,
      number: 7,
      previous: null,
      time: Date.UTC(2026, 0, 14, 15, 30, 45, 678),
      name: 'Auto-backup 2026-01-14T15:30:45Z',
      manual: 0,
      tip: node.store.tip().id,
      height: 0,
      chainwork: new Uint8Array(32),
      recipient: key.recipient,
      person: null,
      sealed: null,
      segments: [],
    }
  })

  it('are named after their contents, and read again', () => {
    const manifest = signManifest(unsigned, sign)
    assert.ok(
      manifest.object.startsWith(
        `${unsigned.network}/${deviceIdOf(unsigned.device)}/0000000007-20260114T153045Z-`,
      ),
    )
    assert.ok(manifest.object.length <= 200)
    assert.ok(manifest.object.startsWith(folderOf(unsigned)))
    assert.equal(manifestNumber(manifest.object), 7)
    assert.equal(manifestTime(manifest.object), Date.UTC(2026, 0, 14, 15, 30, 45))
    assert.equal(manifestNumber(`${folderOf(unsigned)}x.car.zst.age`), undefined)
    assert.deepEqual(readManifest(manifest.bytes, manifest.object), manifest)
  })

  it('C10 are refused when they are not what they say', () => {
    const manifest = signManifest(unsigned, sign)
    const refused = (bytes: Uint8Array, object: string, code: string): void => {
      assert.throws(() => readManifest(bytes, object), { code })
    }
    refused(manifest.bytes, manifest.object.replace('0000000007', '0000000008'), 'BACKUP_MANIFEST')
    refused(manifest.bytes.subarray(0, -1), manifest.object, 'BACKUP_MANIFEST')
    refused(utf8('nothing'), manifest.object, 'BACKUP_MANIFEST')
    refused(concatBytes([manifest.bytes, utf8('x')]), manifest.object, 'BACKUP_MANIFEST')
    const newer = signManifest({ ...unsigned, version: 2 }, sign)
    refused(newer.bytes, newer.object, 'BACKUP_NEWER')
    const forged = signManifest(unsigned, (message) => signEd25519(seedOf('eve'), message))
    refused(forged.bytes, forged.object, 'BACKUP_FORGED')
    const eve = signManifest(
      { ...unsigned, device: publicKeyOf('ed25519', seedOf('eve')) },
      (message) => signEd25519(seedOf('eve'), message),
    )
    refused(eve.bytes, eve.object, 'BACKUP_FORGED')
    const admission = Uint8Array.from(unsigned.admission)
    // Its signature is what comes last.
    admission[admission.length - 1] = (admission.at(-1) ?? 0) ^ 1
    const user = decodeRecord(admission).id as never
    const unproven = signManifest({ ...unsigned, user, admission }, sign)
    refused(unproven.bytes, unproven.object, 'BACKUP_FORGED')
    const ofOther = signManifest({ ...unsigned, user: unsigned.tip as never }, sign)
    refused(ofOther.bytes, ofOther.object, 'BACKUP_FORGED')
    const elsewhere = signManifest({ ...unsigned, network: unsigned.tip as never }, sign)
    refused(elsewhere.bytes, elsewhere.object, 'BACKUP_FORGED')
  })
})

describe('the person in a backup', () => {
  const params = testParams()
  const person = {
    params: encodeParams(params),
    user: root as never,
    userName: 'Ada',
    deviceName: 'laptop',
    restore: seedOf('restore'),
    userKeys: [seedOf('user')],
    peers: ['/ip4/192.0.2.7/tcp/4005/p2p/12D3KooWMV8PeEEESQFzEYdntmrTP8oXTAQ9EKrfNNPyJetKudTG'],
  }

  const encoded = ({ secret }: BackupKey): Uint8Array =>
    encodePerson(person, backupRoot(secret, networkIdOf(params), person.user))

  it('comes back', async () => {
    const packed = await packPerson(encoded(key), key.recipient)
    const { params: found, ...rest } = await openPerson(packed, key, 'x')
    assert.deepEqual(encodeParams(found), person.params)
    assert.deepEqual({ ...rest, params: person.params }, person)
  })

  it('is believed only from who has the key', async () => {
    const forged = await packPerson(encoded(other), key.recipient)
    await assert.rejects(openPerson(forged, key, 'x'), { code: 'BACKUP_FORGED' })
    const damaged = await packPerson(utf8('nothing'), key.recipient)
    await assert.rejects(openPerson(damaged, key, 'x'), { code: 'BACKUP_DAMAGED' })
    assert.equal(backupKeyOf(key.secret).identity, key.identity)
  })
})
