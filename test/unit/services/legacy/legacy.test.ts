import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { VersionId } from '../../../../src/chain/ids.ts'
import { silentLogger } from '../../../../src/common/logger.ts'
import { createDirectory } from '../../../../src/services/explorer/directory.ts'
import {
  decodeLegacy,
  encodeLegacy,
  LEGACY_KINDS,
  legacyName,
} from '../../../../src/services/legacy/container.ts'
import { createLegacy, type LegacyService } from '../../../../src/services/legacy/legacy.ts'
import { readLegacy } from '../../../../src/services/legacy/read.ts'
import { createChainStore } from '../../../../src/storage/chain-store.ts'
import { openDatabase } from '../../../../src/storage/database.ts'
import { type FilesNode, withAdaAndBob } from '../files/files-node.ts'

const fixtures = join(import.meta.dirname, '..', '..', '..', 'fixtures', 'legacy')
const originals = LEGACY_KINDS.map((kind) => ({
  kind,
  bytes: new Uint8Array(readFileSync(join(fixtures, legacyName(kind)))),
}))
const work = { signal: new AbortController().signal }
const { signal } = work

function legacyOf({ node, files, publisher }: FilesNode): LegacyService {
  return createLegacy({
    store: node.store,
    records: publisher,
    files,
    directory: createDirectory({ projections: node.store.projections, events: node.events }),
    params: node.params,
  })
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}

describe('imports of a forerunner’s data', () => {
  const options = { name: 'old', visibility: 'public' } as const

  it('come back byte by byte, with what they hold', () =>
    withAdaAndBob(async (ada) => {
      const legacy = legacyOf(ada)
      const imported = await legacy.import(encodeLegacy(originals), options, work)
      assert.equal(imported.counts.uploads, 1)
      assert.equal(imported.findingCount, 6)
      assert.deepEqual(
        imported.parts.map(({ kind, entries, size }) => [kind, entries, size]),
        originals.map(({ kind, bytes }) => [kind, 1, bytes.length]),
      )
      assert.deepEqual(
        imported.parts.map(({ sha256 }) => sha256),
        originals.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex')),
      )
      await ada.node.mine()
      const [listed] = legacy.list()
      assert.deepEqual([listed?.state.outcome, listed?.user.name], ['applied', 'ada'])
      for (const id of [imported.record, imported.file, imported.record.slice(0, 20)]) {
        assert.deepEqual(decodeLegacy(await legacy.content(id, signal)), originals)
      }
      const shown = await legacy.show(imported.record, signal)
      assert.deepEqual(shown.blocks[0]?.user, { name: 'John', verified: false })
      await assert.rejects(legacy.content('bafyreinothing', signal), { code: 'LEGACY_NOT_FOUND' })
      await assert.rejects(legacy.content('', signal), { code: 'LEGACY_NOT_FOUND' })
    }))

  it('what cannot be read leaves nothing behind', () =>
    withAdaAndBob(async (ada) => {
      const legacy = legacyOf(ada)
      const bad = encodeLegacy([{ kind: 'blockchain', bytes: Buffer.from('{') }])
      await assert.rejects(legacy.import(bad, options, work), { code: 'LEGACY_JSON' })
      await assert.rejects(legacy.import(Buffer.from('x'), options, work), {
        code: 'LEGACY_CONTAINER',
      })
      assert.deepEqual([legacy.list(), ada.node.store.projections.countFiles()], [[], 0])
    }))

  it('a record about other bytes is found out', () =>
    withAdaAndBob(async (ada) => {
      const legacy = legacyOf(ada)
      const added = await ada.files.add(bytesOf('something'), options, work)
      const body = {
        version: added.version as VersionId,
        parts: [{ kind: 'blockchain' as const, sha256: new Uint8Array(32), size: 1, entries: 1 }],
      }
      const record = await ada.publisher.publish({ type: 'legacy.import', body })
      await assert.rejects(legacy.content(record.id, signal), { code: 'LEGACY_CONTAINER' })
      const [first] = originals
      assert.ok(first)
      const other = await ada.files.add(
        (async function* () {
          yield encodeLegacy([first])
        })(),
        { ...options, name: 'other' },
        work,
      )
      const forged = { ...body, version: other.version as VersionId }
      const { id } = await ada.publisher.publish({ type: 'legacy.import', body: forged })
      await assert.rejects(legacy.content(id, signal), { code: 'LEGACY_DAMAGED' })
    }))

  it('the network’s own history, in the same format, with nothing odd in it', () =>
    withAdaAndBob(async (ada, bob, clock) => {
      const legacy = legacyOf(ada)
      const text = 'content — of é'
      const added = await ada.files.add(bytesOf(text), { ...options, name: 'é.txt' }, work)
      await ada.node.mine()
      clock.time += 5_000
      await ada.tell(bob)
      await ada.files.update(added.file, bytesOf('second'), {}, work)
      await bob.node.chain.acceptRecords(
        ada.node.store.pending().map(({ record }) => record.bytes),
        ada.node.device,
      )
      const version = added.version as VersionId
      await bob.publisher.publish({ type: 'access', body: { version } })
      await bob.publisher.publish({
        type: 'vote',
        body: { version, verdict: 'authentic', comment: 'fine' },
      })
      await bob.tell(ada)
      await ada.node.mine()
      await ada.files.add(bytesOf('pending'), { ...options, name: 'pending' }, work)

      const container = await legacy.history({ includePrivate: false }, signal)
      const parts = decodeLegacy(container)
      const found = readLegacy(parts)
      assert.deepEqual(found.findings, [])
      assert.deepEqual(
        found.blocks.map(({ kind, fileName, user }) => [kind, fileName, user?.name]),
        [
          ['genesis', null, undefined],
          ['upload', 'é.txt', 'ada'],
          ['upload', 'é.txt', 'ada'],
          ['download', 'é.txt', 'bob'],
        ],
      )
      const sha256 = createHash('sha256').update(text).digest('hex')
      assert.equal(found.blocks[1]?.fileHash, sha256)
      assert.deepEqual(
        found.votes.map(({ fileHash, score, votes }) => [fileHash, score, votes[0]?.weight]),
        [[sha256, 100, 0.1]],
      )
      assert.equal(found.contracts.length, 2)
      const contract = found.contracts.find(({ fileHash }) => fileHash === sha256)
      assert.deepEqual([contract?.isPublic, contract?.accesses], [true, 1])
      // Twice the same, and it can be imported.
      assert.deepEqual(await legacy.history({ includePrivate: false }, signal), container)
      assert.equal((await legacy.import(container, options, work)).findingCount, 0)
    }))

  it('the index of imports is used', () => {
    const { db } = openDatabase({ path: ':memory:', now: () => 0, logger: silentLogger })
    createChainStore(db)
    const plan = db
      .prepare<{ detail: string }>(
        "EXPLAIN QUERY PLAN SELECT number FROM records WHERE records.type = 'legacy.import'",
      )
      .all()
    assert.match(plan.map(({ detail }) => detail).join(), /records_of_imports/)
    db.close()
  })
})
